"""
A real clamd on a private socket, with a database that the test writes.

    clamd = RealClamd(folder)
    clamd.start()      # waits until it answers
    ...
    clamd.stop()

C{clamd.path} is its UNIX socket, C{clamd.port} its TCP port on 127.0.0.1.
"""

import hashlib
import socket
import subprocess
import time
from pathlib import Path

from smfd.content.specimen import test_virus

CLAMD = Path("/usr/sbin/clamd")


class RealClamd:
    """
    One clamd process.

    @ivar path: its UNIX socket.
    @ivar port: its TCP port.
    @ivar limit: its StreamMaxLength, in octets.
    """

    def __init__(self, folder: Path, limit: int = 4_000_000) -> None:
        self.folder = folder
        self.limit = limit
        self.path = folder / "clamd.ctl"
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write its files, start it and wait until it answers."""
        self._write()
        self._process = subprocess.Popen(
            [CLAMD, "--foreground", "--config-file", self.folder / "clamd.conf"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(600):
            if self._answers():
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        log = (self.folder / "clamd.log").read_text()
        self.stop()
        raise RuntimeError(f"clamd does not start:\n{log}")

    def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _write(self) -> None:
        """A configuration, and the test virus by its text and by its sum."""
        database = self.folder / "database"
        temporary = self.folder / "temporary"
        for new in (self.folder, database, temporary):
            new.mkdir(exist_ok=True)
        virus = test_virus()
        (database / "test.ndb").write_text(f"Test.Text:0:*:{virus.hex()}\n")
        digest = hashlib.md5(virus, usedforsecurity=False).hexdigest()
        (database / "test.hdb").write_text(f"{digest}:{len(virus)}:Test.Sum\n")
        (self.folder / "clamd.conf").write_text(
            f"LocalSocket {self.path}\n"
            f"TCPSocket {self.port}\n"
            "TCPAddr 127.0.0.1\n"
            f"DatabaseDirectory {database}\n"
            f"TemporaryDirectory {temporary}\n"
            f"LogFile {self.folder / 'clamd.log'}\n"
            f"StreamMaxLength {self.limit}\n"
            "MaxThreads 8\n"
            "Foreground yes\n"
        )

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(1)
                s.connect(str(self.path))
                s.sendall(b"nPING\n")
                return s.recv(16) == b"PONG\n"
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port
