"""Real clamd, and archives it cannot look into (R23)."""

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.clamd import RealClamd
from tests.content.test_eicar import HEAD, coded
from tests.content.test_encryption import LOCKED
from tests.system.house import House
from tests.system.test_road import OFFLINE


class EncryptedTests(SynchronousTestCase):
    """clamd calls most of them clean; we do not."""

    def test_kinds(self) -> None:
        """R23: each kind is held, none is delivered; a domain may take them."""
        clamd = RealClamd(Path(tempfile.mkdtemp(prefix="smfd-test-")))
        self.addCleanup(clamd.stop)
        clamd.start()
        house = House(
            ("user@example.test", "open@open.test"),
            OFFLINE
            + f'[virus]\nengine = "clamd"\nclamd = ["unix:{clamd.path}"]\n'
            + 'pass_encrypted = ["open.test"]\n[content]\nthreshold = 100\n',
            init=("--domain", "open.test"),
        )
        self.addCleanup(house.remove)
        house.start()
        for name, data in LOCKED.items():
            message = HEAD + b"Content-Type: a/b; name=a.bin\r\n" + coded(data)
            self.assertEqual(250, house.send(message)[0], name)
        house.until(lambda: len(house.held()) == len(LOCKED))

        def listed() -> list[dict[str, str]]:
            found = house.ctl("quarantine", "list", "--limit", "50")["items"]
            return found if len(found) == len(LOCKED) else []

        items = house.until(listed)
        self.assertEqual({"unscanned"}, {item["class"] for item in items})
        self.assertTrue(all("encrypted" in item["reason"] for item in items))
        self.assertEqual([], house.mailbox())
        message = HEAD + b"Content-Type: a/b\r\n" + coded(LOCKED["zip"])
        self.assertEqual(250, house.send(message, ("open@open.test",))[0])
        house.until(lambda: house.mailbox("open@open.test"))
