"""C{smfdctl queue}: mail that waits, mostly for other servers."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from smfd.ctl.client import Client, asking, segment
from smfd.ctl.face import Face, verb
from smfd.ctl.table import table
from smfd.ctl.wrapped import wrapped
from smfd.model.grammar import counted

_Document = dict[str, Any]

#: The name of a message; a site has a dot or brackets.
_ID = re.compile(r"[0-9a-z]{16}(?:-[0-9]+)?")

_WHICH = (
    click.option("--site", default="", help="Only to this domain."),
    click.option("--sender", default="", help="Only from him; <> for bounces."),
    click.option("--recipient", default="", help="Only to this address."),
    click.option("--account", default="", help="Only of this user of ours."),
    click.option("--older", default="", help="Only older than 2h, 3d, or a time."),
)
_SURE = (
    click.option("--yes", is_flag=True, help="Even if they are more than 100."),
    click.option("--reason", default="", help="Why; it is written down."),
)
_EVERYTHING = click.option("--all", "everything", is_flag=True, help="All there is.")
_TARGET = click.argument("target", metavar="[SITE|ID]", default="")

_COLUMNS = ("id", "received", "sender", "recipient", "state", "attempts", "next_try")


#: What has mail tried, unless its site is held.
_TRIES = ("retry", "resume")
_HELD = "Held all the same: {}. queue shape says what lets it go."


def _with(*options: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb options, in this order."""

    def given(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return given


@click.group()
def queue() -> None:
    """Mail that waits for other servers, and what is done about it."""


@queue.command("list")
@_with(*_WHICH)
@click.option("--state", default="", help="due, or suspended: held by itself.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.option("--after", default="", help="Where the page before ended.")
@verb
def list_(face: Face, /, **wanted: Any) -> None:
    """Show who waits for what, the oldest first."""
    with asking(face) as client:
        page = client.get("/v1/queue", wanted)
    face.show(page, _page(page))


@queue.command()
@click.argument("id")
@verb
def show(face: Face, id: str) -> None:  # noqa: A002
    """Show one message that waits, and why."""
    with asking(face) as client:
        found = client.get(f"/v1/queue/{segment(id)}")
    face.show(found, _message(found, face.command))


@queue.command()
@click.option("--limit", type=click.IntRange(1), default=40, show_default=True)
@verb
def shape(face: Face, limit: int) -> None:
    """Show which sites most waits for, and how old it is."""
    with asking(face) as client:
        found = client.get("/v1/sites", {"limit": limit})
    face.show(found, _shape(found))


@queue.command()
@click.argument("site")
@click.argument("to", metavar="smtp://HOST:PORT|none")
@_with(*_SURE)
@verb
def reroute(face: Face, /, site: str, **how: Any) -> None:
    """Send a domain's mail elsewhere from now on; "none" ends it."""
    with asking(face) as client:
        done = client.post(f"/v1/sites/{segment(site)}/reroute", how)
    to = f"goes to {done['route']}" if done["route"] else "goes its usual way"
    face.show(done, [f"Mail for {site} {to}. {done['waiting']} waiting."])


def _acts(name: str, sentence: str, said: str, sites: bool = False) -> None:
    """
    Add a verb that does something to a site, a message, or all that fit.

    @param said: what is printed then.
    @param sites: what is done to a whole site is done to it, and holds for
        what is still to come.
    """

    @verb
    def command(face: Face, /, target: str, everything: bool, **which: Any) -> None:
        with asking(face) as client:
            if sites and (everything or (target and not _ID.fullmatch(target))):
                done = _to_site(client, name, "*" if everything else target, which)
                lines = list(_site(done))
            else:
                key = "id" if _ID.fullmatch(target) else "site"
                if target:
                    which[key] = target
                body = {**which, "everything": everything}
                done = client.post(f"/v1/queue/{name}", body)
                meant = counted(done["meant"], "recipient")
                lines = [said.format(changed=done["changed"], meant=meant)]
                if name in _TRIES and done["held"]:
                    lines.append(_HELD.format(", ".join(done["held"])))
        face.show(done, lines)

    options = _with(_TARGET, *_WHICH, _EVERYTHING, *_SURE)
    queue.command(name, help=sentence)(options(command))


def _to_site(client: Client, act: str, site: str, which: _Document) -> _Document:
    if any(which[name] for name in ("site", "sender", "recipient", "account", "older")):
        raise click.UsageError(
            "A site is held as it is; to hold some of its messages say --site."
        )
    how = {name: which[name] for name in ("yes", "reason")}
    done: _Document = client.post(f"/v1/sites/{segment(site)}/{act}", how)
    return done


def _site(done: _Document) -> Iterator[str]:
    name = "Every site" if done["site"] == "*" else done["site"]
    how = "held" if done["held"] else "held no more"
    yield f"{name} is {how}: {done['waiting']} waiting."
    if done.get("suspended"):
        yield f"Messages that stay held by themselves: {done['suspended']}."


_acts("retry", "Try now what was put off.", "To be tried now: {meant}.")
_acts(
    "hold",
    "Hold a site, with what is still to come, or messages.",
    "Held: {changed} of {meant}.",
    sites=True,
)
_acts(
    "resume",
    "Let go what is held.",
    "To be tried now: {changed} of {meant}.",
    sites=True,
)
_acts("fail", "Give up, and tell the senders.", "Given up: {changed} of {meant}.")
_acts("drop", "Throw away, and tell nobody.", "Thrown away: {changed} of {meant}.")


def _page(page: _Document) -> Iterator[str]:
    rows = [[_cell(item, name) for name in _COLUMNS] for item in page["items"]]
    names = [name.replace("_", " ") for name in _COLUMNS]
    yield from _reasoned(table(names, rows), page["items"])
    if not rows:
        yield "Nothing waits."
    if page["next"]:
        yield f"There are more: --after {page['next']}"


def _reasoned(lines: Iterator[str], items: Iterable[_Document]) -> Iterator[str]:
    """A table, and below each line why it is so: servers say long things."""
    yield next(lines)
    for line, item in zip(lines, items, strict=True):
        yield line
        yield from wrapped(item["why"], "    ")


def _cell(item: _Document, name: str) -> Any:
    if name == "state" and item["state"] == "due" and item["held"]:
        return "site held"
    if name == "sender":
        return item["sender"] or "<>"
    if name == "next_try" and item["held"]:
        return ""
    return item[name]


def _message(found: _Document, command: str) -> Iterator[str]:
    for name in ("id", "received", "sender", "account", "subject", "size"):
        yield f"{name:<10} {found[name] if found[name] != '' else '-'}"
    for one in found["recipients"]:
        yield ""
        where = f" by way of {one['route']}" if one["route"] else ""
        yield f"{one['recipient']}: {_cell(one, 'state')}{where}"
        tried = counted(one["attempts"], "time")
        tried = f"tried {tried}; " if one["attempts"] else ""
        stopped = one["state"] == "suspended" or one["held"]
        after = "when it is let go" if stopped else one["next_try"] or "at once"
        yield f"  {tried}next {after}"
        yield from wrapped(one["why"], "  ")
    yield ""
    yield from _ways(found, command)


def _ways(found: _Document, command: str) -> Iterator[str]:
    """What can be done about a message."""
    every = found["recipients"]
    if any(one["account_held"] for one in every):
        # By itself it is not let go: it may be a thief's.
        yield f"Look:     {command} user held show {found['account']}"
    elif any(one["state"] == "suspended" for one in every):
        yield f"Let go:   {command} queue resume {found['id']}"
    due = [one for one in every if one["state"] == "due"]
    if any(not one["held"] for one in due):
        yield f"Try now:  {command} queue retry {found['id']}"
    yield f"Give up:  {command} queue fail {found['id']}"


def _shape(found: _Document) -> Iterator[str]:
    bounds = [_span(seconds) for seconds in found["ages"]]
    ages = [*(f"<{bound}" for bound in bounds), f">{bounds[-1]}"]
    rows = [
        [site["site"], site["waiting"], *site["ages"], _next(site)]
        for site in found["items"]
    ]
    lines = table(["site", "waiting", *ages, "next try"], rows)
    yield from _reasoned(lines, found["items"])
    yield (
        f"Due: {found['due']}. Held by themselves: {found['suspended']}."
        f" Sites where nobody takes mail: {found['down']}."
    )
    if found["held"]:
        sites = ", ".join("--all" if site == "*" else site for site in found["held"])
        yield f"Held, until queue resume: {sites}."
    for site, route in found["routes"].items():
        yield f"{site} goes to {route}."


def _next(site: _Document) -> str:
    return "held" if site["held"] else site["next_try"] or ""


def _span(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
