"""
What has to be in the DNS for a domain, and why.

Standards: RFC 7208 (SPF), RFC 6376 §3.6 (DKIM), RFC 7489 §6.3 and §7.1
(DMARC), RFC 8461 §3.1 (MTA-STS), RFC 8460 §3 (TLS reports), RFC 6186 §3.4 and
RFC 8314 §5.1 (SRV), RFC 7672 §3.1 (TLSA).
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from ipaddress import ip_address

from attrs import frozen

from smfd.model.dkim import ACTIVE, RETIRED, SPARE, DKIMKey

#: RFC 8461 §3.2: how long others keep our policy, seconds.
_MAX_AGE = 604_800

#: Services as RFC 6186 and RFC 8314 name them.
SUBMISSIONS, SUBMISSION, IMAPS = "submissions", "submission", "imaps"

_STATES = {
    ACTIVE: "keys that sign",
    SPARE: "keys that will sign one day, and have to be known by then",
    RETIRED: "keys that signed; leave them until they are no longer listed",
}


@frozen
class Wanted:
    """
    One record.

    @ivar what: "mx", "spf", "dkim", ...: how it is judged.
    @ivar value: as a zone has it, names with their dot; "" when we cannot know.
    @ivar why: what it is for, a sentence.
    @ivar needed: mail suffers without it.
    @ivar plain: it can be published as it is; else somebody has to think first.
    @ivar late: what is to be done though it is right, a sentence; or "".
    """

    what: str
    name: str
    type: str  # noqa: A003
    value: str
    why: str
    needed: bool = True
    plain: bool = True
    late: str = ""


@frozen
class Service:
    """
    What mail programs find.

    @ivar name: L{SUBMISSIONS}, L{SUBMISSION} or L{IMAPS}.
    """

    name: str
    host: str
    port: int


@frozen
class Site:
    """
    A domain, and what we are to it.

    @ivar hostname: what we call ourselves.
    @ivar keys: those whose records have to be there.
    @ivar addresses: those of the host, as far as they are known.
    @ivar sources: those that mail goes out from, where they are named, each with
        what we call ourselves there.
    @ivar reports_to: the address that others' reports are read at; "" for that of
        the domain's postmaster.
    @ivar digest: SHA-256 of the key of our certificate, in hexadecimal; or "".
    @ivar late: the names of keys that are too old.
    @ivar services: those that there are.
    """

    domain: str
    hostname: str
    keys: Sequence[DKIMKey] = ()
    addresses: Sequence[str] = ()
    digest: str = ""
    sources: Sequence[tuple[str, str]] = ()
    reports_to: str = ""
    late: Collection[str] = ()
    services: Sequence[Service] = ()

    @property
    def policy(self) -> str:
        """The MTA-STS policy, to be served over HTTPS (RFC 8461 §3.2)."""
        return (
            "version: STSv1\r\nmode: enforce\r\n"
            f"mx: {self.hostname}\r\nmax_age: {_MAX_AGE}\r\n"
        )

    @property
    def policy_url(self) -> str:
        """Where (RFC 8461 §3.3)."""
        return f"https://mta-sts.{self.domain}/.well-known/mta-sts.txt"

    @property
    def policy_id(self) -> str:
        """Another for each policy (RFC 8461 §3.1)."""
        return hashlib.sha256(self.policy.encode()).hexdigest()[:20]

    @property
    def policy_record(self) -> str:
        """The record that promises it."""
        return f'_mta-sts.{self.domain}. TXT "v=STSv1; id={self.policy_id}"'

    @property
    def program(self) -> tuple[Service, Service] | None:
        """Where a mail program reads and where it hands in; None without both."""
        reading = [one for one in self.services if one.name == IMAPS]
        writing = [one for one in self.services if one.name != IMAPS]
        return (reading[0], writing[0]) if reading and writing else None

    @property
    def senders(self) -> tuple[str, ...]:
        """The addresses that mail goes out from."""
        named = [address for address, _ in self.sources]
        return tuple(dict.fromkeys(named or self.addresses))

    def wanted(self) -> Iterator[Wanted]:
        """All records, those of the host first."""
        yield from self._host()
        yield from self._mail()
        yield from self._reports()
        yield from self._programs()

    def _host(self) -> Iterator[Wanted]:
        host = self.hostname
        # Else it stands in another zone.
        own = f".{host}".endswith(f".{self.domain}")
        why = f"The address of this server; its PTR record must say {host}."
        for address in self.addresses or ("",):
            kind = "AAAA" if ":" in address else "A"
            plain = own and bool(address)
            yield Wanted("address", host, kind, address, why, plain=plain)
        yield from self._names()
        why = f"SPF for what {host} says of itself: bounces have no other sender."
        yield Wanted("host-spf", host, "TXT", "v=spf1 a -all", why, False, own)
        if self.digest:
            why = (
                "DANE: the certificate that port 25 has. Only in a zone that is signed"
                " (DNSSEC), and changed before the key is."
            )
            name, value = f"_25._tcp.{host}", f"3 1 1 {self.digest}"
            yield Wanted("tlsa", name, "TLSA", value, why, False, False)

    def _names(self) -> Iterator[Wanted]:
        """What our addresses are called, by themselves and by the DNS."""
        called = {address: self.hostname for address in self.addresses}
        called |= {address: name or self.hostname for address, name in self.sources}
        why = "What the addresses that mail goes out from are called, both ways."
        for address, name in called.items():
            if name != self.hostname:
                kind = "AAAA" if ":" in address else "A"
                yield Wanted("source", name, kind, address, why, plain=False)
            pointer = ip_address(address).reverse_pointer
            yield Wanted("ptr", pointer, "PTR", f"{name}.", why, plain=False)

    def _spf(self) -> str:
        named = [
            f"ip{ip_address(address).version}:{address}" for address, _ in self.sources
        ]
        return " ".join(["v=spf1", "mx", f"a:{self.hostname}", *named, "~all"])

    def _mail(self) -> Iterator[Wanted]:
        domain, host = self.domain, self.hostname
        why = "Mail for the domain comes here."
        yield Wanted("mx", domain, "MX", f"10 {host}.", why)
        why = "SPF: who sends for the domain. Add others who do, before ~all."
        yield Wanted("spf", domain, "TXT", self._spf(), why)
        for key in self.keys:
            why = f"DKIM: {_STATES[key.state]}."
            active = key.state == ACTIVE
            late = f"It signs for long; dkim rotate {domain}."
            yield Wanted(
                "dkim",
                key.name,
                "TXT",
                key.record,
                why,
                active,
                late=late if key.name in self.late else "",
            )

    def _reports(self) -> Iterator[Wanted]:
        domain = self.domain
        reader = self.reports_to or f"postmaster@{domain}"
        to = f"mailto:{reader}"
        why = (
            "DMARC: what others do with mail that only says it is from here. Begin"
            " with p=none if somebody else sends for the domain, too."
        )
        value = f"v=DMARC1; p=quarantine; rua={to}"
        yield Wanted("dmarc", f"_dmarc.{domain}", "TXT", value, why)
        yield from self._allowed(reader.rpartition("@")[2])
        why = "Others report to this address when TLS with us fails."
        value = f"v=TLSRPTv1; rua={to}"
        yield Wanted("tlsrpt", f"_smtp._tls.{domain}", "TXT", value, why, False)
        why = (
            "MTA-STS: others come with TLS or not at all. First a web server must have"
            f" the policy below at {self.policy_url}"
        )
        value = f"v=STSv1; id={self.policy_id}"
        name = f"_mta-sts.{domain}"
        yield Wanted("mta-sts", name, "TXT", value, why, False, plain=False)
        yield self._web("mta-sts", "The web server with that policy.")

    def _allowed(self, there: str) -> Iterator[Wanted]:
        """Whoever is sent a domain's reports must want them: RFC 7489 §7.1."""
        if there != self.domain:
            why = f"DMARC: {there} takes reports on others. It stands in its zone."
            name = f"{self.domain}._report._dmarc.{there}"
            yield Wanted("allowed", name, "TXT", "v=DMARC1", why, plain=False)

    def _web(self, label: str, why: str) -> Wanted:
        """A name for a web server, which may be another machine."""
        name, host = f"{label}.{self.domain}", f"{self.hostname}."
        return Wanted("web", name, "CNAME", host, why, False, plain=False)

    def _programs(self) -> Iterator[Wanted]:
        domain = self.domain
        why = "Where mail programs hand in and read mail."
        for one in self.services:
            name, value = f"_{one.name}._tcp.{domain}", f"0 1 {one.port} {one.host}."
            yield Wanted("srv", name, "SRV", value, why, False)
        if any(one.name == IMAPS for one in self.services):
            yield from self._absent()
        else:
            why = "smfd has no IMAP. If another server has, name it in [server] imap."
            name, value = f"_{IMAPS}._tcp.{domain}", f"0 1 993 imap.{domain}."
            yield Wanted("elsewhere", name, "SRV", value, why, False, plain=False)
        if self.program:
            why = "The web server with the settings of mail programs, below."
            yield self._web("autoconfig", why)
        why = "Who may issue certificates for the domain; name yours."
        value = '0 issue "letsencrypt.org"'
        yield Wanted("caa", domain, "CAA", value, why, False, plain=False)

    def _absent(self) -> Iterator[Wanted]:
        why = "There is none of these: RFC 6186 §3.4."
        for service in ("imap", "pop3", "pop3s"):
            name = f"_{service}._tcp.{self.domain}"
            yield Wanted("srv", name, "SRV", "0 0 0 .", why, False)
