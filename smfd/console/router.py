"""Which use case a request means."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import unquote

from attrs import field, frozen

from smfd.console.fields import Field
from smfd.control.house import Document

#: A use case: C{act(house, actor, **arguments)}.
UseCase = Callable[..., Awaitable[Document]]


@frozen
class Route:
    """
    One thing that can be asked.

    @ivar path: with C{{name}} for what is an argument.
    @ivar query: what may stand in the query; only GET and DELETE have one.
    @ivar body: what may stand in the JSON body.
    """

    method: str
    path: str
    act: UseCase
    query: Mapping[str, Field] = field(factory=dict)
    body: Mapping[str, Field] = field(factory=dict)

    def match(self, parts: Sequence[str]) -> dict[str, str] | None:
        """The arguments in the path, or None when it is another path."""
        own = self.path.split("/")
        if len(own) != len(parts):
            return None
        arguments = {}
        for name, part in zip(own, parts, strict=True):
            if name.startswith("{") and part:
                arguments[name[1:-1]] = part
            elif name != part:
                return None
        return arguments


@frozen
class Routed:
    """A route and the arguments in its path."""

    route: Route
    arguments: Mapping[str, str]


@frozen
class Astray:
    """
    No such path, or it is not asked so.

    @ivar methods: what the path can be asked with; none: no such path.
    """

    methods: tuple[str, ...] = ()


def find(routes: Sequence[Route], method: str, path: str) -> Routed | Astray:
    """The first route that fits."""
    parts = [unquote(part) for part in path.split("/")]
    methods = []
    for route in routes:
        arguments = route.match(parts)
        if arguments is None:
            continue
        if route.method == method:
            return Routed(route, arguments)
        methods.append(route.method)
    return Astray(tuple(methods))
