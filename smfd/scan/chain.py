"""
The chain: the stages in the order of the road, each with a deadline.

It is a Deferred chain over L{IStage}.  A stage that fails, or is not done in
time, becomes an ERROR finding: the chain always reaches its end, and only the
policy decides what an error is worth.
"""

from collections.abc import Mapping, Sequence
from time import perf_counter

from attrs import evolve, frozen
from twisted.internet import defer
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.interfaces import IStage
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Transaction
from smfd.policy.flow import ROADS, Step


@frozen
class Chain:
    """
    Runs the stages a flow asks for and collects what they find.

    @ivar stages: those that are switched on, by name.
    @ivar patience: the seconds one stage may take.
    @ivar patiences: the same for some stages that differ.
    """

    stages: Mapping[str, IStage]
    patience: float
    clock: IReactorTime
    patiences: Mapping[str, float] = {}

    _log = Logger()

    def run(self, transaction: Transaction) -> Deferred[Transaction]:
        """Fires with the transaction and all its findings; never fails."""
        d = succeed(transaction)
        for step in ROADS[transaction.flow]:
            if any(name in self.stages for name in step.stages):
                d.addCallback(self._step, step)
        return d

    def _step(
        self, transaction: Transaction, step: Step
    ) -> Transaction | Deferred[Transaction]:
        if not step.when(transaction):
            return transaction
        names = [name for name in step.stages if name in self.stages]
        looks = [self._look(transaction, name) for name in names]
        if len(looks) == 1:
            return looks[0].addCallback(_add, transaction)
        return gatherResults(looks).addCallback(
            lambda found: _add([f for some in found for f in some], transaction)
        )

    def _look(self, transaction: Transaction, name: str) -> Deferred[Sequence[Finding]]:
        stage, begun = self.stages[name], perf_counter()
        d: Deferred[Sequence[Finding]] = maybeDeferred(stage.scan, transaction)
        if not d.called:
            d.addTimeout(self.patiences.get(name, self.patience), self.clock)
        d.addErrback(self._broken, transaction, name)
        return d.addCallback(_timed, begun)

    def _broken(
        self, failure: Failure, transaction: Transaction, name: str
    ) -> Sequence[Finding]:
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


def _timed(found: Sequence[Finding], begun: float) -> Sequence[Finding]:
    """Note the stage's milliseconds on its first finding."""
    if not found:
        return found
    ms = round((perf_counter() - begun) * 1000, 2)
    return (evolve(found[0], ms=ms), *found[1:])


def _add(found: Sequence[Finding], transaction: Transaction) -> Transaction:
    return evolve(transaction, findings=(*transaction.findings, *found))
