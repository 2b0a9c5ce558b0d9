"""
Whose server a host is: the few who take most of the world's mail, by name.

All hosts of a provider share one opinion of us, so what is counted, and how
fast we are, is by provider.
"""

from collections.abc import Iterable

from attrs import define, field, frozen


@frozen
class Provider:
    """
    One who runs mail servers for many domains.

    @ivar hosts: the domains that the names of the servers end in.
    @ivar connections: how many at once; 0: as many as anybody.
    @ivar per_minute: messages from one of our addresses; 0: no limit.
    """

    name: str
    hosts: tuple[str, ...]
    connections: int = 0
    per_minute: float = 0.0


#: Those whose limits and habits are known.  They are careful guesses: nobody
#: publishes numbers, and what is too fast slows us down by itself.
PROVIDERS = (
    Provider("google", ("google.com", "googlemail.com", "smtp.goog"), 20),
    Provider("microsoft", ("outlook.com", "hotmail.com", "mx.microsoft"), 20),
    Provider("yahoo", ("yahoodns.net", "yahoo.com", "aol.com"), 5, 300),
    Provider("icloud", ("icloud.com", "apple.com"), 5, 300),
    Provider(
        "gmx",
        ("gmx.net", "web.de", "mail.com", "kundenserver.de", "ionos.com", "1and1.com"),
        5,
        300,
    ),
    Provider("t-online", ("t-online.de",), 5, 120),
    Provider("orange", ("orange.fr", "wanadoo.fr"), 2, 60),
    Provider("free", ("free.fr",), 2, 60),
    Provider("laposte", ("laposte.net",), 2, 60),
    Provider("comcast", ("comcast.net",), 5, 120),
    Provider("proofpoint", ("pphosted.com", "ppe-hosted.com"), 5),
    Provider("mimecast", ("mimecast.com", "mimecast-offshore.com"), 5),
    Provider("barracuda", ("barracudanetworks.com", "cudamail.com"), 5),
    Provider("cisco", ("iphmx.com",), 5),
    Provider("trendmicro", ("trendmicro.com", "trendmicro.eu"), 5),
    Provider("messagelabs", ("messagelabs.com",), 5),
    Provider("hornetsecurity", ("hornetsecurity.com", "antispameurope.com"), 5),
    Provider("zoho", ("zoho.com", "zoho.eu"), 5),
    Provider("yandex", ("yandex.ru", "yandex.net"), 5),
    Provider("mail.ru", ("mail.ru",), 5),
    Provider("fastmail", ("messagingengine.com",), 5),
    Provider("proton", ("protonmail.ch",), 5),
)

#: Second-level labels below which everybody has a name of his own.
_SHARED = frozenset(("ac", "co", "com", "edu", "gov", "ne", "net", "or", "org"))


@define
class Providers:
    """
    Knows whose a host is.

    @ivar known: the later stand for the earlier of the same name.
    """

    known: Iterable[Provider] = PROVIDERS
    _by_host: dict[str, Provider] = field(init=False)

    @_by_host.default
    def _hosted(self) -> dict[str, Provider]:
        by_name = {provider.name: provider for provider in self.known}
        return {host: one for one in by_name.values() for host in one.hosts}

    def of(self, host: str) -> Provider:
        """Whose it is; one who is not known is called by the host's domain."""
        name = host.rstrip(".").lower()[:253]
        rest = name
        while rest:
            found = self._by_host.get(rest)
            if found is not None:
                return found
            rest = rest.partition(".")[2]
        return Provider(_domain(name), ())


def _domain(host: str) -> str:
    labels = host.split(".")
    if len(labels) < 3 or labels[-1].isdigit() or ":" in host:
        return host
    many = 3 if labels[-2] in _SHARED and len(labels[-1]) == 2 else 2
    return ".".join(labels[-many:])
