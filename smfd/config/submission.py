"""The settings of the door for our own people, and of logging in."""

from attrs import frozen

from smfd.config import value
from smfd.config.setting import setting


@frozen
class Submission:
    """
    Mail that our own users hand in, RFC 6409.

    Nobody is heard here without TLS and a login; without a certificate the
    door is closed. Sizes and deadlines are those of [mx].
    """

    listen: tuple[str, ...] = setting(
        "Addresses to listen on, with STARTTLS; systemd:NAME is a socket that "
        "systemd opened. None: closed.",
        ("0.0.0.0:587", "[::]:587"),
        check=value.listening,
    )
    listen_tls: tuple[str, ...] = setting(
        "Addresses where TLS begins at once (RFC 8314).",
        ("0.0.0.0:465", "[::]:465"),
        check=value.listening,
    )
    connections: int = setting("Connections at once, in all.", 1000, low=1, high=65535)
    connections_per_address: int = setting(
        "Connections at once from one address.", 50, low=1, high=65535
    )
    literals: tuple[str, ...] = setting(
        "Networks whose addresses users may write to, user@[192.0.2.1]; none: there "
        "is a domain behind every @.",
        (),
        check=value.network,
    )


@frozen
class Login:
    """
    How users log in, at whatever door.

    Guesses are bounded; who logged in from an address before has guesses of his
    own there, so that nobody can lock him out.
    """

    guesses: int = setting(
        "Wrong passwords a minute from one address, and for one account.",
        10,
        low=1,
        high=1000,
    )
    network_guesses: int = setting(
        "Wrong passwords a minute from one network: the /24 of an IPv4 address, the "
        "/64 of an IPv6 one.",
        30,
        low=1,
        high=10000,
    )
    home_guesses: int = setting(
        "Wrong passwords a minute from one address, for all accounts together whose "
        "owners logged in from there before.",
        30,
        low=1,
        high=10000,
    )
    tries: int = setting(
        "Wrong passwords in a connection; the last of them ends it.",
        3,
        low=1,
        high=100,
    )
    remembered: int = setting(
        "Addresses, networks and accounts that are remembered, each.",
        20000,
        low=100,
        high=10000000,
    )
    threads: int = setting(
        "Passwords that are hashed at once; each takes 64 MiB while it is.",
        2,
        low=1,
        high=64,
    )
    waiting: int = setting(
        "Logins that wait for that; one more is told to come later.",
        50,
        low=1,
        high=10000,
    )
    good_for: float = setting(
        "How long a password that was right need not be hashed again; 0: it always is.",
        60.0,
        unit="seconds",
        low=0,
        high=3600,
    )
