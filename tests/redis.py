"""A real redis-server for tests, on a UNIX socket of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

_PROGRAM = "redis-server"


class RedisServer:
    """
    Runs from C{start} to C{stop}; what it had is gone then.

    @ivar place: where it listens, as the settings have it.
    """

    def __init__(self, password: str = "") -> None:
        # The path of a UNIX socket is short.
        self._folder = Path(tempfile.mkdtemp(prefix="smfd-redis-"))
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        self.place = f"unix:{self._folder}/s"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        socket = Path(self.place.removeprefix("unix:"))
        socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                *(_PROGRAM, "--port", "0", "--unixsocket", str(socket)),
                *("--save", "", "--appendonly", "no", "--dir", str(self._folder)),
                *(("--requirepass", self._password) if self._password else ()),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(500):
            if socket.exists():
                return
            time.sleep(0.01)
        raise AssertionError("redis-server does not listen")

    def pause(self) -> None:
        """It takes what it is told, and says nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """It is gone, without a word."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Leave nothing behind."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "RedisServer":
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)
