"""Whether the lists in the DNS that watch our addresses answer us."""

from collections.abc import Iterator

from dns.exception import DNSException
from dns.resolver import Resolver

from smfd.config.schema import Config
from smfd.ctl.probe import Report, ok, warning
from smfd.ctl.probe_dns import resolver_of
from smfd.policy.listed import ANSWERS
from smfd.policy.networks import networks
from smfd.policy.source import listing


def probe_lists(config: Config) -> Iterator[Report]:
    """Each answers as a list does."""
    if config.dns.offline or not config.reputation.lists:
        return
    try:
        resolver = resolver_of(config)
    except DNSException:
        # The probe of the DNS says so.
        return
    for zone in config.reputation.lists:
        yield _list(resolver, zone.rstrip("."))


def _list(resolver: Resolver, zone: str) -> Report:
    """RFC 5782 §5: a list has 127.0.0.2, and it has not 127.0.0.1."""
    try:
        listed = resolver.resolve(f"2.0.0.127.{zone}", "A", lifetime=resolver.lifetime)
        answers = [str(record) for record in listed]
        known = bool(listing(answers, networks(ANSWERS)))
    except (DNSException, ValueError):
        known = False
    try:
        resolver.resolve(f"1.0.0.127.{zone}", "A", lifetime=resolver.lifetime)
    except DNSException:
        if known:
            return ok("lists", f"{zone} answers")
    return warning(
        "lists",
        f"{zone} does not answer as a list does, or not to our resolver: many refuse "
        "those of large providers. Ask through a resolver of your own, or take it out "
        "of [reputation] lists.",
    )
