"""Passwords: made, judged, hashed where it delays nobody."""

import os
import secrets
import sys
import threading
from contextlib import suppress
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from attrs import field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail

from smfd.control import hashes
from smfd.model.directory import Refused
from smfd.store.threads import Threads

_SHORTEST = 8
_LONGEST = 256
#: How much others go before who hashes.
_NICE = 10
#: No two signs that look alike.
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"


def generated() -> str:
    """A password nobody guesses: 99 bits."""
    groups = ("".join(secrets.choice(_SIGNS) for _ in range(5)) for _ in range(4))
    return "-".join(groups)


def acceptable(password: str) -> str:
    """The password, if it may be one."""
    if not _SHORTEST <= len(password) <= _LONGEST:
        raise Refused(
            "invalid",
            f"A password has {_SHORTEST} to {_LONGEST} characters.",
            "Leave it out to get one that nobody guesses.",
        )
    return password


def _give_way() -> None:
    """Work behind those that move mail; to Linux, a thread is a process."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


class Busy(Exception):
    """So many wait already that one more would wait too long."""


@frozen
class Judged:
    """
    What has come of holding a password against a hash.

    @ivar renewed: a hash of today, to be kept instead; "" when it is one.
    """

    right: bool
    renewed: str = field(default="", repr=False)


class Passwords(Service):
    """
    Hashes passwords with argon2id, and holds them against hashes.

    @param threads: how many at once; each takes 64 MiB while it works.
    @param waiting: how many may wait for a thread.
    @param reserve: how many more, of those that deserve it; as many by default.
    """

    name = "passwords"

    def __init__(
        self, reactor: Any, threads: int = 2, waiting: int = 50, reserve: int = 50
    ) -> None:
        self._threads = Threads(reactor, "passwords", threads)
        self._hasher = PasswordHasher()
        self._most = threads + waiting
        self._reserve = reserve
        self._asked = 0

    def startService(self) -> None:
        """Start; threads come when there is work."""
        self._threads.start()
        super().startService()

    def stopService(self) -> None:
        """Finish the hashes in hand."""
        super().stopService()
        self._threads.stop()

    def hashed(self, password: str) -> Deferred[str]:
        """The hash that the directory keeps."""
        return self._threads.run(self._hashed, password)

    def judge(
        self, stored: str, password: str, preferred: bool = False
    ) -> Deferred[Judged]:
        """
        Hold a password against a hash, or against none; fails with L{Busy}.

        A wrong one costs the same time whatever the hash is, and if there is
        none.

        @param preferred: it may have a place of the reserve.
        """
        if self._asked >= self._most + (self._reserve if preferred else 0):
            return fail(Busy())
        self._asked += 1
        done: Deferred[Judged] = Deferred()
        # Whoever does not wait for it any more still has it done.
        self._threads.run(self._judged, stored, password).addBoth(
            self._free
        ).chainDeferred(done)
        return done

    def _hashed(self, password: str) -> str:
        _give_way()
        return self._hasher.hash(password)

    def _free(self, result: Any) -> Any:
        self._asked -= 1
        return result

    def _judged(self, stored: str, password: str) -> Judged:
        _give_way()
        if hashes.is_argon(stored):
            right = self._is_of(stored, password)
            old = right and self._hasher.check_needs_rehash(stored)
            return Judged(right, self._hasher.hash(password) if old else "")
        right = hashes.matches(stored, password)
        # Of a wrong one too: who is asked must not be told apart by the time.
        made = self._hasher.hash(password)
        return Judged(right, made if right else "")

    def _is_of(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
