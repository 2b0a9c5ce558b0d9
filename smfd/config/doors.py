"""The settings of what comes in and is kept."""

from attrs import field, frozen

from smfd.config import value
from smfd.config.setting import setting

MIB = 1024 * 1024


@frozen
class Server:
    """Who we are, and where we live."""

    hostname: str = setting(
        "The name in the greeting, in Received and in Authentication-Results; "
        "a name that has an address record. Empty: the machine's own name.",
        "",
        check=value.hostname,
        example='"mx.example.org"',
    )
    home: str = setting(
        "The folder with everything we keep. Empty: the folder of the settings file.",
        "",
        example='"/var/lib/smfd"',
    )
    imap: str = setting(
        "The server where users read their mail by IMAP over TLS, NAME or NAME:PORT: "
        "smfd has none. It is for smfdctl dns, which tells mail programs of it.",
        "",
        check=value.named_server,
        example='"imap.example.org"',
    )


@frozen
class MX:
    """
    Mail from the world for the hosted domains, RFC 5321.
    """

    listen: tuple[str, ...] = setting(
        "Addresses to listen on; systemd:NAME is a socket that systemd opened.",
        ("0.0.0.0:25", "[::]:25"),
        check=value.listening,
    )
    listen_tls: tuple[str, ...] = setting(
        "Addresses where TLS begins at once, without STARTTLS.",
        (),
        check=value.listening,
        example='["0.0.0.0:2525", "[::]:2525"]',
    )
    proxy: tuple[str, ...] = setting(
        "Networks of proxies that say by the PROXY protocol, version 1 or 2, whose "
        "connection they bring. Whoever comes from there without is cut off.",
        (),
        check=value.network,
        example='["10.0.0.0/8"]',
    )
    connections: int = setting("Connections at once, in all.", 3000, low=1, high=65535)
    connections_per_address: int = setting(
        "Connections at once from one address.", 50, low=1, high=65535
    )
    exempt: tuple[str, ...] = setting(
        "Networks that [limits] and connections_per_address do not count.",
        ("127.0.0.0/8", "::1/128"),
        check=value.network,
    )
    # RFC 5321 §4.5.3.1.4 asks for 512 and extensions add to it.
    command_line: int = setting(
        "The longest command line.", 2048, unit="octets", low=1024, high=65536
    )
    header_size: int = setting(
        "The largest header of a message.",
        262144,
        unit="octets",
        low=16384,
        high=4 * MIB,
    )
    header_fields: int = setting(
        "The most header fields of a message.", 2000, low=100, high=20000
    )
    # RFC 5321 §4.5.3.1.8.
    recipients: int = setting(
        "The most recipients of a message.", 1000, low=100, high=50000
    )
    message_size: int = setting(
        "The largest message, as SIZE announces it (RFC 1870).",
        50 * MIB,
        unit="octets",
        low=65536,
        high=2048 * MIB,
    )
    errors: int = setting(
        "Refused commands in a connection before it is closed.", 10, low=1, high=1000
    )
    junk: int = setting(
        "Commands in a connection that bring no mail nearer (NOOP, RSET, VRFY) "
        "before it is closed.",
        100,
        low=1,
        high=100000,
    )
    # RFC 5321 §4.5.3.2 asks for five minutes and, within data, three.
    command_timeout: float = setting(
        "How long a client may take for a command.",
        300.0,
        unit="seconds",
        low=1,
        high=3600,
    )
    data_timeout: float = setting(
        "How long a client may be silent within a message.",
        180.0,
        unit="seconds",
        low=1,
        high=3600,
    )
    message_timeout: float = setting(
        "How long a client may take for a whole message.",
        1800.0,
        unit="seconds",
        low=1,
        high=86400,
    )
    memory: int = setting(
        "Memory for messages on their way in, over all connections; "
        "when it is used up, mail is answered 452.",
        256 * MIB,
        unit="octets",
        low=MIB,
        high=65536 * MIB,
    )


@frozen
class LMTP:
    """
    Mail from hosts of ours that hand it over for the hosted domains, RFC 2033.

    Each recipient has a reply of his own. Sizes, errors and deadlines are those
    of [mx].
    """

    listen: tuple[str, ...] = setting(
        "Addresses to listen on; unix:PATH is a UNIX socket, systemd:NAME one that "
        "systemd opened. None: the door is closed. Never port 25.",
        (),
        check=value.lmtp,
        example='["127.0.0.1:24", "unix:run/lmtp.sock"]',
    )
    networks: tuple[str, ...] = setting(
        "Who may come; whoever may open a UNIX socket may always.",
        ("127.0.0.0/8", "::1/128"),
        check=value.network,
    )
    connections: int = setting("Connections at once.", 100, low=1, high=65535)
    vouched: bool = setting(
        "Hosted senders are believed here. Only for hosts that take such mail from "
        "nobody but its authenticated senders; else every forgery passes.",
        False,
    )


@frozen
class SNI:
    """
    Another certificate, for clients that ask for one of its names, RFC 6066.

    The names are those in the certificate. Clients that ask for none of them
    get the one of [tls].
    """

    certificate: str = setting(
        "The certificate and its chain, PEM.",
        check=value.path,
        example='"tls/example.org/cert.pem"',
    )
    key: str = setting(
        "Its private key, PEM.", check=value.path, example='"tls/example.org/key.pem"'
    )


@frozen
class TLS:
    """
    The certificate of STARTTLS, RFC 3207.  Both empty: no STARTTLS.
    """

    certificate: str = setting("The certificate and its chain, PEM.", "tls/cert.pem")
    key: str = setting("Its private key, PEM, readable by us alone.", "tls/key.pem")
    ask_clients: bool = setting(
        "Ask clients for a certificate, and write down whose it was. Nobody is "
        "turned away for his; sessions are not resumed then.",
        False,
    )
    client_authorities: str = setting(
        "Whose signature makes a client's certificate a verified one, PEM. Empty: "
        "none is.",
        "",
        example='"/etc/ssl/certs/ca-certificates.crt"',
    )
    sni: tuple[SNI, ...] = field(default=())


@frozen
class Store:
    """What is on the disk."""

    inline: int = setting(
        "Bodies up to this ride in the ledger; larger ones are files in the spool.",
        131072,
        unit="octets",
        low=0,
        high=4 * MIB,
    )
    minimum_free: int = setting(
        "Disk space that mail must leave free; below it, mail is answered 452.",
        256 * MIB,
        unit="octets",
        low=0,
        high=2**50,
    )
    retention_days: int = setting(
        "How long decision records and held messages are kept; then they are deleted,"
        " looked at or not.",
        30,
        unit="days",
        low=1,
        high=3650,
    )


@frozen
class Log:
    """Logs."""

    mail: str = setting(
        'The mail log, one event a line; "-" is standard output.',
        "log/mail.log",
        check=value.path,
    )


@frozen
class Control:
    """The door of smfdctl."""

    socket: str = setting(
        "The UNIX socket that smfdctl speaks to; who may open it is the operator.",
        "run/control.sock",
        check=value.path,
    )
