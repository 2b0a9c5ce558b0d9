"""Passwords: made, judged, hashed where it delays nobody."""

import secrets
from typing import Any

from argon2 import PasswordHasher
from twisted.application.service import Service
from twisted.internet.defer import Deferred

from smfd.model.directory import Refused
from smfd.store.threads import Threads

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
        self._threads = Threads(reactor, "passwords", threads)
        self._hasher = PasswordHasher()

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
        return self._threads.run(self._hasher.hash, password)
