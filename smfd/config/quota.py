"""The settings of how much our own users may send."""

from attrs import frozen

from smfd.config import value
from smfd.config.setting import setting, table

_NONE = "; 0 is no limit."


def _count(text: str, default: int, unit: str = "") -> int:
    found: int = setting(f"{text}{_NONE}", default, unit=unit, low=0, high=2**40)
    return found


def _sign(text: str, default: int) -> int:
    found: int = setting(
        f"{text} in 24 hours hold the account; 0 is never.",
        default,
        low=0,
        high=2**40,
    )
    return found


@frozen
class Redis:
    """
    Where several servers count together.

    While Redis is away each server counts alone, up to its share of the limits.
    """

    server: str = setting(
        "unix:/PATH or tcp:HOST:PORT; empty: each server counts for itself.",
        "",
        check=value.redis,
        example='"unix:/run/redis/redis-server.sock"',
    )
    password: str = setting("What Redis asks for, if it does.", "")
    database: int = setting("The number of the database.", 0, low=0, high=1_000_000)
    timeout: float = setting(
        "How long we wait for an answer.", 0.25, unit="seconds", low=0.01, high=10
    )
    boxes: int = setting(
        "How many servers share it: each counts alone to its share of the limits.",
        2,
        low=1,
        high=1000,
    )


@frozen
class Quota:
    """
    What each user may send, where smfdctl user limits says nothing of him, of
    his groups or of his domain.

    What is too much is refused for now (450 4.7.1, 452 4.5.3), and the reply says
    until when. All that a held account sends is accepted and kept in the
    quarantine, until somebody looks: smfdctl user held.
    """

    connections: int = _count("Logins in a minute", 60)
    rate: int = _count("Messages in a minute", 60)
    messages: int = _count("Messages in 24 hours", 1000)
    recipients: int = _count("Recipients in 24 hours", 3000)
    new_recipients: int = _count(
        "Recipients in 24 hours that the user never wrote to before", 500
    )
    # RFC 5321 §4.5.3.1.8 asks for 100.
    message_recipients: int = _count("Recipients of one message", 200)
    message_size: int = _count("Octets of one message", 0, "octets")
    hold_breaches: int = _sign(
        "So many times too much, of which ten minutes count one,", 12
    )
    hold_new_recipients: int = _sign("So many first-time recipients", 300)
    hold_networks: int = _sign("So many networks the user never came from before", 20)
    hold_identical: int = _sign("So many messages with a body that went before", 300)
    hold_unknown: int = _sign("So many recipients whom their servers do not know", 30)
    hold_unknown_share: int = setting(
        "But only when so many of a hundred recipients are unknown; 0 is never.",
        20,
        unit="percent",
        low=0,
        high=100,
    )
    hold_complaints: int = _sign("So many messages that recipients called spam", 5)
    redis: Redis = table(Redis)
