"""The settings of what senders are told of their messages."""

from attrs import frozen

from smfd.config import value
from smfd.config.setting import setting


@frozen
class Bounce:
    """
    Reports to senders: not delivered, not delivered yet, delivered.

    They go to those whose message we took, and never to the null sender.
    """

    per_hour: int = setting(
        "Reports that one sender gets within an hour; further ones are not sent. "
        "A program that writes to ten thousand wrong addresses, or in somebody's "
        "name, must not fill a mailbox.",
        20,
        low=1,
        high=10_000,
    )
    gather: float = setting(
        "How long a report waits for other recipients of the message, to name "
        "them as well.",
        5.0,
        unit="seconds",
        low=0.0,
        high=600.0,
    )
    patience: float = setting(
        "How long at most it waits while others of them are just being tried: who "
        "writes to many gets few reports, and knows soon what failed.",
        60.0,
        unit="seconds",
        low=0.0,
        high=3600.0,
    )
    copies: str = setting(
        "Who gets a copy of each report that something was not delivered. Empty: "
        "nobody.",
        "",
        check=value.mailbox,
        example='"postmaster@example.org"',
    )
