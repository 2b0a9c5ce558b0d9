"""Who may write to whom, in the whole server: the seed's case, and approval."""

from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.content.test_inside import archive
from tests.system.house import House

BOSS, DESK, EVE = (f"{name}@example.test" for name in ("boss", "desk", "eve"))
BOARD, HELP = "management@example.test", "assistants@example.test"


class PolicyTests(SynchronousTestCase):
    """A board with assistants, and a user of no rank."""

    def setUp(self) -> None:
        """Start it, and make the groups."""
        self.house = House((BOSS, DESK, EVE), '[virus]\nengine = "builtin"\n')
        self.addCleanup(self.house.remove)
        self.house.start()
        self.house.ctl("group", "add", BOARD, BOSS)
        self.house.ctl("group", "add", HELP, DESK)

    def hand_in(self, sender: str, to: str, files: bytes = b"") -> tuple[int, str]:
        """The answer to what a user sends."""
        made = EmailMessage()
        made["From"], made["To"], made["Subject"] = sender, to, f"From {sender}"
        made.set_content("Please read.\n")
        if files:
            made.add_attachment(files, "application", "zip", filename="all.zip")
        with self.house.login(sender) as client:
            client.mail(sender)
            client.rcpt(to)
            code, text = client.data(made.as_bytes(policy=SMTP))
        return code, text.decode()

    def test_management(self) -> None:
        """Nobody but the board's assistants writes to the management (S52)."""
        rule = ("--to", f"group:{BOARD}", "--not-from", f"group:{HELP}")
        said = ("--action", "reject", "--text", "Ask the assistants")
        self.house.ctl("policy", "add", "management", *rule, *said)
        code, text = self.hand_in(EVE, BOSS)
        self.assertEqual(550, code)
        self.assertIn("Ask the assistants", text)
        self.assertEqual(250, self.hand_in(DESK, BOSS)[0])
        # From outside too, whatever name is on the letter.
        for sender in "x@far.test", DESK:
            code, text = self.house.send(
                f"From: <{DESK}>\r\nSubject: x\r\n\r\nx\r\n".encode(), (BOSS,), sender
            )
            self.assertEqual(550, code, text)
        self.assertEqual(250, self.hand_in(EVE, DESK)[0])
        self.house.until(lambda: self.house.mailbox(BOSS))
        (letter,) = self.house.mailbox(BOSS)
        self.assertIn(b"Subject: From desk@", letter)
        asked = ("policy", "test", "--to", f"group:{BOARD}", "--from")
        for who, rule_name in ((EVE, "management"), (DESK, "last")):
            (found,) = self.house.ctl(*asked, who)["items"]
            self.assertEqual(rule_name, found["rule"])

    def test_approval(self) -> None:
        """A program in an archive waits; its approver lets it go (S51)."""
        rule = ("--attachment", "*.exe", "--action", "hold", "--approver", DESK)
        self.house.ctl("policy", "add", "programs", *rule)
        # The second is too large for the ledger: the workers read its file.
        for zipped in archive("in/run.exe"), archive("a.exe", octets_each=200_000):
            self.assertEqual(250, self.hand_in(EVE, BOSS, zipped)[0])
        self.assertEqual(250, self.hand_in(EVE, BOSS, archive("plan.txt"))[0])
        self.house.until(lambda: len(self.house.mailbox(DESK)) == 2)
        self.house.until(lambda: len(self.house.mailbox(BOSS)) == 1)
        # The file is there before the ledger says so.
        self.house.until(lambda: len(self.items()) == 2)
        item = self.items()[0]
        letters = b"".join(self.house.mailbox(DESK))
        self.assertIn(f"quarantine release {item['id']} ".encode(), letters)
        release = ("quarantine", "release", item["id"], "--approver")
        self.house.ctl(*release, EVE, code=1)
        self.house.ctl(*release, DESK)
        self.house.until(lambda: len(self.house.mailbox(BOSS)) == 2)
        self.assertEqual(1, len(self.items()))

    def items(self) -> list[Any]:
        """What waits for approval."""
        found = self.house.ctl("quarantine", "list", "--class", "approval")
        return list(found["items"])
