"""Answers that are there already."""

from typing import Any, TypeGuard, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


def is_deferred(answer: object) -> TypeGuard[Deferred[Any]]:
    """
    Whether an answer is one that comes later, perhaps.

    (L{Deferred} is an ABC: C{isinstance} would be Python's, not C's.)
    """
    return Deferred in type(answer).__mro__


def at_hand(answer: Deferred[T]) -> tuple[T] | None:
    """
    The value of a Deferred that has fired, in a tuple, for it may be None.

    To take it saves the callbacks, and those cost more than most of what they
    would do.

    @return: None when it is to come, or is a failure: add callbacks then.
    """
    # One that waits for another is paused.
    if not answer.called or answer.paused:
        return None
    result: Any = answer.result
    return None if isinstance(result, Failure) else (result,)
