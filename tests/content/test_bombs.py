"""Twenty bombs, each in a process that may be measured (R24)."""

import os
import resource
import time

from twisted.trial.unittest import SynchronousTestCase

from smfd.content.eicar import examine
from tests.content.bombs import bombs
from tests.content.test_eicar import HEAD, coded

#: What fits into what is unpacked at most is looked through, and is clean.
WHOLE = {"zip 1000:1", "zip of long names", "xz with a huge dictionary"}

#: Address space beyond what the test itself has, octets.
MEMORY = 256 << 20


def defused(message: bytes) -> str:
    """The answer to a message, from a process with little memory."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        answer = "died"
        try:
            with open("/proc/self/statm") as file:
                now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
            resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
            answer = examine(message, {})["answer"]
        finally:
            os.write(writer, answer.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        answer = said.read()
    os.waitpid(pid, 0)
    return answer


class BombTests(SynchronousTestCase):
    """They do not go off."""

    def test_all(self) -> None:
        """R24: within 10 s of processor time and 256 MB there is an answer."""
        count = 0
        for name, data in bombs():
            said = defused(HEAD + b"Content-Type: a/b\r\n" + coded(data))
            wanted = ("clean", "unknown") if name in WHOLE else ("unknown",)
            self.assertIn(said, wanted, name)
            count += 1
        self.assertEqual(20, count)

    def test_used_up(self) -> None:
        """When all that may be unpacked is, nothing more is: not even once."""
        begun = time.process_time()
        name, data = next(b for b in bombs() if b[0] == "zip of 20 of them")
        said = examine(HEAD + b"Content-Type: a/b\r\n" + coded(data), {})
        self.assertEqual("unknown", said["answer"], name)
        self.assertLess(time.process_time() - begun, 5)
