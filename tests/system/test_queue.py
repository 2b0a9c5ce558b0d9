"""An operator's hand on mail that waits, in a whole server, restarts included."""

from twisted.trial.unittest import SynchronousTestCase

from tests.system.counting_hop import CountingHop
from tests.system.house import ONWARD, House
from tests.system.peers import free_port

ANN = "ann@example.test"


class QueueTests(SynchronousTestCase):
    """Mail that waits for a server which is not there."""

    def setUp(self) -> None:
        self.taken: list[bytes] = []
        self.hop = CountingHop(self.taken.append)
        self.addCleanup(self.hop.close)
        settings = ONWARD.format(port=free_port()) + "[bounce]\ngather = 0.5\n"
        self.house = House((ANN,), settings)
        self.addCleanup(self.house.remove)
        self.house.start()

    def send(self, *recipients: str) -> str:
        """Ann writes; the id of her message."""
        letter = f"From: {ANN}\r\nSubject: Hello\r\n\r\nTo {recipients[0]}.\r\n"
        return self.house.submit(ANN, recipients, letter.encode())

    def state(self, entry: str) -> list[str]:
        """Where its recipients stand."""
        found = self.house.ctl("trace", "show", entry)["recipients"]
        return [recipient["state"] for recipient in found]

    def test_reroute(self) -> None:
        """What waits says why; sent by another way it arrives at once."""
        self.send("v@far.test")

        def why() -> str:
            (site,) = self.house.ctl("queue", "shape")["items"]
            return str(site["why"])

        self.assertIn("127.0.0.1", self.house.until(why))
        (item,) = self.house.ctl("queue", "list")["items"]
        self.assertEqual(("v@far.test", ANN), (item["recipient"], item["account"]))
        self.house.ctl("queue", "retry", item["id"])
        self.assertEqual([], self.taken)
        route = f"smtp://127.0.0.1:{self.hop.port}"
        self.house.ctl("queue", "reroute", "far.test", route)
        self.house.until(lambda: self.taken)
        self.house.until(lambda: self.state(item["id"]) == ["delivered"])
        self.assertEqual([], self.house.ctl("queue", "list")["items"])

    def test_hold(self) -> None:
        """What is held stays so when smfd is restarted, and goes when let go."""
        route = f"smtp://127.0.0.1:{self.hop.port}"
        for site in "far.test", "free.test":
            self.house.ctl("queue", "reroute", site, route)
        self.house.ctl("queue", "hold", "far.test")
        held = self.send("v@far.test", "w@free.test")
        self.house.until(lambda: self.state(held) == ["due", "delivered"])
        self.house.kill()
        self.house.start()
        self.send("x@free.test")
        self.house.until(lambda: len(self.taken) == 2)
        self.assertEqual(["due", "delivered"], self.state(held))
        (one,) = self.house.ctl("queue", "show", held)["recipients"]
        self.assertTrue(one["held"])
        self.house.ctl("queue", "resume", "far.test")
        self.house.until(lambda: self.state(held) == ["delivered"] * 2)
        self.assertEqual(3, len(self.taken))

    def test_given_up(self) -> None:
        """What is given up comes back with the reason; what is dropped does not."""
        lost = self.send("v@far.test")
        gone = self.send("w@far.test")
        self.house.ctl("queue", "hold", gone)
        self.house.ctl("queue", "drop", gone)
        self.house.ctl("queue", "fail", lost, "--reason", "their house burnt down")
        (letter,) = self.house.until(lambda: self.house.mailbox(ANN))
        self.assertIn(b"their house burnt down", letter)
        self.assertIn(b"v@far.test", letter)
        self.assertEqual(["failed"], self.state(lost))
        self.assertEqual(["deleted"], self.state(gone))
        self.assertEqual(1, len(self.house.mailbox(ANN)))
        acts = [act["act"] for act in self.house.ctl("audit")["items"]]
        self.assertEqual(["queue fail", "queue drop", "queue hold"], acts[:3])
