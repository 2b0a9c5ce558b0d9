"""Passwords: made, judged, hashed where it delays nobody."""

import secrets
from typing import Any

from argon2 import PasswordHasher
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from smfd.model.directory import Refused

_SHORTEST = 8
_LONGEST = 256
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


class Passwords(Service):
    """
    Hashes passwords with argon2id.

    @param threads: how many at once; each takes 64 MiB while it works.
    """

    name = "passwords"

    def __init__(self, reactor: Any, threads: int = 2) -> None:
        self._reactor = reactor
        self._threads = threads
        self._hasher = PasswordHasher()
        self._pool: ThreadPool | None = None

    def startService(self) -> None:
        """Start; threads come when there is work."""
        self._pool = ThreadPool(0, self._threads, name="passwords")
        self._pool.start()
        super().startService()

    def stopService(self) -> None:
        """Finish the hashes in hand."""
        super().stopService()
        if self._pool is not None:
            self._pool.stop()
            self._pool = None

    def hashed(self, password: str) -> Deferred[str]:
        """The hash that the directory keeps."""
        if self._pool is None:
            raise RuntimeError("the hasher is not running")
        return deferToThreadPool(self._reactor, self._pool, self._hasher.hash, password)
