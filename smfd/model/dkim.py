"""The keys that mail of our domains is signed with."""

from typing import Any

from attrs import field, frozen

#: How we sign, with both at once (RFC 8463 §1); the name of each in a selector.
ALGORITHMS = ("rsa", "ed25519")

#: Where a key stands: its record is to be published before it is wanted; it
#: signs; it signs no more.
SPARE, ACTIVE, RETIRED = "spare", "active", "retired"

#: Seconds for which the record of a retired key stays in the DNS: what it
#: signed may be on its way for as long as that.
LINGERS = 7 * 86400.0


@frozen
class NewKey:
    """
    A key that belongs to nobody yet.

    @ivar algorithm: one of L{ALGORITHMS}.
    @ivar private: PKCS #8 in PEM.
    @ivar record: what its TXT record says.
    @ivar is_weak: others believe it, and not all of them for long.
    """

    algorithm: str
    private: str = field(repr=False)
    record: str
    is_weak: bool = False


@frozen
class DKIMKey:
    """
    A key of a domain, as people see it: without its private half.

    @ivar record: what the TXT record at its L{name} has to say.
    @ivar state: L{SPARE}, L{ACTIVE} or L{RETIRED}.
    @ivar activated: since when it signs, or None.
    @ivar retired: since when it signs no more, or None.
    """

    domain: str
    selector: str
    algorithm: str
    record: str
    state: str
    created: float
    activated: float | None = None
    retired: float | None = None

    @property
    def name(self) -> str:
        """Where its record is (RFC 6376 §3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"

    def due(self, age: float) -> float | None:
        """
        When another is to sign in its place, seconds since the epoch; or None.

        @param age: seconds for which a key signs; 0: for ever.
        """
        signs = self.state == ACTIVE and self.activated is not None and age > 0
        return self.activated + age if signs and self.activated else None

    def is_wanted(self, now: float) -> bool:
        """Whether its record has to be in the DNS."""
        return self.retired is None or now < self.retired + LINGERS


@frozen
class SigningKey:
    """
    A key that can sign.

    @ivar private: an object of C{cryptography}.
    """

    domain: str
    selector: str
    algorithm: str
    private: Any = field(repr=False)

    @property
    def is_rsa(self) -> bool:
        """Whether everybody knows its algorithm."""
        return self.algorithm == ALGORITHMS[0]
