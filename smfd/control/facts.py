"""What the settings say of the house, and what they leave unprotected."""

import time

import smfd
from smfd.config.schema import Config
from smfd.control.house import Facts
from smfd.control.rotation import Terms


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
        keys=Terms(config.dkim.key_days * 86_400.0, config.dkim.rotate),
    )


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
