"""The settings of what goes on to the servers of hosted domains."""

from attrs import frozen

from smfd.config.setting import setting


@frozen
class Onward:
    """
    Mail for hosted domains whose mailboxes are elsewhere: kinds lmtp and relay.

    What is said of time holds for the servers of the world too.
    """

    connections: int = setting("Connections to one next hop.", 4, low=1, high=100)
    connect_timeout: float = setting(
        "How long we wait for a connection.", 30.0, unit="seconds", low=1, high=300
    )
    # RFC 5321 §4.5.3.2: five minutes, and ten for the end of a message.
    reply_timeout: float = setting(
        "How long we wait for the answers to our commands; 20 seconds more for "
        "each recipient of a message but the first.",
        300.0,
        unit="seconds",
        low=1,
        high=3600,
    )
    end_timeout: float = setting(
        "How long we wait for the answer to a whole message.",
        600.0,
        unit="seconds",
        low=1,
        high=3600,
    )
    message_timeout: float = setting(
        "How long a next hop may take for a whole message, until its answer.",
        1800.0,
        unit="seconds",
        low=1,
        high=86400,
    )
    # RFC 5321 §4.5.4.1.
    lifetime_days: float = setting(
        "How long a message is tried; then it is held as undeliverable.",
        5.0,
        unit="days",
        low=0.0,
        high=6.0,
    )
    authorities: str = setting(
        'PEM: who may sign the certificates of next hops with TLS policy "verify". '
        "Empty: whom the system believes.",
        "",
        example='"authorities.pem"',
    )
