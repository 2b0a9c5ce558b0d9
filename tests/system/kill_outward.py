"""
kill -9 at every write-class system call on the way out, R10 and R11.

Like L{tests.system.kill_points}, from the dot of a user's message to the end
of all it became: tried again, taken by some and refused by others, reported.
"""

from collections import Counter

from attrs import define, evolve, field, frozen

from smfd.store.ledger import FILE
from tests.system.kill_points import CALLS, MOST, attach, died
from tests.system.outward import ANN, Letter, Outward, addresses


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


@frozen
class Point:
    """
    A system call to be killed at.

    @ivar number: which of its kind, from 1.
    @ivar annex: by the process that fills mailboxes.
    @ivar ledger: on the ledger; the first thread to come to a number may be
        another's, which hides the first commits.
    """

    call: str
    number: int = 1
    annex: bool = False
    ledger: bool = False

    def __str__(self) -> str:
        whose = "-annex" if self.annex else "-ledger" if self.ledger else ""
        return f"{self.call}{whose}"


#: The first of each kind.
KINDS = (
    *(Point("fdatasync", ledger=True), Point("pwrite64", ledger=True)),
    *(Point(call) for call in CALLS),
    *(Point(call, annex=True) for call in CALLS),
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
        for kind in KINDS:
            if kind.annex and not shape.annex:
                continue
            # The ledger's calls are few, and each is a state of its own.
            for number in range(1, MOST, 1 if kind.ledger else step):
                if not self.point(shape, evolve(kind, number=number)):
                    break
        return self.points.total() - before

    def point(self, shape: Shape, point: Point) -> bool:
        """One kill; returns whether it came to it."""
        outward = self.outward
        house = outward.house
        outward.serve()
        # What an earlier kill left would count in ours.
        house.until(lambda: house.rests)
        word = f"{shape.domain}-{shape.octets}-{point}-{point.number}"
        people = addresses(word, shape.domain, shape.recipients)
        letter = Letter(word, shape.octets, people)
        victim = house.annex() if point.annex else house.pid
        path = outward.ledger.with_name(f"{FILE}-wal") if point.ledger else None
        with outward.house.login(ANN) as client:
            outward.envelope(client, letter)
            fault = f"signal=KILL:when={point.number}"
            tracer = attach(victim, point.call, fault, path)
            outward.message(client, letter)
            client.close()
        fired = died(house) or (point.annex and house.annex() != victim)
        tracer.terminate()
        tracer.wait(10)
        if fired:
            self.points[str(point)] += 1
            if not point.annex:
                outward.kill()
        return fired
