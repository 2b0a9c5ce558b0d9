"""
The mail log: one event a line, for eyes, grep, logwatch and fail2ban.

C{TIME ID: key=value, key=value}: the id is the record's, the client's address
stands where the client cannot move it, and no value can start a new line, or
another value.  Lines are gathered and written by a thread, a batch at a time;
losing the last of them in a crash loses no mail, the ledger has it all.
"""

import os
import re
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from time import gmtime, strftime

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.logger import Logger

from smfd.store.threads import Threads

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

#: Seconds a line may wait for company.
PATIENCE = 0.2

#: The most characters of a value.
LONGEST = 300

#: Lines kept while the disk does not take them; then the oldest are dropped.
KEPT = 10_000


class IClock(IReactorTime, IReactorFromThreads):
    """What the log needs of a reactor."""


def shown(text: str) -> str:
    """A text as it may stand in a log line."""
    if text.isprintable():
        return text
    return _CONTROL.sub(lambda m: f"\\x{ord(m.group()):02x}", text)


class MailLog(Service):
    """
    Appends lines to a file, or to standard output.

    The file is opened for each batch: whoever rotates it needs no signal.
    Before the start and after the end a line is written at once.

    @ivar dropped: lines that nobody will read, the disk did not take them.
    """

    _log = Logger()

    def __init__(self, path: Path | None, reactor: IClock) -> None:
        """
        @param path: the file; None is standard output.
        """
        self._path = path
        self._reactor = reactor
        self._threads = Threads(reactor, "mail-log")
        self._waiting: deque[str] = deque()
        self._writing = False
        self._due: IDelayedCall | None = None
        self._second = (-1, "")
        self.dropped = 0

    def line(self, id: str, **values: object) -> None:  # noqa: A002 - its name
        """Log one event; empty values are left out."""
        text = ", ".join(
            [
                # A comma would begin what looks like a value of ours.
                f"{key}={str(value)[:LONGEST].replace(', ', '; ')}"
                for key, value in values.items()
                if value != "" and value is not None
            ]
        )
        self._waiting.append(f"{self._stamp()} {id}: {shown(text)}\n")
        if not self.running:
            self._append(self._take())
            return
        if len(self._waiting) > KEPT:
            self._waiting.popleft()
            self.dropped += 1
        self._expect()

    def startService(self) -> None:
        """Start the thread."""
        self._threads.start()
        super().startService()

    def stopService(self) -> None:
        """Write what is left."""
        super().stopService()
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._threads.stop()
        self._append(self._take())

    def _stamp(self) -> str:
        """The time now; its whole seconds are spelled once."""
        now = self._reactor.seconds()
        second, spelled = self._second
        if second != int(now):
            second, spelled = int(now), strftime("%Y-%m-%dT%H:%M:%S", gmtime(now))
            self._second = (second, spelled)
        return f"{spelled}.{int(now * 1e3) % 1000:03}Z"

    def _expect(self) -> None:
        """Write soon; while a batch is being written, the next waits for it."""
        if self._due is None and not self._writing and self.running:
            self._due = self._reactor.callLater(PATIENCE, self._flush)

    def _take(self) -> Sequence[str]:
        lines, self._waiting = self._waiting, deque()
        return lines

    def _flush(self) -> None:
        self._due = None
        self._writing = True
        self._threads.run(self._append, self._take()).addBoth(self._written)

    def _written(self, _: object) -> None:
        self._writing = False
        if self._waiting:
            self._expect()

    def _append(self, lines: Sequence[str]) -> None:
        if not lines:
            return
        text = "".join(lines)
        try:
            if self._path is None:
                sys.stdout.write(text)
                sys.stdout.flush()
                return
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            with self._path.open("ab", buffering=0) as file:
                _write(file, text.encode())
        except OSError as problem:
            # R123: a full log disk does not stop the mail.
            self.dropped += len(lines)
            self._log.warn("the mail log was not written: {problem}", problem=problem)


def _write(file: FileIO, octets: bytes) -> None:
    """All of it or nothing: half a line would take the next one with it."""
    begin, rest = os.fstat(file.fileno()).st_size, memoryview(octets)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError:
        with suppress(OSError):  # of a pipe
            file.truncate(begin)
        raise
