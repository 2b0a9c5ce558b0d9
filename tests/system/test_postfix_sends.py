"""A real Postfix sends us the mail of people, and another takes it from us."""

import re

from attrs import evolve, frozen
from twisted.trial.unittest import SynchronousTestCase

from tests.system.house import House
from tests.system.peers import Postfix
from tests.system.relayed import SETTINGS, compare, send

#: Messages, and one of how many of all archives.
COUNT, EVERY = 1000, 11

HERE, FAR = "user@example.test", "user@far.test"


@frozen
class Mailbox:
    """The mailbox of our own user."""

    house: House

    def messages(self, user: str = "user") -> list[bytes]:
        """What is in it."""
        return self.house.mailbox(f"{user}@example.test")


class PostfixSendsTests(SynchronousTestCase):
    """Nothing gets lost, doubled or changed on the way between three servers."""

    def test_thousand(self) -> None:
        """
        Each message to somebody here and to somebody behind the next server:
        both have what Postfix was given, but for what we refused for a reason.
        """
        last = Postfix()
        self.addCleanup(last.remove)
        last.start()
        house = House((HERE,), SETTINGS)
        self.addCleanup(house.remove)
        house.start()
        hop = ("--next-hop", f"smtp://127.0.0.1:{last.port}", "--verify", "callout")
        house.ctl("domain", "add", "far.test", "--kind", "relay", *hop)
        first = Postfix(house.port)
        self.addCleanup(first.remove)
        first.start()
        sent = send(first.port, COUNT, EVERY, HERE, FAR)
        self.assertEqual(COUNT, sent.sent)
        house.until(lambda: not first.queued, 120)
        said = first.said()
        for name, box in ((HERE, Mailbox(house)), (FAR, last)):
            bounced = re.findall(f"to=<{name}>.*status=bounced (.*)", said)
            self.assertEqual([], [why for why in bounced if "550 5.5.2" not in why])
            account = evolve(sent, refused=len(bounced))
            compare(account, house, box)
            self.assertEqual([], account.altered)
            self.assertEqual(0, account.difference)
            self.assertEqual(0, account.held)
            self.assertGreater(account.arrived, 0.97 * COUNT)
