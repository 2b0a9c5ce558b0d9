"""The settings of how much a source may use."""

from attrs import frozen

from smfd.config.setting import setting, table

_MIB = 1024 * 1024
_NONE = "; 0 is no limit."


def _count(text: str, default: int, unit: str = "") -> int:
    found: int = setting(f"{text}{_NONE}", default, unit=unit, low=0, high=2**50)
    return found


def _a_minute(text: str, default: int) -> int:
    return _count(f"{text} in a minute", default)


def _octets(whose: str, default: int) -> int:
    text = f"Octets of messages on their way in at once, from {whose}"
    return _count(text, default * _MIB, "octets")


@frozen
class OfAddress:
    """What one address may do; connections at once are in [mx]."""

    rate: int = _a_minute("Connections", 120)
    messages: int = _a_minute("Messages", 300)
    recipients: int = _a_minute("Recipients", 2000)
    errors: int = _count(
        "Refused senders and recipients, and mistakes, within the window", 200
    )
    unknown: int = _count("Unknown recipients within the window", 50)
    octets: int = _octets("an address", 256)


@frozen
class OfNetwork:
    """What the /24 of an IPv4 address, or the /64 of an IPv6 one, may do."""

    connections: int = _count("Connections at once", 150)
    rate: int = _a_minute("Connections", 600)
    messages: int = _a_minute("Messages", 1200)
    recipients: int = _a_minute("Recipients", 6000)
    errors: int = _count(
        "Refused senders and recipients, and mistakes, within the window", 500
    )
    unknown: int = _count("Unknown recipients within the window", 150)
    octets: int = _octets("a network", 512)


@frozen
class OfDomain:
    """
    What the senders of one domain may do, wherever they come from.

    Anybody can name any domain: too low a limit lets a stranger use up that of
    a domain you want mail from.
    """

    messages: int = _a_minute("Messages", 3000)
    recipients: int = _a_minute("Recipients", 15000)


@frozen
class OfAll:
    """What all together may do; connections at once and memory are in [mx]."""

    rate: int = _a_minute("Connections", 12000)
    messages: int = _a_minute("Messages", 30000)
    recipients: int = _a_minute("Recipients", 150000)
    octets: int = _octets("all", 2048)


@frozen
class Stress:
    """
    What changes when connections or memory run short.

    Whoever is slow then makes room for who is not.
    """

    mode: str = setting(
        'When: "auto" by the share below, "always", or "never".',
        "auto",
        choices=("auto", "always", "never"),
    )
    share: int = setting(
        "The share of connections or of memory in use at which it begins.",
        80,
        unit="percent",
        low=1,
        high=100,
    )
    timeout: float = setting(
        "How long a client may take for a command, or be silent within a message.",
        10.0,
        unit="seconds",
        low=1,
        high=300,
    )
    errors: int = setting(
        "Refused commands in a connection before it is closed.", 1, low=1, high=1000
    )


@frozen
class Limits:
    """
    How much a source may use; [mx] exempt names networks that are not limited.

    What is too much is refused for now (421, 450 or 452 with 4.7.0) and can be
    found by the id in the reply.
    """

    window: float = setting(
        "The time in which errors and unknown recipients are counted.",
        600.0,
        unit="seconds",
        low=1,
        high=86400,
    )
    penalty: float = setting(
        "How long a source is not heard that had too many of those.",
        600.0,
        unit="seconds",
        low=1,
        high=86400,
    )
    remembered: int = setting(
        "Addresses, networks and domains that are remembered, each.",
        20000,
        low=100,
        high=10000000,
    )
    handshake_timeout: float = setting(
        "How long a TLS handshake may take.", 30.0, unit="seconds", low=1, high=300
    )
    data_rate: int = setting(
        "The least octets a second, on the average, within a message; 0 is no limit.",
        100,
        unit="octets",
        low=0,
        high=1_000_000,
    )
    data_grace: float = setting(
        "How long a message may be slower than that.",
        60.0,
        unit="seconds",
        low=1,
        high=3600,
    )
    scans: int = setting(
        "Messages that are scanned at once; the others wait in a queue in which "
        "each network has its turn.",
        16,
        low=1,
        high=10000,
    )
    scan_wait: float = setting(
        "How long a message may wait to be scanned; then it is answered 451.",
        30.0,
        unit="seconds",
        low=0.1,
        high=600,
    )
    address: OfAddress = table(OfAddress)
    network: OfNetwork = table(OfNetwork)
    domain: OfDomain = table(OfDomain)
    all: OfAll = table(OfAll)  # noqa: A003
    stress: Stress = table(Stress)
