"""
What we wrote on a message is written anew when it leaves later than it came.

A signature and a seal are good for as long as others find their key.  What was
held may leave long after its keys were rotated away.

What stands above the first Received of a message that we kept is ours.

Standards: RFC 6376 §3.6 (keys that are gone), RFC 8617 §5.1.
"""

from collections.abc import Mapping

from attrs import evolve, field, frozen

from smfd.content.arc import AAR, AMS, AS, may_add
from smfd.delivery.signer import Signer
from smfd.format.header import Field, Header
from smfd.model.entry import Entry

_RESULTS = "authentication-results"

#: What proves something by a key.
_PROOFS = ("dkim-signature", AS, AMS, AAR)


@frozen
class Renewal:
    """
    Signs, or seals, what was kept with its header lines of ours.

    @ivar header: that of the entry's body: as it was kept.
    """

    signer: Signer
    header: Header
    _ours: Mapping[str, list[Field]] = field(init=False)

    @_ours.default
    def _by_name(self) -> Mapping[str, list[Field]]:
        found: dict[str, list[Field]] = {}
        for one, name in zip(self.header.fields, self.header.names, strict=True):
            if name == "received":
                return found
            found.setdefault(name, []).append(one)
        # It was not taken by us: nothing is known to be ours.
        return {}

    async def of(self, entry: Entry) -> Entry:
        """
        The entry as if it had come today: what our users wrote is signed, what
        others wrote is sealed if it is forwarded.

        Where neither can be done it stays as it is.
        """
        bare = evolve(entry, cuts=self._proofs)
        if entry.account:
            made = await self.signer.signed(bare, self.header)
        else:
            made = await self.signer.sealed(bare, self.header, self._results)
        return made if made.top != bare.top else entry

    @property
    def _proofs(self) -> tuple[tuple[int, int], ...]:
        """Where those are that we gave before."""
        found = [one for name in _PROOFS for one in self._ours.get(name, ())]
        return tuple(sorted((one.start, one.end) for one in found))

    @property
    def _results(self) -> str:
        """What we found when it came; "" where that is no good for a seal."""
        said = b"".join(one.value for one in self._ours.get(_RESULTS, ()))
        results = said.decode("ascii", "replace").strip()
        chain = len(self.header.all(AS)) > len(self._ours.get(AS, ()))
        return results if may_add(chain, results) else ""
