"""What the settings say of the house, and what they leave unprotected."""

import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

import smfd
from smfd.config.schema import Config
from smfd.config.value import SYSTEMD, split_address
from smfd.control.house import Facts
from smfd.control.rotation import Terms
from smfd.policy.dns_site import IMAPS, SUBMISSION, SUBMISSIONS, Service


def facts(config: Config, engine: str) -> Facts:
    """
    What does not change from now on.

    @param engine: of the virus stage; "" for none.
    """
    return Facts(
        hostname=config.hostname,
        version=smfd.__version__,
        started=time.time(),
        engine=engine,
        threshold=config.content.threshold,
        off=unprotected(config),
        certificate=str(config.resolve(config.tls.certificate)),
        sources=tuple(
            (source.address, source.hello.rstrip(".").lower())
            for source in config.relay.source
        ),
        reports_to=config.reputation.reports_to.lower(),
        reporters=tuple(
            (f"[{table}] reports_from", address.lower())
            for table, address in (
                ("reputation", config.reputation.reports_from),
                ("tls_out", config.tls_out.reports_from),
            )
            if address
        ),
        keys=Terms(config.dkim.key_days * 86_400.0, config.dkim.rotate),
        services=tuple(_services(config)),
    )


def _services(config: Config) -> Iterator[Service]:
    """What mail programs find: what is open here, and what is said to be elsewhere."""
    doors = {
        (SUBMISSIONS, 465): config.submission.listen_tls,
        (SUBMISSION, 587): config.submission.listen,
    }
    for (name, usual), listen in doors.items():
        port = _port(listen, usual)
        if port and config.tls.certificate:
            yield Service(name, config.hostname, port)
    host, _, number = config.server.imap.partition(":")
    if host:
        yield Service(IMAPS, host.rstrip(".").lower(), int(number or 993))


def _port(listen: Sequence[str], usual: int) -> int:
    """
    The port that others find a door at; 0 when they find none.

    @param usual: that of a socket of systemd's, and the best of several.
    """
    ports = [usual for text in listen if text.startswith(SYSTEMD)]
    for text in listen:
        if not text.startswith(SYSTEMD):
            address, port = split_address(text)
            ports += [] if ip_address(address).is_loopback else [port]
    return usual if usual in ports else next(iter(ports), 0)


def unprotected(config: Config) -> tuple[str, ...]:
    """Everything protective that is off, a sentence each."""
    missing = set(("lists", "spf", "dkim", "dmarc", "identity", "content"))
    missing -= set(config.scan.stages)
    said = [f"The {name} stage is off." for name in sorted(missing)]
    source = config.source
    for name in ("forged", "early", "null_mx", "hello", "reverse_dns", "history"):
        if getattr(source, name).mode == "off":
            said.append(f"The source test {name} is off.")
    if config.dns.offline:
        said.append("DNS is off: no sender can be authenticated but those listed.")
    if not config.tls.certificate:
        said.append("STARTTLS is off: mail arrives in the clear.")
        said.append("Submission is closed: nobody can log in without TLS.")
    if not config.dkim.sign:
        said.append("Signing is off: receivers trust our users' mail less.")
    return tuple(said)
