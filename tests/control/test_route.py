"""Tests for L{smfd.control.route}."""

from typing import Any

from attrs import evolve

from smfd.control import route
from tests.control.building import OPERATOR, HouseTestCase


class HostedTests(HouseTestCase):
    """Where mail goes that does not go to the world."""

    async def test_hosted(self) -> None:
        """Nobody reads that mail for a hosted domain comes back: it stays here."""
        nowhere: Any = object()
        house = evolve(await self.build(), rehearsal=nowhere)
        for show in (route.show, route.attempt):
            await self.assert_refused(
                "conflict", show(house, OPERATOR, domain="HOME.example")
            )
