"""To wait for what somebody else waits for."""

from typing import TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


def ended(d: "Deferred[T]") -> "Deferred[None]":
    """Fires when another does, however that ends, and leaves its result alone."""
    end: Deferred[None] = Deferred()

    def done(result: T) -> T:
        end.callback(None)
        return result

    d.addBoth(done)
    return end
