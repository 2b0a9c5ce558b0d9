"""The demonstration sends what it says, and tells what it was told."""

import socketserver
import threading
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from smfd.ctl import main
from smfd.ctl.demo import come_to_rest, submit
from smfd.ctl.letters import letters


class _Server(socketserver.StreamRequestHandler):
    """Takes mail for everybody but nobody, and keeps what it took."""

    def handle(self) -> None:
        """One conversation."""
        self.wfile.write(b"220 mx.test ESMTP\r\n")
        while line := self.rfile.readline():
            verb = line.split()[0].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 Go on\r\n")
                taken = self.server.taken  # type: ignore[attr-defined]
                taken.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                self.wfile.write(b"250 2.0.0 Accepted id=0abc9z\r\n")
            elif b"nobody" in line:
                self.wfile.write(b"550 5.1.1 No such user id=0refused\r\n")
            else:
                self.wfile.write(b"221 Bye\r\n" if verb == b"QUIT" else b"250 OK\r\n")


class SubmitTests(SynchronousTestCase):
    """One message over SMTP."""

    def setUp(self) -> None:
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Server)
        self.taken: list[bytes] = []
        self.server.taken = self.taken  # type: ignore[attr-defined]
        serving = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        serving.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(serving.join)
        self.addCleanup(self.server.shutdown)

    def test_all(self) -> None:
        """Each sample arrives as it is; the one for nobody is refused at RCPT."""
        port = self.server.server_address[1]
        sent = [submit(letter, "127.0.0.1", port) for letter in letters()]
        self.assertEqual([250] * 5 + [550], [one.code for one in sent])
        self.assertEqual(["0abc9z"] * 5 + ["0refused"], [one.id for one in sent])
        self.assertEqual([one.letter.message for one in sent[:5]], self.taken)


class _Asked:
    """Answers with one document after another."""

    def __init__(self, *documents: dict[str, Any]) -> None:
        self.documents = list(documents)
        self.paths: list[str] = []

    def get(self, path: str) -> Any:
        """The next document."""
        self.paths.append(path)
        return self.documents.pop(0)


class RestTests(SynchronousTestCase):
    """Where a message ended."""

    def test_waits(self) -> None:
        """A recipient who is still due is asked for again."""
        moving = {"recipients": [{"address": "a", "state": "due"}]}
        done = {"recipients": [{"address": "a", "state": "delivered"}]}
        asked = _Asked(moving, done)
        self.assertEqual(done["recipients"], come_to_rest(asked, "0abc"))
        self.assertEqual(["/v1/trace/0abc"] * 2, asked.paths)

    def test_no_record(self) -> None:
        """A reply without an id is not asked about."""
        self.assertEqual([], come_to_rest(_Asked(), ""))


#: What makes a home a demonstration.
DEMO = """
[[dns.record]]
name = "demo.example"
type = "A"
value = "192.0.2.1"
"""


class VerbTests(SynchronousTestCase):
    """smfdctl demo."""

    def run_verb(self, text: str, verb: str) -> tuple[int, str]:
        """Exit code and all that is said, with these settings."""
        path = Path(self.mktemp())
        path.write_text(text)
        result = CliRunner().invoke(main, ["--config", str(path), "demo", verb])
        return result.exit_code, result.output

    def test_hints(self) -> None:
        """A newcomer is told what to type, and where mail goes."""
        code, said = self.run_verb('[mx]\nlisten = ["0.0.0.0:20025"]' + DEMO, "hints")
        self.assertEqual(0, code)
        self.assertIn("127.0.0.1 port 20025", said)
        self.assertIn("demo send", said)

    def test_not_running(self) -> None:
        """Without a server: try again, and how to start one."""
        code, said = self.run_verb('[mx]\nlisten = ["127.0.0.1:1"]' + DEMO, "send")
        self.assertEqual(75, code)
        self.assertIn("make run", said)
        self.assertIn("(Connection refused)", said)

    def test_no_demonstration(self) -> None:
        """Sample mail is not sent to a real server."""
        for verb in "hints", "send":
            code, said = self.run_verb('[mx]\nlisten = ["127.0.0.1:1"]', verb)
            self.assertEqual(1, code)
            self.assertIn("is no demonstration", said)

    def test_settings(self) -> None:
        """Broken settings are told as everywhere."""
        code, said = self.run_verb("[mx]\nx = 1\n", "send")
        self.assertEqual(1, code)
        self.assertIn(":2: mx.x:", said)
