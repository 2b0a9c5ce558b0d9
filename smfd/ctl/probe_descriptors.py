"""Are there file descriptors for all the connections there may be?"""

from collections.abc import Iterator

from smfd.config.schema import Config
from smfd.ctl.probe import Report, ok, warning
from smfd.net.descriptors import RESERVE, allowed, connections


def probe_descriptors(config: Config) -> Iterator[Report]:
    """Each connection is one, and some must be left."""
    wanted, there = config.mx.connections, connections(allowed())
    if wanted <= there:
        yield ok("connections", f"{wanted} at once")
        return
    yield warning(
        "connections",
        f"only {there} at once, not {wanted}: raise the limit of open files to "
        f"{wanted + RESERVE} (LimitNOFILE of the unit, ulimit -Hn in a shell), or "
        "lower [mx] connections.",
    )
