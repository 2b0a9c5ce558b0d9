"""The test virus under many wrappings reaches nobody (R22)."""

import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.clamd import RealClamd
from tests.system.house import House
from tests.system.talk import Talk
from tests.system.wrappings import wrapped

OFFLINE = "[dns]\noffline = true\n"

#: Everybody's mail is trusted: only a virus keeps it out of the mailbox (S5).
TRUSTING = ("list", "add", "--scope", "operator", "--allow", "sender.test")
SENDER = """
[[dns.record]]
name = "sender.test"
type = "TXT"
value = "v=spf1 ip4:127.0.0.0/8 -all"
"""


class WrappedTests(SynchronousTestCase):
    """Infected, or held because nobody can know; never delivered."""

    def test_builtin(self) -> None:
        """By the engine of a box without an antivirus."""
        self.all_held(OFFLINE + SENDER)

    def test_clamd(self) -> None:
        """By a real clamd that knows the test virus by its text and its sum."""
        folder = Path(tempfile.mkdtemp(prefix="clamd"))
        self.addCleanup(shutil.rmtree, folder)
        clamd = RealClamd(folder)
        clamd.start()
        self.addCleanup(clamd.stop)
        self.all_held(
            f'[virus]\nengine = "clamd"\nclamd = ["unix:{clamd.path}"]\n'
            + OFFLINE
            + SENDER,
            # clamd reads base64 up to the first padding, as most readers do.
            beyond={"padded within"},
        )

    def all_held(self, settings: str, beyond: Collection[str] = ()) -> None:
        """Send all of them but some; see where they end."""
        house = House(settings=settings)
        self.addCleanup(house.remove)
        house.start()
        house.ctl(*TRUSTING)
        messages = [pair for pair in wrapped() if pair[0] not in beyond]
        self.assertGreaterEqual(len(messages), 200)
        innocent = b"From: a@sender.test\r\nSubject: nothing in it\r\n\r\nhi\r\n"
        with Talk(house.port) as talk:
            for _, message in [*messages, ("", innocent)]:
                talk.envelope()
                self.assertEqual(b"250", talk.message(message)[:3])
        count = len(messages) + 1
        house.until(lambda: len(house.mailbox()) + len(house.held()) == count)
        stored = house.mailbox()
        through = [n for n, m in messages if any(s.endswith(m) for s in stored)]
        self.assertEqual([], through)
        # The list trusts the sender: all that was held was held for its virus.
        self.assertEqual(1, len(stored))
        self.assertEqual(len(messages), len(house.held()))
