"""What users send arrives in the world: by the DNS, at a real Postfix."""

import subprocess
import tempfile
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.signed_zones import Unbound, Zone
from tests.system.house import BIN, House
from tests.system.peers import Postfix

ANN, USER = "ann@example.test", "user@far.test"

#: Nobody is at the first; the second is Postfix.
FAR = """
down MX 10 dead
@ MX 10 dead
@ MX 20 live
dead A 127.0.0.77
live A 127.0.0.1
"""
#: Domains that take no mail, each in its own way.
OTHERS = """
null MX 0 .
us MX 10 mx.example.test.
private A 10.0.0.1
loop A 127.0.0.1
"""
SETTINGS = """
[virus]
engine = "builtin"
[dns]
servers = ["127.0.0.1:{dns}"]
[relay]
port = {port}
"""


class Sending(SynchronousTestCase):
    """Ann, whose mail goes to the world."""

    house: House

    def send(self, *recipients: str, words: str = "Hello.") -> str:
        """Ann writes; the id of her message."""
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = ANN, "you: ;", "Hello"
        letter.set_content(words)
        return self.house.submit(ANN, recipients, letter.as_bytes(policy=SMTP))

    def fates(self, entry: str) -> dict[str, tuple[str, str]]:
        """What became of each recipient, and the last word."""
        story = self.house.ctl("trace", "show", entry)["recipients"]
        return {r["address"]: (r["state"], r["detail"] or r["reason"]) for r in story}

    def settled(self, entry: str) -> dict[str, tuple[str, str]]:
        """The same, when none of them is due any more."""

        def find() -> dict[str, tuple[str, str]] | None:
            found = self.fates(entry)
            return None if "due" in {state for state, _ in found.values()} else found

        found: dict[str, tuple[str, str]] = self.house.until(find)
        return found


class WorldCase(Sending):
    """
    A DNS, and a Postfix behind it.

    @ivar others: hosts of the unsigned zone.
    @ivar more: settings.
    """

    others = OTHERS
    more = ""

    def setUp(self) -> None:
        others = Zone(self.others, signed=False)
        zones = {"far.test.": Zone(FAR), "none.test.": others}
        self.resolver = Unbound(Path(tempfile.mkdtemp()) / "unbound", zones)
        self.resolver.start()
        self.addCleanup(self.resolver.stop)
        self.postfix = Postfix()
        self.addCleanup(self.postfix.remove)
        self.postfix.start()
        ports = {"dns": self.resolver.port, "port": self.postfix.port}
        self.house = House((ANN,), SETTINGS.format(**ports) + self.more)
        self.addCleanup(self.house.remove)
        self.house.start()


