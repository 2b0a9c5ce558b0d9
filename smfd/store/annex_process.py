"""
The annex's own process: it calls what it is sent, in threads.

It has an interpreter, and an interpreter's lock, of its own, and no Twisted.
A frame is four octets, its length, and a pickle: C{(number, desk, most,
function, arguments)} comes, C{(number, well, value)} goes back in whatever
order they are done.  Both ends are ours: nothing from outside is unpickled.
"""

import fcntl
import gc
import os
import pickle
import socket
import struct
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from smfd.content.sandbox import die_with_parent

LENGTH = struct.Struct(">I")


class Annex:
    """The desks, each with threads of its own."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._desks: dict[str, ThreadPoolExecutor] = {}
        self._speaking = threading.Lock()

    def serve(self) -> None:
        """Until the other end is gone."""
        stream = self._connection.makefile("rb", buffering=1 << 16)
        while len(head := stream.read(LENGTH.size)) == LENGTH.size:
            frame = stream.read(LENGTH.unpack(head)[0])
            self._take(frame)

    def _take(self, frame: bytes) -> None:
        # Unpickled here and not in the desk's thread: it must know its desk.
        number, name, most, function, args = pickle.loads(frame)
        desk = self._desks.get(name)
        if desk is None:
            desk = self._desks[name] = ThreadPoolExecutor(most, name)
        desk.submit(self._do, number, function, args)

    def _do(self, number: int, function: object, args: tuple[object, ...]) -> None:
        try:
            value: object = function(*args)  # type: ignore[operator]
            answer = pickle.dumps((number, True, value), 5)
        except Exception as error:
            answer = _failed(number, error)
        try:
            with self._speaking:
                self._connection.sendall(LENGTH.pack(len(answer)) + answer)
        except OSError:
            # Nobody listens any more; the main thread is about to see it.
            return


def _failed(number: int, error: Exception) -> bytes:
    """An exception that arrives: one that cannot be pickled is told of."""
    try:
        answer = pickle.dumps((number, False, error), 5)
        pickle.loads(answer)
    except Exception:
        told = RuntimeError(f"{type(error).__name__}: {error}")
        return pickle.dumps((number, False, told), 5)
    return answer


def main() -> None:
    """Serve the socket whose descriptor is the first argument."""
    die_with_parent()
    try:
        lock = os.open(sys.argv[2], os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        # The home is gone, and our parent with it.
        return
    # One that our parent's predecessor left behind may be in a long sync.
    fcntl.flock(lock, fcntl.LOCK_EX)
    gc.freeze()
    Annex(socket.socket(fileno=int(sys.argv[1]))).serve()
    # Nobody waits for what is still being done, and all of it may be done
    # again.
    os._exit(0)


if __name__ == "__main__":
    main()
