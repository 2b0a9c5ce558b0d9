"""The settings of how much our own users may send."""

from attrs import frozen

from smfd.config.setting import setting

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
    hold_breaches: int = _sign("So many times too much", 12)
    hold_new_recipients: int = _sign("So many first-time recipients", 300)
    hold_networks: int = _sign("So many networks the user never came from before", 20)
    hold_identical: int = _sign("So many messages with a body that went before", 300)
