"""One call that is wanted at many times: the earliest of them counts."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime


@define(eq=False)
class Timer:
    """
    Rings once, at the earliest time that it was set to; then it can be set anew.

    @ivar ring: is called then.
    """

    clock: IReactorTime
    ring: Callable[[], object]
    _call: IDelayedCall | None = field(default=None, init=False)

    def within(self, seconds: float) -> None:
        """Ring after so many seconds, if not before."""
        call = self._call
        if call is None or not call.active():
            self._call = self.clock.callLater(seconds, self.ring)
        elif call.getTime() > self.clock.seconds() + seconds:
            call.reset(seconds)

    def stop(self) -> None:
        """Ring no more, until it is set again."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
