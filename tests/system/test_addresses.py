"""Whom a domain knows, with a real smfd and smfdctl."""

from smtplib import SMTP

from twisted.trial.unittest import SynchronousTestCase

from tests.system.house import House

LETTER = "From: <al@sender.test>\r\nSubject: %s\r\n\r\nHello.\r\n"
#: Where nobody listens.
DEAD = "smtp://127.0.0.1:1"


class AddressTests(SynchronousTestCase):
    """From smfdctl to the mailbox."""

    def setUp(self) -> None:
        """One domain with two users."""
        users = ("ann@example.test", "bob@example.test")
        self.house = House(users, '[scan]\nstages = ["lists", "identity"]\n')
        self.addCleanup(self.house.remove)
        self.house.start()

    def rcpt(self, *recipients: str) -> list[tuple[int, str]]:
        """Code and status of the reply to each RCPT."""
        with SMTP("127.0.0.1", self.house.port, timeout=30) as client:
            client.ehlo("client.sender.test")
            client.mail("al@sender.test")
            said = [client.rcpt(one) for one in recipients]
        return [(code, text.split()[0].decode()) for code, text in said]

    def send(self, word: str, *recipients: str, top: str = "") -> None:
        """A message, with a word in its subject."""
        with SMTP("127.0.0.1", self.house.port, timeout=30) as client:
            client.sendmail("al@sender.test", recipients, top + LETTER % word)

    def recipients(self, word: str) -> list[str]:
        """To whom the message with that word went."""
        found = self.house.ctl("trace", "search", "--subject", word)["items"]
        names: list[str] = found[0]["recipients"]
        return sorted(names)

    def test_road(self) -> None:
        """Aliases, forwards, tags and a catch-all lead to mailboxes, each once."""
        ann, bob = "ann@example.test", "bob@example.test"
        self.house.ctl("alias", "add", "team@example.test", ann, bob)
        self.send("alias", "team@example.test", ann)
        self.house.ctl("forward", "add", ann, bob, "--keep")
        self.send("forward", "ann+x@example.test")
        self.house.ctl("forward", "remove", ann)
        self.assertEqual([(550, "5.1.1")], self.rcpt("nobody@example.test"))
        self.house.ctl("domain", "set", "example.test", "--catch-all", bob)
        self.send("catch", "nobody@example.test")
        for word, wanted in (
            ("alias", [ann, bob]),
            ("forward", [ann, bob]),
            ("catch", [bob]),
        ):
            self.assertEqual(wanted, self.recipients(word), word)
        # Who asks for a message asks for whom he wrote to.
        for named in ("team@example.test", "ann+x@example.test", "nobody@example.test"):
            found = self.house.ctl("trace", "search", "--recipient", named)["items"]
            self.assertEqual("clean", found[0]["verdict"], named)
            self.assertNotIn(named, found[0]["recipients"])
        # His own list counts, whatever name he was written to by.
        self.house.ctl("list", "add", "--scope", bob, "--block", "al@sender.test")
        self.send("blocked", "team@example.test")
        name = self.house.ctl("trace", "search", "--subject", "blocked")["items"][0][
            "id"
        ]
        fates = self.house.ctl("trace", "show", name)["record"]["fates"]
        self.assertEqual(
            {ann: "deliver", bob: "quarantine"},
            {fate["recipient"]: fate["disposition"] for fate in fates},
        )
        warnings = self.house.ctl("status")["warnings"]
        self.assertIn("gets the mail for every address", " ".join(warnings))

    def test_elsewhere(self) -> None:
        """Nobody is refused for good because a next hop does not answer."""
        relay = ("--kind", "relay", "--next-hop", DEAD)
        self.house.ctl("domain", "add", "far.test", *relay)
        self.house.ctl("domain", "add", "listed.test", *relay, "--verify", "list")
        self.house.ctl("recipient", "add", "cid@listed.test")
        self.assertEqual(
            [(450, "4.1.1"), (250, "2.1.5"), (550, "5.1.1"), (550, "5.7.1")],
            self.rcpt("x@far.test", "cid@listed.test", "x@listed.test", "x@else.test"),
        )
        # A refusal can be found by whom it was for, a moment later: nobody
        # waits for its record.
        search = ("trace", "search", "--recipient", "x@listed.test")
        items = self.house.until(lambda: self.house.ctl(*search)["items"])
        self.assertEqual(1, len(items))

    def test_restart(self) -> None:
        """The secret of the home and the aliases are there after a restart."""
        self.house.ctl("alias", "add", "team@example.test", "ann@example.test")
        secret = (self.house.home / "keys" / "srs").read_bytes()
        self.house.stop()
        self.house.start()
        self.assertEqual(secret, (self.house.home / "keys" / "srs").read_bytes())
        self.assertEqual([(250, "2.1.5")], self.rcpt("team@example.test"))

    def test_smuggled_paths(self) -> None:
        """No form of an address leads out of what we hold, or to another's file."""
        for local in (
            "ann%else.test",
            "else.test!ann",
            '"ann@else.test"',
            '"../bob"',
            '"|cat"',
            ":include:/etc/passwd",
            "~root",
            "+ann",
            "ann-x",
            "SRS0=AAAAAAAA=AA=else.test=x",
            "SRS1=AAAAAAAA=else.test==x",
        ):
            (said,) = self.rcpt(f"{local}@example.test")
            self.assertEqual(5, said[0] // 100, (local, said))
