"""
kill -9 at every write-class system call on the way out, R10 and R11.

Like L{tests.system.kill_points}, from the dot of a user's message to the end
of all it became: tried again, taken by some and refused by others, reported.
"""

from collections import Counter
from itertools import product
from time import monotonic, sleep

from attrs import define, field, frozen

from tests.system.house import PATIENCE
from tests.system.kill_points import CALLS, MOST, attach
from tests.system.outward import Letter, Outward, addresses


@frozen
class Shape:
    """
    A message to try.

    @ivar domain: of its recipients, and so what becomes of it.
    @ivar annex: whether the process that fills mailboxes has a part in it.
    """

    name: str
    domain: str
    recipients: int = 1
    octets: int = 2_000
    annex: bool = False


SHAPES = (
    Shape("taken at once", "once"),
    Shape("taken at once, large", "once", octets=400_000),
    Shape("first 451", "later"),
    Shape("first 451 to half of them", "some", 4),
    Shape("one of three refused", "refused", 3, annex=True),
    Shape("first server dead", "dead"),
    Shape("hung up on after the dot", "hangs", 2),
)


@define
class Trial:
    """
    A daemon that is killed again and again.

    @ivar points: kills, by the call.
    """

    outward: Outward
    points: Counter[str] = field(factory=Counter)

    def points_of(self, shape: Shape, step: int = 1) -> int:
        """Every so many-th call of each kind; how many kills it were."""
        before = self.points.total()
        for annex, call in product((False, True)[: 1 + shape.annex], CALLS):
            for number in range(1, MOST, step):
                if not self.point(shape, call, number, annex):
                    break
        return self.points.total() - before

    def point(self, shape: Shape, call: str, number: int, annex: bool = False) -> bool:
        """One kill; returns whether it came to it."""
        outward = self.outward
        outward.serve()
        whose = "-annex" if annex else ""
        word = f"{shape.domain}-{shape.octets}-{call}-{number}{whose}"
        people = addresses(word, shape.domain, shape.recipients)
        letter = Letter(word, shape.octets, people)
        victim = outward.house.annex() if annex else outward.house.pid
        with outward.session() as client:
            outward.envelope(client, letter)
            tracer = attach(victim, call, f"signal=KILL:when={number}")
            outward.message(client, letter)
            client.close()
        fired = self._died() or (annex and outward.house.annex() != victim)
        tracer.terminate()
        tracer.wait(10)
        if fired:
            self.points[f"{call}{whose}"] += 1
            if not annex:
                outward.kill()
        return fired

    def _died(self) -> bool:
        """Whether the daemon was killed, now or while it finished its work."""
        end = monotonic() + PATIENCE
        house = self.outward.house
        assert house.process is not None
        while monotonic() < end:
            if house.process.poll() is not None:
                return True
            if self.outward.rests:
                # The record of the end rides a later commit.
                sleep(0.3)
                return house.process.poll() is not None
            sleep(0.05)
        raise AssertionError("it never came to rest")
