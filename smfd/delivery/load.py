"""How much is on the way, counted as it comes and goes."""

from collections.abc import Sequence

from attrs import define

from smfd.model.entry import Consignment


@define(eq=False)
class Load:
    """
    Consignments in memory.

    @ivar whole: what this is a part of, counted with it.
    @ivar count: how many there are.
    @ivar octets: those of their bodies.
    """

    whole: "Load | None" = None
    count: int = 0
    octets: int = 0

    def add(self, consignment: Consignment) -> None:
        """One more."""
        self._change(1, consignment.octets)

    def remove(self, consignments: Sequence[Consignment]) -> None:
        """So many less."""
        self._change(-len(consignments), -sum(c.octets for c in consignments))

    def _change(self, count: int, octets: int) -> None:
        self.count += count
        self.octets += octets
        if self.whole is not None:
            self.whole._change(count, octets)
