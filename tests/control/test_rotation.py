"""Tests for L{smfd.control.rotation}, with a name server."""

from typing import Any, cast

from attrs import evolve
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher

from smfd.control import dkim, dns, rotation
from smfd.control.house import House
from smfd.control.rotation import PROVEN, ROUND, Rotation, Terms
from smfd.control.status import status
from smfd.delivery.signer import Signer
from smfd.model.dkim import ACTIVE, LINGERS, RETIRED, SPARE, DKIMKey
from smfd.net.dns import Resolver
from smfd.net.dns_afresh import Afresh
from smfd.store.directory_rows import SMFD
from tests.control.building import OPERATOR, HouseTestCase, reactor
from tests.dns_stub import NameServer

HOME = "home.example"
DAY = 86_400.0
AGE = 182 * DAY


class Time(Clock):
    """A clock that stands, and is read from by those who do not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.rightNow = reactor.seconds()


class RotationTests(HouseTestCase):
    """Half a year in the life of a domain's keys."""

    async def open(self, by_itself: bool = False, age: float = AGE) -> Rotation:
        """A domain with keys, and a DNS that has nothing of it."""
        house = await self.build()
        self.server = NameServer({}, ttl=0)
        self.server.start(reactor)
        self.addCleanup(self.server.stop)
        servers = [f"127.0.0.1:{self.server.port}"]
        resolver = Resolver(reactor, servers, timeout=5, lifetime=10)
        signer = Signer(house.dkim, reactor)
        signer.setServiceParent(self.services)
        self.time = Time()
        facts = evolve(house.facts, keys=Terms(age, by_itself))
        self.house: House = evolve(
            house,
            signer=signer,
            resolver=Afresh(resolver),
            facts=facts,
            clock=self.time,
        )
        await dkim.add(self.house, OPERATOR, name=HOME)
        assert self.house.rotation is not None
        return self.house.rotation

    async def keys(self, state: str) -> list[DKIMKey]:
        """The domain's keys in that state."""
        return [key for key in await self.house.dkim.keys(HOME) if key.state == state]

    async def publish(self, *states: str) -> None:
        """The DNS has the keys in these states, and no others."""
        self.server.zone.clear()
        for state in states:
            for key in await self.keys(state):
                self.server.zone[key.name] = {"TXT": [key.record.encode()]}

    async def warnings(self) -> str:
        """What C{status} warns of."""
        found = (await status(self.house, OPERATOR))["warnings"]
        return "\n".join(one for one in found if "sign" in one or "DKIM" in one)

    async def looked(self, turn: Rotation, seconds: float = 0.0) -> None:
        """Time passes, and a look comes."""
        self.time.advance(seconds)
        await turn.look()

    async def test_missing(self) -> None:
        """Keys that nobody finds are warned of, until they are published."""
        turn = await self.open()
        self.assertEqual("", await self.warnings())
        await self.looked(turn)
        said = await self.warnings()
        self.assertIn(
            f"do not find the DKIM keys that sign for {HOME}: dkim show", said
        )
        self.assertIn(f"does not have the spare DKIM keys of {HOME}", said)
        await self.publish(ACTIVE)
        await self.looked(turn)
        self.assertIn("spare", said := await self.warnings())
        self.assertNotIn("that sign", said)
        found = await dkim.show(self.house, OPERATOR, name=HOME)
        seen = {key["state"]: key["published"] for key in found["keys"]}
        self.assertEqual({ACTIVE: True, SPARE: False}, seen)
        await self.publish(ACTIVE, SPARE)
        await self.looked(turn)
        self.assertEqual("", await self.warnings())

    async def test_silence(self) -> None:
        """A resolver that does not answer ends no warning and begins none."""
        turn = await self.open()
        await self.publish(ACTIVE)
        await self.looked(turn)
        before = await self.warnings()
        self.assertIn("spare", before)
        for key in await self.house.dkim.keys(HOME):
            self.server.zone[key.name] = "servfail"
        await self.looked(turn, ROUND)
        self.assertEqual(before, await self.warnings())

    async def test_old(self) -> None:
        """After half a year everybody who looks is told, and nothing else happens."""
        log: list[LogEvent] = []
        observer = cast(ILogObserver, log.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        turn = await self.open()
        await self.publish(ACTIVE, SPARE)
        before = await self.house.dkim.keys(HOME)
        await self.looked(turn, AGE - 60)
        self.assertEqual("", await self.warnings())
        await self.looked(turn, 120)
        await self.looked(turn, 3 * PROVEN)
        self.assertIn(
            f"What signs for {HOME} does so since", said := await self.warnings()
        )
        self.assertIn(f"dkim rotate {HOME}.", said)
        page = await dkim.page(self.house, OPERATOR)
        late = {key["state"]: key["late"] for key in page["items"]}
        self.assertEqual({ACTIVE: True, SPARE: False}, late)
        shown = await dns.show(self.house, OPERATOR, name=HOME)
        self.assertIn(f"dkim rotate {HOME}.", shown["zone"].replace("\n; ", " "))
        checked = await dns.show(self.house, OPERATOR, name=HOME, check=True)
        fixes = {
            (one["verdict"], one["fix"])
            for one in checked["checks"]
            if one["what"] == "dkim"
        }
        wanted = f"It signs for long; dkim rotate {HOME}."
        self.assertEqual({("OK", ""), ("WARN", wanted)}, fixes)
        self.assertEqual(before, await self.house.dkim.keys(HOME))
        alarms = [line for line in map(formatEvent, log) if "ALARM" in line]
        self.assertEqual([f"ALARM: {said}"], alarms)

    async def test_by_itself(self) -> None:
        """Spare keys that the DNS has had for a day take over; it is written down."""
        turn = await self.open(by_itself=True)
        await self.publish(ACTIVE, SPARE)
        await self.looked(turn)
        spare = {key.selector for key in await self.keys(SPARE)}
        await self.looked(turn, AGE + 60)
        self.assertEqual(spare, {key.selector for key in await self.keys(ACTIVE)})
        acts = (await self.house.directory.acts(HOME)).items
        self.assertEqual((SMFD, "dkim rotate"), (acts[0].actor, acts[0].act))
        gone = await self.keys(RETIRED)
        stay = [key.is_wanted((key.retired or 0) + LINGERS - 1) for key in gone]
        self.assertEqual([True, True], stay, "the old ones stay for a week")
        # By the clock of the test they are old from the start; nobody has
        # published the next ones.
        for _ in range(3):
            await self.looked(turn, PROVEN)
        self.assertEqual(spare, {key.selector for key in await self.keys(ACTIVE)})
        self.assertIn(f"wait for the DNS: dkim show {HOME}.", await self.warnings())

    async def test_not_proven(self) -> None:
        """Nothing takes over that the DNS does not have, wholly, rightly, for long."""
        turn = await self.open(by_itself=True)
        before = {key.selector for key in await self.keys(ACTIVE)}
        first, second = await self.keys(SPARE)
        good: dict[str, Any] = {
            key.name: {"TXT": [key.record.encode()]} for key in (first, second)
        }
        self.time.advance(AGE + 60)
        for name, zone in (
            ("nothing", {}),
            ("one of two", {first.name: good[first.name]}),
            ("another key", {**good, second.name: good[first.name]}),
            ("two records", {**good, second.name: {"TXT": [b"v=DKIM1; p=", b"x"]}}),
            ("no answer", {**good, second.name: "servfail"}),
        ):
            self.server.zone.clear()
            self.server.zone.update(zone)
            await self.looked(turn)
            await self.looked(turn, 2 * PROVEN)
            signing = {key.selector for key in await self.keys(ACTIVE)}
            self.assertEqual(before, signing, name)
        self.server.zone.clear()
        self.server.zone.update(good)
        await self.looked(turn)
        await self.looked(turn, PROVEN - 60)
        # One look without it, and the day begins again.
        self.server.zone.pop(second.name)
        await self.looked(turn, 30)
        self.server.zone[second.name] = good[second.name]
        await self.looked(turn, 60)
        self.assertEqual(before, {key.selector for key in await self.keys(ACTIVE)})
        self.server.zone[second.name] = "servfail"
        await self.looked(turn, PROVEN)
        self.assertEqual(before, {key.selector for key in await self.keys(ACTIVE)})
        self.server.zone[second.name] = good[second.name]
        await self.looked(turn)
        signing = {key.selector for key in await self.keys(ACTIVE)}
        self.assertEqual({first.selector, second.selector}, signing)

    async def test_no_spare(self) -> None:
        """A domain that lacks a spare key is given one, and goes on with both kinds."""
        turn = await self.open(by_itself=True)
        (rsa,) = [key for key in await self.keys(SPARE) if key.algorithm == "rsa"]
        await self.house.dkim.retire(HOME, rsa.selector, actor="uid:test")
        await self.publish(ACTIVE, SPARE)
        kinds = await self.assert_refused(
            "conflict", dkim.rotate(self.house, OPERATOR, name=HOME)
        )
        self.assertEqual("There is no spare key of rsa.", kinds)
        await self.looked(turn)
        before = {key.selector for key in await self.keys(ACTIVE)}
        kinds_ = sorted(key.algorithm for key in await self.keys(SPARE))
        self.assertEqual(["ed25519", "rsa"], kinds_)
        act = (await self.house.directory.acts(HOME)).items[0]
        self.assertEqual((SMFD, "dkim add", "spare"), (act.actor, act.act, act.detail))
        await self.looked(turn, AGE + PROVEN)
        self.assertEqual(before, {key.selector for key in await self.keys(ACTIVE)})
        await self.publish(ACTIVE, SPARE)
        await self.looked(turn)
        await self.looked(turn, PROVEN)
        kinds_ = sorted(key.algorithm for key in await self.keys(ACTIVE))
        self.assertEqual(["ed25519", "rsa"], kinds_)
        self.assertFalse(before & {key.selector for key in await self.keys(ACTIVE)})

    async def test_for_ever(self) -> None:
        """Where no age is set, nothing is said of it."""
        turn = await self.open(by_itself=True, age=0.0)
        await self.publish(ACTIVE, SPARE)
        await self.looked(turn)
        await self.looked(turn, 10 * AGE)
        self.assertEqual("", await self.warnings())
        self.assertEqual(2, len(await self.keys(SPARE)))

    async def test_many(self) -> None:
        """Each round takes some domains, and what is gone is forgotten."""
        self.patch(rotation, "SOME", 2)
        turn = await self.open()
        names = [f"d{n}.example" for n in range(4)]
        pairs = [await turn.signer.make() for _ in range(2)]
        for name in names:
            await self.house.directory.add_domain(name, actor="uid:test")
            await self.house.dkim.add(name, pairs, actor="uid:test")
        await self.looked(turn)
        self.assertIn("d0.example, d1.example: dkim", said := await self.warnings())
        self.assertNotIn("d2", said)
        await self.looked(turn)
        await self.looked(turn)
        self.assertIn(f"d3.example, {HOME}: dkim", await self.warnings())
        await self.house.directory.remove_domain("d1.example", True, actor="uid:test")
        await self.looked(turn)
        self.assertIn("d0.example, d2.example", await self.warnings())
        self.assertNotIn("d1", await self.warnings())

    async def test_hourly(self) -> None:
        """It begins an hour after the start, and ends with the service."""
        turn = await self.open()
        self.assertIn(turn, list(self.house.services()))
        turn.startService()
        (call,) = self.time.getDelayedCalls()
        self.assertEqual(ROUND, call.getTime() - self.time.seconds())
        turn.stopService()
        self.assertEqual([], self.time.getDelayedCalls())
        self.assertEqual([], self.server.asked)
