"""Settings that are right one by one and wrong together."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from smfd.config.lines import Path
from smfd.config.schema import Config


def disagreements(config: Config) -> Iterator[tuple[Path, str]]:
    """Where, and a sentence."""
    if not config.mx.listen and not config.mx.listen_tls:
        yield ("mx", "listen"), "Nobody could reach us; name an address."
    yield from _addresses(config)
    if bool(config.tls.certificate) != bool(config.tls.key):
        yield ("tls",), "Certificate and key belong together; give both or none."
    if not config.tls.certificate and (config.mx.listen_tls or config.tls.sni):
        yield ("tls",), "TLS needs a certificate and a key for all other names."
    if config.virus.engine == "clamd" and not config.virus.clamd:
        yield ("virus", "clamd"), "The engine is clamd; say where it listens."
    yield from _stages(config)
    yield from _deadlines(config)
    yield from _routes(config)
    yield from _sources(config)
    yield from _sites(config)
    yield from _warm_up(config)
    yield from _retries(config)


def _addresses(config: Config) -> Iterator[tuple[Path, str]]:
    mx, submission = config.mx, config.submission
    doors = {
        ("mx", "listen"): mx.listen,
        ("mx", "listen_tls"): mx.listen_tls,
        ("submission", "listen"): submission.listen,
        ("submission", "listen_tls"): submission.listen_tls,
        ("lmtp", "listen"): config.lmtp.listen,
    }
    seen: set[str] = set()
    for place, addresses in doors.items():
        for address in addresses:
            if address in seen:
                yield place, f"{address} is another door's; each needs its own."
        seen.update(addresses)


def _stages(config: Config) -> Iterator[tuple[Path, str]]:
    stages = config.scan.stages
    if "dmarc" in stages and not {"spf", "dkim"} & set(stages):
        yield ("scan", "stages"), '"dmarc" needs "spf" or "dkim" to go by.'


def _deadlines(config: Config) -> Iterator[tuple[Path, str]]:
    if config.dns.timeout > config.dns.lifetime:
        yield ("dns", "timeout"), "One answer may not take longer than lifetime."
    if config.limits.scan_wait > config.scan.total:
        yield (
            ("limits", "scan_wait"),
            "The wait for a turn is part of [scan] total; raise that, or lower this.",
        )
    if config.scan.worker_deadline > config.scan.deadline:
        yield (
            ("scan", "worker_deadline"),
            "A worker may not take longer than a stage; raise deadline, or lower this.",
        )


def _again(names: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Those that stood there before, with their numbers."""
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            yield number, name
        seen.add(name)


def _routes(config: Config) -> Iterator[tuple[Path, str]]:
    for number, name in _again(route.name for route in config.relay.route):
        twice = ("relay", "route", number, "domain")
        yield twice, f'There is another route for "{name}"; take one out.'
    for number, route in enumerate(config.relay.route):
        place = ("relay", "route", number)
        if bool(route.username) != bool(route.password_file):
            yield (*place, "username"), "Name and password_file belong together."
        if route.username and route.tls not in ("required", "verify", "dane-only"):
            # R45: a password is never said in the clear.
            said = 'Logging in needs TLS: say tls = "verify", or "required".'
            yield (*place, "tls"), said
        if route.tls == "dane-only" and not route.is_named:
            said = "Only a name has TLSA records; write it in place of the address."
            yield (*place, "to"), said


def _sources(config: Config) -> Iterator[tuple[Path, str]]:
    for number, address in _again(s.address for s in config.relay.source):
        place = ("relay", "source", number, "address")
        yield place, f"{address} is there twice; take one out."


def _warm_up(config: Config) -> Iterator[tuple[Path, str]]:
    ours = {ip_address(source.address) for source in config.relay.source}
    for number, new in enumerate(config.reputation.warm_up):
        if ip_address(new.address) not in ours:
            place = ("reputation", "warm_up", number, "address")
            yield place, f"No [[relay.source]] is {new.address}: nothing leaves there."


def _retries(config: Config) -> Iterator[tuple[Path, str]]:
    if config.queue.retry_first > config.queue.retry_last:
        said = "The first wait is longer than the longest; lower it, or raise that."
        yield ("queue", "retry_first"), said


def _sites(config: Config) -> Iterator[tuple[Path, str]]:
    for number, name in _again(site.name for site in config.tls_out.site):
        place = ("tls_out", "site", number, "domain")
        yield place, f'There is another policy for "{name}"; take one out.'