class WorldTests(WorldCase):
    """From the login to the mailbox of somebody elsewhere."""

    def test_arrives(self) -> None:
        """Where the first server is not there the second gets it, once."""
        entry = self.send(USER)
        (message,) = self.house.until(self.postfix.messages)
        self.assertIn(b"\r\n\r\nHello.", message)
        state, detail = self.settled(entry)[USER]
        self.assertEqual("delivered", state)
        where = "250 2.0.0 host live.far.test [127.0.0.1]: Ok: "
        self.assertTrue(detail.startswith(where), detail)
        log = self.house.home / "log" / "mail.log"

        def line() -> str:
            lines = log.read_text().splitlines()
            return next((line for line in lines if "status=sent" in line), "")

        said = self.house.until(line)
        relay = f"relay=live.far.test[127.0.0.1]:{self.postfix.port}"
        self.assertIn(f"{entry}: to=<{USER}>, {relay}", said)

    def test_refused(self) -> None:
        """Who does not exist, and what takes no mail, is told at once and apart."""
        nobody, null = "nobody@far.test", "u@null.none.test"
        gone, us = "u@gone.none.test", "u@us.none.test"
        private = "u@private.none.test"
        found = self.settled(self.send(USER, nobody, null, gone, us, private))
        self.assertEqual("delivered", found.pop(USER)[0])
        self.assertEqual({"failed"}, {state for state, _ in found.values()})
        for address, words in (
            (nobody, "550 5.1.1 host live.far.test [127.0.0.1]: "),
            (null, "556 5.1.10: "),
            (gone, "550 5.1.2: "),
            (us, "554 5.4.6: "),
            (private, "550 5.4.4: "),
        ):
            self.assertTrue(found[address][1].startswith(words), found[address])
        self.assertEqual(1, len(self.postfix.messages()))

    def test_learned(self) -> None:
        """What others say is counted, and who does not exist is not asked again."""
        nobody = "nobody@far.test"
        self.settled(self.send(USER, nobody))
        found = self.house.ctl("reputation", "--domain", "example.test")
        (theirs,) = found["providers"]
        self.assertEqual(
            ("far.test", 1, 1), (theirs["provider"], theirs["sent"], theirs["rejected"])
        )
        (cause,) = theirs["causes"]
        self.assertEqual(
            ("unknown_recipient", "live.far.test"), (cause["kind"], cause["host"])
        )
        self.assertNotIn(nobody, cause["sample"])
        (known,) = self.house.ctl("suppression", "list")["items"]
        self.assertEqual(nobody, known["recipient"])
        self.house.kill()
        self.house.start()
        with self.house.login(ANN) as ann:
            ann.mail(ANN)
            self.assertEqual(250, ann.rcpt(USER)[0])
            code, text = ann.rcpt(nobody)
        self.assertEqual(550, code)
        self.assertIn(b"5.1.1 That address does not exist, its server said", text)
        self.house.ctl("suppression", "remove", "example.test", nobody)
        self.settled(self.send(nobody))

    def test_route(self) -> None:
        """An operator is shown where mail would go, and how far it gets."""
        shown = self.house.ctl("route", "far.test", "--try")
        dead, live = shown["servers"]
        self.assertEqual(("MX", True), (shown["by"], shown["dnssec"]))
        self.assertEqual(
            ("dead.far.test", "127.0.0.77"), (dead["host"], dead["address"])
        )
        self.assertIn("cannot connect", dead["trouble"])
        self.assertEqual("", live["trouble"])
        self.assertIn("PIPELINING", live["offers"])
        self.assertEqual("connection", live["steps"][0]["name"])
        words = ("--config", str(self.house.config), "route", "far.test", "--try")
        smfdctl = str(BIN / "smfdctl")
        done = subprocess.run([smfdctl, *words], capture_output=True, check=True)
        text = done.stdout.decode()
        for line in (
            "Mail for far.test goes by MX: DNSSEC\n",
            f"\ndead.far.test [127.0.0.77]:{self.postfix.port}\n",
            "  NO: cannot connect",
            f"\nlive.far.test [127.0.0.1]:{self.postfix.port}\n",
            " ms  EHLO\n",
            "  ready: in the clear\n",
        ):
            self.assertIn(line, text)
        shown = self.house.ctl("route", "null.none.test", code=1)
        self.assertTrue(shown["refusal"].startswith("556 5.1.10"))
        self.assertTrue(shown["permanent"])
        self.house.ctl("route", "nonsense..", code=1)

    def test_rerouted(self) -> None:
        """What waits for a dead server goes another way when an operator says so."""
        entry, to = self.send("user@down.far.test"), self.postfix.port

        def waits() -> bool:
            _, last = self.fates(entry)["user@down.far.test"]
            return last.startswith("4.4.1 host dead.far.test [127.0.0.77]: cannot")

        self.house.until(waits)
        (recipient,) = self.house.ctl("trace", "show", entry)["recipients"]
        self.assertEqual("due", recipient["state"])
        self.assertRegex(recipient["next_try"], "^20..-.*Z$")
        self.house.kill()
        self.house.start()
        self.assertEqual(1, self.house.ctl("status")["queue"])
        words = ("queue", "reroute", "down.far.test", f"smtp://127.0.0.1:{to}")
        self.house.ctl(*words)
        (last,) = self.settled(entry).values()
        # It is no mailbox of that Postfix, which says so: it was asked.
        self.assertEqual("failed", last[0])
        self.assertIn("host 127.0.0.1 [127.0.0.1]: ", last[1])

    def test_retried(self) -> None:
        """Who says that a server is back has its mail tried at once."""
        self.postfix.stop()
        entry = self.send(USER)
        self.house.until(lambda: self.fates(entry)[USER][1].startswith("4.4.1 "))
        self.postfix.start()
        self.house.ctl("queue", "retry", "far.test")
        self.assertEqual("delivered", self.settled(entry)[USER][0])
        self.assertEqual(1, len(self.postfix.messages()))

    def test_killed(self) -> None:
        """
        Killed again and again while mail goes out, nothing is lost (R10).

        What was on its way may be there twice: SMTP cannot ask.
        """
        sent = []
        for turn in range(3):
            for number in range(10):
                words = f"number {turn}-{number}"
                self.send(USER, words=words)
                sent.append(words.encode())
            self.house.kill()
            self.house.start()
        self.house.until(lambda: self.house.ctl("status")["queue"] == 0)

        def arrived() -> list[bytes]:
            found = self.postfix.messages()
            return [m.partition(b"\r\n\r\n")[2].strip() for m in found]

        self.house.until(lambda: len(set(arrived())) >= len(sent))
        self.assertEqual(set(sent), set(arrived()))
        self.assertLessEqual(len(arrived()), len(sent) + 3 * 16)
