"""Each try to hand mail on is a line of the mail log."""

import os
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.delivery.tries import Tries
from smfd.model.attempt import Attempt
from smfd.model.entry import State
from smfd.proto.reply import Reply, reply
from smfd.store.maillog import MailLog
from tests.delivery.world import letter


class TriesTests(SynchronousTestCase):
    """As Postfix writes it, so that what reads its logs reads ours."""

    def setUp(self) -> None:
        self.path = Path(os.path.abspath(self.mktemp()))
        clock = Clock()
        self.tries = Tries(MailLog(self.path, clock))  # type: ignore[arg-type]
        (self.letter,) = letter("u@far.test")

    def lines(self) -> list[str]:
        """What is in the log, without the times."""
        text = self.path.read_text()
        return [line.partition(" ")[2] for line in text.splitlines()]

    def test_lines(self) -> None:
        """Who, where, how long, and what was said."""
        entry = self.letter.entry_id
        delays = (1.0, 0.25, 0.5, 0.25)
        a = ("a.mx", "192.0.2.1", "", "TLSv1.3 dane")
        said = reply(250, "2.0.0", "taken")
        self.tries.note(
            Attempt(5.0, self.letter, *a, said, "", State.DELIVERED, delays, 25)
        )
        said = reply(450, "4.2.1", "later, please")
        self.tries.note(Attempt(5.0, self.letter, *a, said, "", State.DUE, delays, 25))
        said = reply(550, "", "no")
        self.tries.note(
            Attempt(5.0, self.letter, *a, said, "", State.FAILED, delays, 25)
        )
        self.tries.note(Attempt(5.0, self.letter, "", why="no such domain"))
        why, gone = "550 5.1.2: it is not there", State.FAILED
        self.tries.note(
            Attempt(5.0, self.letter, "", why=why, state=gone, status="5.1.2")
        )
        own = "it hung up"
        self.tries.note(Attempt(5.0, self.letter, "", answer=said, why=own))
        self.tries.note(Attempt(5.0, self.letter, ""))
        begin = f"{entry}: to=<u@far.test>, relay=a.mx[192.0.2.1]:25, delay=2.00, "
        begin += "delays=1.00/0.25/0.50/0.25, tls=TLSv1.3 dane, "
        none = f"{entry}: to=<u@far.test>, relay=none, delay=0.00, "
        self.assertEqual(
            [
                begin + "dsn=2.0.0, status=sent (250 2.0.0 taken)",
                begin + "dsn=4.2.1, status=deferred (450 4.2.1 later; please)",
                begin + "dsn=5.0.0, status=bounced (550 no)",
                none + "dsn=4.0.0, status=deferred (no such domain)",
                none + f"dsn=5.1.2, status=bounced ({why})",
                none + "dsn=4.0.0, status=deferred (it hung up)",
                none + "dsn=4.0.0, status=deferred ()",
            ],
            self.lines(),
        )

    @settings(max_examples=50)
    @given(st.text(max_size=600), st.text(max_size=100))
    @example("no, status=sent (x)\r\n", "a, status=sent (x) [\x1b")
    def test_hostile(self, text: str, host: str) -> None:
        """Whatever a server says or is called, it is one line and no value of ours."""
        self.path.unlink(missing_ok=True)
        answer = Reply(550, "5.1.1", (text,))
        self.tries.note(Attempt(5.0, self.letter, host, "", "", "", answer))
        (line,) = self.lines()
        self.assertNotRegex(line, "[\x00-\x1f\x7f-\x9f]")
        self.assertLess(len(line), 1000)
        self.assertEqual(1, line.count(", status="))
