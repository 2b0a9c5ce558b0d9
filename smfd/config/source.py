"""The settings of how a connection's source is judged (S2, S3, C5)."""

from ipaddress import ip_address
from typing import Any

from attrs import field, frozen

from smfd.config import value
from smfd.config.setting import setting, table

MODES = ("off", "observe", "enforce")
ACTIONS = ("score", "refuse")


def _address(text: str) -> str:
    """An IP address."""
    try:
        ip_address(text)
    except ValueError:
        return f'"{text}" is not an IP address; write "192.0.2.25" or "2001:db8::25".'
    return ""


def _mode(default: str) -> Any:
    return setting(
        '"observe" only writes down what was found, "enforce" acts on it.',
        default,
        choices=MODES,
        example='"enforce"',
    )


def _action(default: str) -> Any:
    return setting(
        'What "enforce" does: "score" adds to the score of the message, '
        '"refuse" takes no mail from there.',
        default,
        choices=ACTIONS,
    )


def _score(default: float) -> Any:
    return setting(
        "What a finding is worth.",
        default,
        unit="points",
        low=0,
        high=100,
        example=str(default),
    )


def _on_error() -> Any:
    return setting(
        'When the DNS does not answer: "pass" lets go on and says so, "defer" '
        "asks the client to come back.",
        "pass",
        choices=("pass", "defer"),
        example='"pass"',
    )


@frozen
class ReverseDNS:
    """
    The address has a name, and the name has the address.
    """

    mode: str = _mode("observe")
    action: str = _action("score")
    score: float = _score(1.0)
    on_error: str = _on_error()


@frozen
class Forged:
    """
    A client that greets with our own name, or with our own address.
    """

    mode: str = _mode("enforce")
    action: str = _action("refuse")
    score: float = _score(5.0)
    addresses: tuple[str, ...] = setting(
        "Our addresses, besides those we listen on and those our name has.",
        (),
        check=_address,
        example='["192.0.2.25"]',
    )


@frozen
class Hello:
    """
    The name in HELO or EHLO: no name at all, unqualified, unknown to the DNS,
    another's address, or a domain that is hosted here.
    """

    mode: str = _mode("observe")
    action: str = _action("score")
    score: float = _score(1.0)
    on_error: str = _on_error()


@frozen
class Early:
    """
    Clients that do not wait for us: for the greeting, which comes a little
    late for those we do not know yet, or for the answer to EHLO.
    """

    mode: str = _mode("enforce")
    action: str = _action("score")
    score: float = _score(2.0)
    delay: float = setting(
        "How late the greeting comes; 0 for at once.",
        2.0,
        unit="seconds",
        low=0,
        high=20,
    )


@frozen
class NullMX:
    """
    A sender whose domain says that it takes no mail, RFC 7505.
    """

    mode: str = _mode("enforce")
    action: str = _action("refuse")
    score: float = _score(5.0)


@frozen
class SenderDomain:
    """
    A sender whose domain has neither MX nor address: no answer would reach it.
    """

    mode: str = _mode("observe")
    action: str = _action("refuse")
    score: float = _score(3.0)
    on_error: str = _on_error()


@frozen
class Greylist:
    """
    Who comes for the first time is asked to come again.

    Networks that came back, senders that SPF proves and those on an allow list
    need not.
    """

    mode: str = _mode("off")
    domains: tuple[str, ...] = setting(
        'The hosted domains that want it; "*" for all.',
        ("*",),
        check=value.domain,
    )
    delay: float = setting(
        "How soon is too soon.", 300.0, unit="seconds", low=1, high=86400
    )
    window: float = setting(
        "How late is too late.", 172800.0, unit="seconds", low=60, high=31536000
    )
    kept: float = setting(
        "How long a network that came back is remembered.",
        3024000.0,
        unit="seconds",
        low=60,
        high=31536000,
    )
    enough: int = setting(
        "So many that came back let their whole network pass.", 2, low=1, high=1000
    )
    entries: int = setting("The most that is remembered.", 100000, low=10, high=10**7)


@frozen
class History:
    """
    What an address, and its network (/24 or /64), did before.

    A refusal, a mistake in SMTP and an unknown recipient are a point each, a
    virus is five; half of the points are forgotten after every half_life.
    """

    mode: str = _mode("observe")
    half_life: float = setting(
        "How fast it is forgotten.", 3600.0, unit="seconds", low=1, high=31536000
    )
    slow: float = setting(
        "So many points of an address make the greeting late.",
        20.0,
        unit="points",
        low=1,
        high=1e9,
    )
    delay: float = setting(
        "How late the greeting is then.", 5.0, unit="seconds", low=0, high=20
    )
    refuse: float = setting(
        "So many points of an address turn it away for a while.",
        60.0,
        unit="points",
        low=1,
        high=1e9,
    )
    network: float = setting(
        "A network may have so many times as many points.", 4.0, low=1, high=1e6
    )
    entries: int = setting("The most that is remembered.", 100000, low=10, high=10**7)


@frozen
class SourceList:
    """
    A list in the DNS.  Nobody's is asked unless it is written here.
    """

    zone: str = setting(
        "Where it is.", check=value.hostname, example='"dnsbl.example.org"'
    )
    tier: int = setting(
        "1 refuses whom it lists, 2 only scores.", 2, low=1, high=2, example="2"
    )
    score: float = _score(3.0)
    match: tuple[str, ...] = setting(
        "The answers that count.",
        ("127.0.0.0/16",),
        check=value.network,
        example='["127.0.0.2", "127.0.0.4/30"]',
    )
    kind: str = setting(
        '"allow" takes points off, and spares tier 1, greylisting and the wait.',
        "block",
        choices=("block", "allow"),
        example='"block"',
    )
    at: str = setting(
        'Where tier 1 refuses: "rcpt", where sender and recipient are written '
        'down, or "connect".',
        "rcpt",
        choices=("rcpt", "connect"),
        example='"rcpt"',
    )
    mode: str = _mode("enforce")
    on_error: str = _on_error()


@frozen
class Source:
    """
    The source of a connection is judged before it may bring mail (S2, S3).
    """

    exempt: tuple[str, ...] = setting(
        "Networks that are not judged: your own, and those you trust.",
        ("127.0.0.0/8", "::1/128"),
        check=value.network,
    )
    budget: float = setting(
        "How long a connection may wait for the DNS, all its tests together.",
        5.0,
        unit="seconds",
        low=0.1,
        high=60,
    )
    reverse_dns: ReverseDNS = table(ReverseDNS)
    forged: Forged = table(Forged)
    hello: Hello = table(Hello)
    early: Early = table(Early)
    null_mx: NullMX = table(NullMX)
    sender_domain: SenderDomain = table(SenderDomain)
    greylist: Greylist = table(Greylist)
    history: History = table(History)
    list: tuple[SourceList, ...] = field(default=())
