"""
The mail log: one event a line, for eyes, grep, logwatch and fail2ban.

C{TIME ID: key=value, key=value}: the id is the record's, the client's address
stands where the client cannot move it, and no value can start a new line.
Lines are gathered and written by a thread; losing the last of them in a crash
loses no mail, the ledger has it all.
"""

import re
import sys
from pathlib import Path
from time import gmtime, strftime

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorThreads, IReactorTime
from twisted.logger import Logger

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

#: Seconds a line may wait for company.
PATIENCE = 0.2

#: Lines kept while the disk does not take them; then the oldest are dropped.
KEPT = 10_000


class IClock(IReactorTime, IReactorThreads):
    """What the log needs of a reactor."""


def shown(value: object, limit: int = 300) -> str:
    """A value as it may stand in a log line."""
    text = str(value)[:limit]
    return _CONTROL.sub(lambda m: f"\\x{ord(m.group()):02x}", text)


class MailLog(Service):
    """
    Appends lines to a file, or to standard output.

    The file is opened for each batch: whoever rotates it needs no signal.
    """

    _log = Logger()

    def __init__(self, path: Path | None, reactor: IClock) -> None:
        """
        @param path: the file; None is standard output.
        """
        self._path = path
        self._reactor = reactor
        self._waiting: list[str] = []
        self._due: IDelayedCall | None = None
        self.dropped = 0

    def line(self, id: str, **values: object) -> None:  # noqa: A002 - its name
        """Log one event; empty values are left out."""
        now = self._reactor.seconds()
        stamp = (
            strftime("%Y-%m-%dT%H:%M:%S", gmtime(now)) + f".{int(now * 1e3) % 1000:03}Z"
        )
        text = ", ".join(
            f"{key.rstrip('_')}={shown(value)}"
            for key, value in values.items()
            if value != "" and value is not None
        )
        self._waiting.append(f"{stamp} {id}: {text}\n")
        if self._due is None:
            self._due = self._reactor.callLater(PATIENCE, self._flush)

    def stopService(self) -> None:
        """Write what is left."""
        super().stopService()
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._append(self._take())

    def _take(self) -> str:
        if len(self._waiting) > KEPT:
            self.dropped += len(self._waiting) - KEPT
            del self._waiting[:-KEPT]
        lines, self._waiting = self._waiting, []
        return "".join(lines)

    def _flush(self) -> None:
        self._due = None
        self._reactor.callInThread(self._append, self._take())

    def _append(self, text: str) -> None:
        if not text:
            return
        try:
            if self._path is None:
                sys.stdout.write(text)
                sys.stdout.flush()
                return
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as problem:
            # R123: a full log disk does not stop the mail.
            self._log.warn("the mail log was not written: {problem}", problem=problem)
