"""
Counters that several boxes share, in Redis (S24, C14).

Each box counts at home too, and nothing passes that is too much there.  When
Redis is away, it goes by that, to its share of the limit: never unlimited, and
never a hang.  What it grants meanwhile is told to
Redis when it is back.
"""

import json
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from attrs import evolve, frozen
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import implementer

from smfd.interfaces import ICounters
from smfd.net.redis import Away, Redis
from smfd.net.redis_script import SCRIPT
from smfd.policy.quota import FOREVER, METERS, MINUTE, Draw, Excess, Kind, Taken

T = TypeVar("T")

#: How many acts are remembered while Redis is away; the oldest are forgotten.
OWED = 10_000

#: How many of them anybody waits for; as long as there are more, Redis is away.
PAID = 20

_WINDOWS = tuple(Draw(meter) for meter in METERS if meter.kind is not Kind.BUCKET)
_ALL = tuple(Draw(meter) for meter in METERS)


@frozen
class _Act:
    """Something Redis has not heard of."""

    name: str
    account: str
    draws: Sequence[Draw]


@implementer(ICounters)
class RedisCounters(Service):
    """
    Asks Redis, and counts at home what it grants.

    @param local: counts for this box alone.
    @param boxes: how many share a limit.
    """

    name = "redis-counters"

    def __init__(self, redis: Redis, local: ICounters, boxes: int = 1) -> None:
        self._redis = redis
        self._local = local
        self._boxes = boxes
        self._owed: deque[_Act] = deque(maxlen=OWED)

    @property
    def trouble(self) -> str:
        """Whether each server counts alone."""
        if not self._redis.away:
            return ""
        return f"Redis is away: users may send 1/{self._boxes} of their limits here."

    def startService(self) -> None:
        """Open what is at home; Redis may come later."""
        super().startService()
        IService(self._local).startService()

    def stopService(self) -> "Deferred[Any]":
        """Leave Redis, then close what is at home."""
        super().stopService()
        self._redis.close()
        return maybeDeferred(IService(self._local).stopService)

    def spend(self, account: str, draws: Sequence[Draw]) -> Deferred[Taken | Excess]:
        """All of it or nothing, on all boxes."""
        return _to_the_end(self._spend(account, tuple(draws)))

    def refund(self, account: str, taken: Taken) -> Deferred[None]:
        """As if it had not been drawn."""
        return _to_the_end(self._refund(account, taken))

    def used(self, account: str) -> "Deferred[Mapping[str, float]]":
        """What the windows have, by meter; of this box, when Redis is away."""
        return _to_the_end(self._used(account))

    def reset(self, account: str) -> Deferred[None]:
        """Begin anew, here and there."""
        return _to_the_end(self._reset(account))

    async def _spend(self, account: str, draws: tuple[Draw, ...]) -> Taken | Excess:
        try:
            said = await self._ask("spend", account, draws)
        except Exception:
            return await self._alone(account, draws)
        found = _read(draws, said)
        if isinstance(found, Excess):
            return found
        # A Redis that was restarted may have forgotten what we know.
        home = await self._local.spend(account, _certain(draws))
        if isinstance(home, Excess):
            await self._tell("refund", account, found.draws)
            return home
        return found

    async def _alone(self, account: str, draws: tuple[Draw, ...]) -> Taken | Excess:
        mine = tuple(evolve(draw, most=self._share(draw.most)) for draw in draws)
        found: Taken | Excess = await self._local.spend(account, mine)
        if isinstance(found, Taken):
            self._owed.append(_Act("spend", account, _unlimited(draws)))
            return found
        # What is more than a share is not too much for ever: Redis comes back.
        wanted = next(draw for draw in draws if draw.meter == found.meter)
        fits = max(wanted.count, len(wanted.items)) <= wanted.most
        return evolve(found, wait=MINUTE) if fits and found.wait == FOREVER else found

    async def _refund(self, account: str, taken: Taken) -> None:
        await self._tell("refund", account, taken.draws)
        await self._local.refund(account, taken)

    async def _used(self, account: str) -> Mapping[str, float]:
        try:
            said = await self._ask("used", account, _WINDOWS)
        except Exception:
            found: Mapping[str, float] = await self._local.used(account)
            return found
        used = zip(_WINDOWS, said["used"], strict=True)
        return {draw.meter.name: count for draw, count in used}

    async def _reset(self, account: str) -> None:
        await self._tell("reset", account, _ALL)
        await self._local.reset(account)

    async def _tell(self, name: str, account: str, draws: Sequence[Draw]) -> None:
        """Tell Redis, now or later."""
        try:
            await self._ask(name, account, draws)
        except Exception:
            self._owed.append(_Act(name, account, draws))

    async def _ask(self, name: str, account: str, draws: Sequence[Draw]) -> Any:
        await self._pay()
        return await self._run(_Act(name, account, draws))

    async def _pay(self) -> None:
        """Tell Redis first what it has not heard of, in the order it was done."""
        for _ in range(PAID):
            if not self._owed:
                return
            act = self._owed.popleft()
            try:
                await self._run(act)
            except Exception:
                self._owed.appendleft(act)
                raise
        if self._owed:
            raise Away("it has not heard of everything yet")

    async def _run(self, act: _Act) -> Any:
        keys = [
            f"smfd:{{{act.account}}}:{draw.meter.name}{suffix}"
            for draw in act.draws
            for suffix in ("", ":seen")
        ]
        drawn = json.dumps([_written(draw) for draw in act.draws])
        return json.loads(await self._redis.run(SCRIPT, keys, act.name, drawn))

    def _share(self, most: float) -> float:
        return most if most == FOREVER else max(1, most // self._boxes)


def _to_the_end(doing: "Coroutine[Deferred[Any], Any, T]") -> Deferred[T]:
    """It is done whoever hangs up meanwhile: that is no failure of Redis."""
    done: Deferred[T] = Deferred()
    Deferred.fromCoroutine(doing).chainDeferred(done)
    return done


def _unlimited(draws: Sequence[Draw]) -> tuple[Draw, ...]:
    """The same, granted already."""
    return tuple(evolve(draw, most=FOREVER) for draw in draws)


def _certain(draws: Sequence[Draw]) -> tuple[Draw, ...]:
    """The same; but what was seen on other boxes only, is no news."""
    return tuple(evolve(d, most=FOREVER) if d.meter.sees else d for d in draws)


def _written(draw: Draw) -> dict[str, Any]:
    meter = draw.meter
    return {
        "kind": meter.kind.value,
        "seconds": meter.seconds,
        "kept": meter.kept,
        "most": -1 if draw.most == FOREVER else draw.most,
        "count": draw.count,
        "items": draw.items,
    }


def _read(draws: Sequence[Draw], said: Any) -> Taken | Excess:
    if "excess" in said:
        number, wait = said["excess"]
        draw = draws[number - 1]
        return Excess(draw.meter, draw.most, FOREVER if wait < 0 else wait)
    taken = zip(draws, said["taken"], strict=True)
    found = tuple(
        # An empty table of Lua is an object in JSON.
        (evolve(draw, count=int(count), items=tuple(new)), used)
        for draw, (count, used, new) in taken
    )
    return Taken(tuple(d for d, _ in found), tuple(used for _, used in found))
