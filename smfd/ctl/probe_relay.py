"""Whether mail finds its way to the world."""

from collections.abc import Iterator

from smfd.config.schema import Config
from smfd.ctl.probe import Report, error, ok, warning
from smfd.net.local_address import is_local


def probe_relay(config: Config) -> Iterator[Report]:
    """There is a way out, from addresses that are ours, past those who ask."""
    relay = config.relay
    for source in relay.source:
        if not is_local(source.address):
            yield error(
                f"relay {source.address}",
                "This machine has no such address, and no mail goes out from it. "
                '"ip address" shows those it has; mend [[relay.source]].',
            )
    for route in relay.route:
        path = config.resolve(route.password_file)
        if route.username and not _is_readable(config, route.password_file):
            yield error(
                f"relay {route.domain}",
                f"{path} cannot be read: smfd will not start. It has the password "
                f"of {route.username} at {route.to}.",
            )
    every = any(route.name == "*" for route in relay.route)
    if config.dns.offline and not every:
        yield warning(
            "relay",
            "Mail to the world goes nowhere: DNS is offline, and no [[relay.route]] "
            'is for "*". Set [dns] offline = false, or name a server.',
        )
    else:
        yield ok("relay", "by a route" if every else "by MX records")


def _is_readable(config: Config, name: str) -> bool:
    try:
        return bool(config.resolve(name).read_text().strip())
    except (OSError, UnicodeError):
        return False
