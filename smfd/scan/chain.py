"""
The chain: the stages in the order of the road, each with a deadline.

It is a Deferred chain over L{IStage}.  A stage that fails, or is not done in
time, becomes an ERROR finding: the chain always reaches its end, and only the
policy decides what an error is worth.
"""

from collections.abc import Mapping, Sequence
from math import inf
from time import perf_counter

from attrs import field, frozen
from twisted.internet import defer
from twisted.internet.defer import Deferred, fail, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.interfaces import IStage
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Flow, Transaction
from smfd.net.fired import at_hand
from smfd.policy.flow import ROADS, Step
from smfd.policy.networks import network_of
from smfd.scan.patience import Patience
from smfd.scan.turns import Turns

#: What a stage found, now or later.
_Look = tuple[Finding, ...] | Deferred[tuple[Finding, ...]]


@frozen
class Chain:
    """
    Runs the stages a flow asks for and collects what they find.

    @ivar stages: those that are switched on, by name.
    @ivar patience: the seconds one stage may take.
    @ivar patiences: the same for some stages that differ.
    @ivar total: the seconds that all of them may take, and the wait for a turn,
        since the message was received.
    @ivar turns: how many messages are looked at at once, and who is next;
        without, all are.
    """

    stages: Mapping[str, IStage]
    patience: float
    clock: IReactorTime
    patiences: Mapping[str, float] = {}
    turns: Turns | None = None
    total: float = inf

    _waits: Patience = field(init=False)
    _roads: Mapping[Flow, Sequence[Step]] = field(init=False)

    _log = Logger()

    @_waits.default
    def _for_stages(self) -> Patience:
        return Patience(self.clock)

    @_roads.default
    def _with_stages(self) -> Mapping[Flow, Sequence[Step]]:
        """The steps of each flow that are switched on."""
        return {
            flow: [
                step for step in road if not self.stages.keys().isdisjoint(step.stages)
            ]
            for flow, road in ROADS.items()
        }

    def run(self, transaction: Transaction) -> Deferred[Transaction]:
        """
        Fires with the transaction and all its findings.

        Fails with L{Crowded <smfd.scan.turns.Crowded>} only, when it had to wait
        too long for its turn.
        """
        turns = self.turns
        if turns is None:
            return self._run(transaction)
        turn = turns.take(network_of(transaction.session.client))
        if at_hand(turn) is not None:
            return self._in_turn(None, transaction, turns)
        return turn.addCallback(self._in_turn, transaction, turns)

    def _in_turn(
        self, _: None, transaction: Transaction, turns: Turns
    ) -> Deferred[Transaction]:
        def done(result: Transaction | Failure) -> Transaction | Failure:
            turns.done()
            return result

        return self._run(transaction).addBoth(done)

    def _run(self, transaction: Transaction) -> Deferred[Transaction]:
        d: Deferred[Transaction] | None = None
        for step in self._roads[transaction.flow]:
            if d is not None:
                d.addCallback(self._step, step)
                continue
            done = self._step(transaction, step)
            if isinstance(done, Transaction):
                transaction = done
            else:
                d = done
        return succeed(transaction) if d is None else d

    def _step(
        self, transaction: Transaction, step: Step
    ) -> Transaction | Deferred[Transaction]:
        if not step.when(transaction):
            return transaction
        looks = [
            self._look(transaction, name) for name in step.stages if name in self.stages
        ]
        found = [look for look in looks if isinstance(look, tuple)]
        if len(found) == len(looks):
            return _add(found, transaction)
        later = [succeed(look) if isinstance(look, tuple) else look for look in looks]
        if len(later) == 1:
            return later[0].addCallback(lambda found: _add([found], transaction))
        return gatherResults(later).addCallback(_add, transaction)

    def _look(self, transaction: Transaction, name: str) -> _Look:
        stage, begun = self.stages[name], perf_counter()
        try:
            d = stage.scan(transaction)
        except Exception:
            d = fail()
        found = at_hand(d)
        if found is not None:
            return _timed(found[0], begun)
        if not d.called:
            self._waits.wait(d, self._left(transaction, name))
        return d.addCallbacks(
            _timed, self._broken, (begun,), errbackArgs=(transaction, stage.name)
        )

    def _left(self, transaction: Transaction, name: str) -> float:
        """Seconds that a stage may still take."""
        end = transaction.received + self.total
        patience = self.patiences.get(name, self.patience)
        return max(0.0, min(patience, end - self.clock.seconds()))

    def _broken(
        self, failure: Failure, transaction: Transaction, name: str
    ) -> tuple[Finding, ...]:
        if failure.check(defer.TimeoutError, defer.CancelledError):
            why = f"the {name} stage was not done in time"
        else:
            why = f"the {name} stage failed"
        problem = f"{type(failure.value).__name__}: {failure.getErrorMessage()}"[:300]
        self._log.error(
            "{id}: {why}: {problem}", id=transaction.id, why=why, problem=problem
        )
        symbol = f"{name.upper()}_ERROR"
        return (Finding(name, symbol, Result.ERROR, None, why, problem),)


def _timed(found: Sequence[Finding], begun: float) -> tuple[Finding, ...]:
    """Note the stage's milliseconds on its first finding."""
    if not found:
        return ()
    ms = round((perf_counter() - begun) * 1000, 2)
    return (found[0].timed(ms), *found[1:])


def _add(looks: Sequence[Sequence[Finding]], transaction: Transaction) -> Transaction:
    """The transaction with what the stages of one step found."""
    found = [finding for look in looks for finding in look]
    return transaction.found(*found) if found else transaction
