"""Tests for L{smfd.control.sources}."""

from pathlib import Path
from typing import Any

from attrs import evolve

from smfd.config.load import read
from smfd.control import audit, sources
from smfd.control.house import House
from smfd.scan import source_known
from smfd.store.history import REFUSAL
from tests.control.building import OPERATOR, HouseTestCase, reactor

CLIENT, NETWORK = "192.0.2.7", "192.0.2.0/24"


def judging(house: House) -> source_known.Sources:
    """What a house knows of sources whose DNS nobody asks."""
    config = read("[server]\nhostname = 'mx.home.example'\n", Path("smfd.toml"))
    asks: Any = None
    hosted = house.directory.is_hosted
    return source_known.sources(config, asks, hosted, reactor)


class ForgetTests(HouseTestCase):
    """The past of an address is forgotten by somebody, and that is noted."""

    async def test_audit(self) -> None:
        """Whose past was forgotten, by whom, is in the audit."""
        house = await self.build()
        known, now = judging(house), reactor.seconds()
        known.history.count(REFUSAL, now, CLIENT, NETWORK)
        gone = await sources.forget(
            evolve(house, sources=known), OPERATOR, address=f"::ffff:{CLIENT}"
        )
        self.assertEqual((CLIENT, 2), (gone["address"], gone["forgotten"]))
        self.assertEqual(0, known.history.standing(CLIENT, now).points)
        (act,) = (await audit.page(house, OPERATOR, subject=CLIENT))["items"]
        self.assertEqual(
            ("uid:tester", "source forget", NETWORK),
            (act["actor"], act["act"], act["detail"]),
        )

    async def test_refused(self) -> None:
        """Nothing is noted of what is no address, or where no source is judged."""
        house = await self.build()
        before = (await audit.page(house, OPERATOR))["total"]
        asked = sources.forget(house, OPERATOR, address=CLIENT)
        await self.assert_refused("conflict", asked)
        house = evolve(house, sources=judging(house))
        asked = sources.forget(house, OPERATOR, address="mx.a.example")
        await self.assert_refused("invalid", asked)
        self.assertEqual(before, (await audit.page(house, OPERATOR))["total"])
