"""The settings of mail that waits for other servers."""

from attrs import frozen

from smfd.config.setting import setting


@frozen
class Queue:
    """
    Mail for other servers: how much goes at once, how long it is tried.

    A domain whose server is not there is tried again after a while, then after
    twice as long each time, up to a bound, and holds up no other.
    """

    connections: int = setting(
        "Connections to the servers of all other domains at once. Those that are "
        "slow, or not there, have a fourth of them.",
        200,
        low=4,
        high=5000,
    )
    connections_per_site: int = setting(
        "Connections to the servers of one domain at once: two at first, one more "
        "each time that all went well, half of them when it did not.",
        20,
        low=1,
        high=1000,
    )
    # RFC 5321 §4.5.4.1 would have half an hour; greylists want less at first.
    retry_first: float = setting(
        "When mail is tried again that could not be sent, or a server that was not "
        "there: twice as long each time, a tenth more or less.",
        300.0,
        unit="seconds",
        low=1.0,
        high=86_400.0,
    )
    retry_last: float = setting(
        "The longest that it waits between two tries.",
        14_400.0,
        unit="seconds",
        low=1.0,
        high=86_400.0,
    )
    warning_hours: float = setting(
        "When the sender hears that his message still waits; 0 is never.",
        4.0,
        unit="hours",
        low=0.0,
        high=96.0,
    )
    # RFC 5321 §4.5.4.1: at least four or five days.
    lifetime_days: float = setting(
        "How long mail to the world is tried; then its sender hears that it failed.",
        5.0,
        unit="days",
        low=0.0,
        high=30.0,
    )
    bounce_days: float = setting(
        "How long reports to senders are tried, and other mail from nobody.",
        2.0,
        unit="days",
        low=0.0,
        high=30.0,
    )
