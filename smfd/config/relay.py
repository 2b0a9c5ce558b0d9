"""The settings of what leaves for the world."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from attrs import field, frozen

from smfd.config import value
from smfd.config.setting import setting
from smfd.model.hop import ROUTE_POLICIES


@frozen
class Source:
    """
    An address of ours that mail goes out from.

    A domain sees the same one each time. Without any the system chooses. Where
    only IPv4 addresses are named, mail goes out by IPv4 only.
    """

    address: str = setting(
        "The IP address; this machine must have it.",
        check=value.ip,
        example='"192.0.2.1"',
    )
    hello: str = setting(
        "What we call ourselves there: the name that the address leads to, and that "
        "leads to it. Empty: [server] hostname.",
        "",
        check=value.hostname,
        example='"out1.example.org"',
    )
    carries: str = setting(
        'What goes out from it: "mail" of users, or "others": bounces and forwards, '
        "which are complained of. Where nothing carries others, mail does.",
        "mail",
        choices=("mail", "others"),
        example='"mail"',
    )


@frozen
class Route:
    """
    Mail for a domain goes to this server, and not to its MX.

    The domain itself wins over "*.example", that over "*".
    """

    domain: str = setting(
        'The domain, "*.example.org" for all below it, or "*" for all others.',
        check=value.domains,
        example='"*"',
    )
    to: str = setting(
        "The server.", check=value.smtp_url, example='"smtp://192.0.2.1:25"'
    )
    tls: str = setting(
        'How much TLS it must speak: "opportunistic" goes in the clear where TLS '
        'fails, "required" is encrypted, "verify" is the server that was meant. '
        '"dane" is the one that the TLSA records of its name say, and opportunistic '
        'where it has none; "dane-only" waits until it has some.',
        "dane",
        choices=ROUTE_POLICIES,
        example='"verify"',
    )
    username: str = setting(
        "Who we are there, if it wants to know. Needs TLS.", "", example='"us"'
    )
    password_file: str = setting(
        "A file with the password, readable by us alone.",
        "",
        example='"tls/smarthost.password"',
    )

    @property
    def name(self) -> str:
        """The domain as it is looked up."""
        return self.domain.rstrip(".").lower()

    @property
    def is_named(self) -> bool:
        """Whether the server has a name, and not only an address."""
        try:
            return not ip_address(urlsplit(self.to).hostname or "")
        except ValueError:
            return True


@frozen
class Relay:
    """
    Mail of our users to the world: to the servers that the DNS names.
    """

    port: int = setting(
        "The port that MX hosts are contacted on. Another than 25 is for trials: MX "
        "records may then lead to this machine.",
        25,
        low=1,
        high=65535,
    )
    connections: int = setting(
        "Connections to one server at once, whatever domains it serves.",
        20,
        low=1,
        high=1000,
    )
    messages: int = setting(
        "Messages that one connection is used for.", 100, low=1, high=10000
    )
    ipv6: bool = setting(
        "Whether servers are contacted by IPv6; false where this machine's IPv6 "
        "leads nowhere, or has no reverse DNS.",
        True,
    )
    own: tuple[str, ...] = setting(
        "Addresses that lead to us though this machine does not have them: those "
        "that a NAT or a balancer has for us. What would go there is a loop.",
        (),
        check=value.ip,
        example='["192.0.2.1"]',
    )
    networks_allowed: tuple[str, ...] = setting(
        "Networks that MX records may lead to though they are private, loopback or "
        "reserved. What the DNS of strangers says there is refused.",
        (),
        check=value.network,
        example='["10.0.0.0/8"]',
    )
    source: tuple[Source, ...] = field(default=())
    route: tuple[Route, ...] = field(default=())
