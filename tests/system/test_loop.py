"""Two servers that point at each other (R54), and mail that nobody wants (R55)."""

from smtplib import SMTP

from twisted.trial.unittest import SynchronousTestCase

from smfd.format.header import read_header
from smfd.smtpd.accept import HOPS
from tests.system.house import PATIENCE, House
from tests.system.relayed import SETTINGS

MESSAGE = (
    b"From: alice@sender.test\r\nTo: user@far.test\r\nSubject: round\r\n"
    b"Message-ID: <1@sender.test>\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\n"
    b"\r\nround and round\r\n"
)


class LoopTests(SynchronousTestCase):
    """What nobody has a mailbox for comes to an end, and somebody is told."""

    def house(self, *users: str) -> House:
        """One of the two, running: the next one takes another port."""
        house = House(users, SETTINGS)
        self.addCleanup(house.remove)
        house.start()
        return house

    def test_two(self) -> None:
        """Each says the other has the mailbox: fifty hops, and it is held once."""
        houses = self.house(), self.house()
        for house, other in zip(houses, reversed(houses), strict=True):
            hop = ("--next-hop", f"smtp://127.0.0.1:{other.port}", "--verify", "none")
            house.ctl("domain", "add", "far.test", "--kind", "relay", *hop)
        self.assertEqual(250, houses[0].send(MESSAGE, ["user@far.test"])[0])
        houses[0].until(lambda: any(house.held() for house in houses))
        self.rest(*houses)
        (message,) = houses[0].held() + houses[1].held()
        header = read_header(message)
        # Whoever holds it has put a line of its own on top of those it counted.
        self.assertEqual(HOPS + 1, len(header.all("received")))
        self.assertTrue(message.endswith(MESSAGE.partition(b"\r\n\r\n")[2]))
        held = [house.ctl("quarantine", "list")["items"] for house in houses]
        ((item,),) = filter(None, held)
        self.assertEqual("undeliverable", item["class"])
        self.assertIn("554 5.4.6", item["reason"])
        # As often as it came, and no more: nobody sent anything about it.
        records = [house.ctl("trace", "search", "--limit", 200) for house in houses]
        self.assertEqual(HOPS + 2, sum(len(found["items"]) for found in records))

    def test_forged_sender(self) -> None:
        """Three hundred failures in somebody's name: he hears of none (R55)."""
        victim, count = "user@example.test", 300
        stranger, house = self.house(), self.house(victim)
        hop = ("--next-hop", f"smtp://127.0.0.1:{stranger.port}", "--verify", "none")
        house.ctl("domain", "add", "far.test", "--kind", "relay", *hop)
        with SMTP("127.0.0.1", house.port, timeout=PATIENCE) as client:
            for n in range(count):
                self.assertEqual({}, client.sendmail(victim, f"u{n}@far.test", MESSAGE))

        def held() -> int:
            found = house.ctl("quarantine", "list", "--class", "undeliverable")
            return int(found["total"])

        house.until(lambda: held() == count)
        self.rest(house)
        self.assertEqual([], house.mailbox(victim))
        # The messages themselves, and nothing that was made of them.
        found = house.ctl("trace", "search", "--limit", count + 50)
        self.assertEqual(count, len(found["items"]))

    def rest(self, *houses: House) -> None:
        """Nothing is due anywhere, and no body is left."""
        for house in houses:
            house.until(lambda house=house: house.ctl("status")["queue"] == 0)
            spooled = [path for path in house.home.glob("spool/*/*") if path.is_file()]
            self.assertEqual([], spooled)
