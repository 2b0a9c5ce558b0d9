"""What the nouns of the directory share: they are listed, shown and removed."""

from collections.abc import Callable, Iterator
from typing import Any

import click
from attrs import frozen

from smfd.ctl.client import asking, segment
from smfd.ctl.face import Face, verb
from smfd.ctl.table import table
from smfd.ctl.wrapped import wrapped

Document = dict[str, Any]
Option = Callable[[Callable[..., None]], Callable[..., None]]

_PAGE: tuple[Option, ...] = (
    click.option("--search", default="", help="Only those that contain this."),
    click.option("--limit", type=click.IntRange(1), default=100, show_default=True),
    click.option("--offset", type=click.IntRange(0), default=0),
)


@frozen
class Noun:
    """
    One kind of thing.

    @ivar path: where the API has all of them.
    @ivar columns: what a list shows of each.
    @ivar reading: makes a document for people of one.
    """

    path: str
    columns: tuple[str, ...]
    reading: Callable[[Document], Document] = dict

    def one(self, key: str) -> str:
        """Where the API has one of them."""
        return f"{self.path}/{segment(key)}"

    def show(self, face: Face, found: Document) -> None:
        """Print one of them."""
        face.show(found, _facts(self.reading(found)))

    def lines(self, page: Document) -> Iterator[str]:
        """A page of them, for people."""
        items = [self.reading(item) for item in page["items"]]
        rows = [[item.get(name) for name in self.columns] for item in items]
        yield from table([name.replace("_", " ") for name in self.columns], rows)
        if not page["total"]:
            yield "There are none."
        elif len(rows) < page["total"]:
            yield f"{len(rows)} of {page['total']}; --limit and --offset show others."

    def page(self, face: Face, query: Document) -> None:
        """Ask for a page of them, and print it."""
        with asking(face) as client:
            found = client.get(self.path, query)
        face.show(found, self.lines(found))

    def lists(self, group: click.Group, sentence: str, *options: Option) -> None:
        """Give a group the verb C{list}: a page at a time."""

        @verb
        def command(face: Face, /, **query: Any) -> None:
            self.page(face, query)

        for option in (*_PAGE[::-1], *options):
            command = option(command)
        group.command("list", help=sentence)(command)

    def shows(self, group: click.Group, sentence: str) -> None:
        """Give a group the verb C{show}: one, by its name."""

        @verb
        def command(face: Face, /, key: str) -> None:
            with asking(face) as client:
                self.show(face, client.get(self.one(key)))

        self._named("show", group, sentence, command)

    def removes(self, group: click.Group, sentence: str, said: str) -> None:
        """
        Give a group the verb C{remove}: one, by its name.

        @param said: what is printed then, a format of the document's members.
        """

        @verb
        def command(face: Face, /, key: str) -> None:
            with asking(face) as client:
                gone = client.delete(self.one(key))
            face.show(gone, [said.format_map(gone)])

        self._named("remove", group, sentence, command)

    def _named(
        self, name: str, group: click.Group, sentence: str, command: Callable[..., None]
    ) -> None:
        argument = click.argument("key", metavar=self.columns[0].upper())
        group.command(name, help=sentence)(argument(command))


def _facts(document: Document) -> Iterator[str]:
    width = max(len(name) for name in document)
    indent = " " * (width + 2)
    for name, value in document.items():
        if isinstance(value, bool):
            value = "yes" if value else "no"
        first, *more = [*wrapped(str(value), indent)] or [""]
        yield f"{name.replace('_', ' '):<{width}}  {first.lstrip()}".rstrip()
        yield from more
