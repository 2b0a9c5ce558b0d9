"""
Whose mail it is: an address followed to where its mail ends.

Nothing is looked up here: who asks is told which address comes next, and
tells what is known of it.
"""

from collections.abc import Sequence

from attrs import define, field

from smfd.model.directory import Domain, Known


class Endless(Exception):
    """Mail for an address ends nowhere, or in too many places."""


@define
class Expansion:
    """
    Follows aliases and forwards, each address once.

    @ivar most: how many addresses may be looked at.
    @ivar deep: how many aliases may stand one behind the other.
    @ivar ends: where mail ends, by address in lower case.
    @ivar lost: addresses that something leads to, and nobody knows.
    """

    most: int = 1000
    deep: int = 10
    ends: dict[str, Known] = field(factory=dict, init=False)
    lost: list[str] = field(factory=list, init=False)
    _waiting: list[tuple[str, int]] = field(factory=list, init=False)
    _seen: set[str] = field(factory=set, init=False)

    def follow(self, *addresses: str, depth: int = 0) -> None:
        """
        Follow these too.

        @raise Endless: there are too many.
        """
        for address in addresses:
            key = address.lower()
            if key in self._seen:
                continue
            if len(self._seen) >= self.most:
                raise Endless(f"it stands for more than {self.most} addresses")
            self._seen.add(key)
            self._waiting.append((key, depth))

    def next(self) -> str | None:
        """The address to look up now; None when all ends are found."""
        return self._waiting[0][0] if self._waiting else None

    def tell(self, known: Known | None) -> None:
        """
        What is known of the L{next} address.

        @raise Endless: it is too deep or too wide.
        """
        address, depth = self._waiting.pop(0)
        if known is None:
            self.lost.append(address)
            return
        # What is forwarded to the world is judged as its own.
        if known.keep or known.beyond:
            self.ends.setdefault(known.address, known)
        if known.targets and depth >= self.deep:
            raise Endless(f"more than {self.deep} aliases one behind the other")
        self.follow(*known.targets, depth=depth + 1)

    def close(self) -> None:
        """
        All is told.

        @raise Endless: it goes round in a circle and ends nowhere.
        """
        if not self.ends and not self.lost:
            raise Endless("it leads back to itself")


def candidates(address: str, delimiter: str) -> tuple[str, ...]:
    """
    The addresses that may take its mail, the exact one first.

    @param address: C{local@domain}.
    @param delimiter: what a tag begins with, or "" for no tags.
    """
    local, at, name = address.rpartition("@")
    if not at or not local:
        return ()
    base = local.partition(delimiter)[0] if delimiter else local
    if not base or base == local:
        return (address,)
    return (address, f"{base}@{name}")


def risks(domain: Domain) -> Sequence[str]:
    """What a domain's settings put at risk, a sentence each (C16)."""
    said = []
    if domain.verify == "none":
        said.append(
            f"{domain.name}: recipients are not verified; mail for those that do not"
            " exist is accepted, and ends in its quarantine."
        )
    if domain.catch_all:
        said.append(
            f"{domain.name}: {domain.catch_all} gets the mail for every address that"
            " does not exist, and with it all that is guessed."
        )
    if not domain.scan_outbound:
        said.append(
            f"{domain.name}: what its users send to the world is not scanned for"
            " viruses."
        )
    return said
