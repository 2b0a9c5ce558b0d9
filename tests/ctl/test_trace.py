"""Tests for L{smfd.ctl.trace}, L{smfd.ctl.quarantine}, L{smfd.ctl.status}."""

from attrs import evolve

from smfd.format.pseudonym import pseudonym
from smfd.model.record import Record
from smfd.store.directory_named import KEY
from smfd.store.secret import secret
from tests.ctl.asking import CtlTestCase


class TraceTests(CtlTestCase):
    """What became of a message."""

    async def test_search(self) -> None:
        """The contract: items, and up to when they are complete."""
        await self.open()
        name = await self.receive()
        found = await self.done(
            *("trace", "search", "--recipient", "ann@home.example"),
            *("--sender", "x@a.example", "--subject", "pills", "--since", "1h"),
            *("--verdict", "spam", "--client", "192.0.2.1", "--limit", "5"),
        )
        self.assertEqual({"items", "complete_up_to"}, set(found))
        self.assertEqual([name], [item["id"] for item in found["items"]])
        said = await self.run_ctl("trace", "search")
        self.assertIn(name, said.out)
        self.assertIn("Complete up to 2", said.out)
        self.assertIn("  Pills\n", said.out)

    async def test_refusal(self) -> None:
        """Who never sent a message is listed by what he heard; <> sends bounces."""
        await self.open()
        reply = "535 5.7.8 The user or the password is wrong"
        name = self.house.ids()
        refusal = Record(
            id=name,
            kind="refusal",
            time=self.house.clock.seconds(),
            flow="outbound",
            client="192.0.2.1",
            helo="a.example",
            tls="",
            sender="",
            recipients=(),
            verdict="refused",
            reply=f"{reply} id={name}",
        )
        bounce = evolve(refusal, id=self.house.ids(), kind="message", verdict="clean")
        self.house.ledger.note(refusal)
        self.house.ledger.note(evolve(bounce, recipients=("ann@home.example",)))
        # Whatever is committed next takes the note along.
        await self.receive()
        said = await self.run_ctl("trace", "search")
        self.assertIn(f"  [192.0.2.1] {reply}\n", said.out)
        self.assertRegex(said.out, r"clean +<> +ann@home.example\n")
        self.assertEqual(1, said.out.count("<>"))

    async def test_ours(self) -> None:
        """A letter that smfd wrote came from no client."""
        await self.open()
        name = self.house.ids()
        letter = Record(
            id=name,
            kind="message",
            time=self.house.clock.seconds(),
            flow="local",
            client="",
            helo="",
            tls="",
            sender="",
            recipients=("ann@home.example",),
            verdict="clean",
            reply="",
        )
        self.house.ledger.note(letter)
        await self.receive()
        said = await self.run_ctl("trace", "show", name)
        self.assertIn("\n  sender   <>\n", said.out)
        self.assertNotIn("client", said.out)

    async def test_show(self) -> None:
        """Findings with evidence, score and time; each fate, and where it is."""
        await self.open()
        name = await self.receive(to=("ann@home.example", "bob@home.example"))
        document = await self.done("trace", "show", name)
        self.assertEqual({"record", "recipients", "acts"}, set(document))
        said = await self.run_ctl("trace", "show", name)
        for text in (
            "client   192.0.2.1 (mx.a.example), in the clear",
            "verdict  spam, score 7.5",
            "PILLS",
            "+7.5",
            "ann@home.example: quarantine, spam",
            "now held, quarantine/home.example/",
            f"quarantine release {name}-2",
        ):
            self.assertIn(text, said.out)
        said = await self.run_ctl("trace", "show", "nothing")
        self.assertEqual(1, said.code)

    async def test_account(self) -> None:
        """The name in a trace field leads back to the account, for us alone."""
        await self.open()
        name = pseudonym(secret(self.home / KEY), "bob@home.example")
        found = await self.done("trace", "account", name)
        self.assertEqual("bob@home.example", found["account"])
        said = await self.run_ctl("trace", "account", "0" * 16)
        self.assertEqual(1, said.code)

    async def test_hostile_subject(self) -> None:
        """A subject cannot steer the terminal of who reads it."""
        await self.open()
        name = await self.receive(subject="\x1b]0;pwned\x07\u202eevil\nnew line")
        for verb in ("search",), ("show", name):
            said = await self.run_ctl("trace", *verb)
            self.assertEqual(0, said.code)
            self.assertNotIn("\x1b", said.out)
            self.assertNotIn("\u202e", said.out)
            self.assertNotIn("\nnew line", said.out)


class QuarantineTests(CtlTestCase):
    """What is held."""

    async def test_contract(self) -> None:
        """list prints items with these names, and a total."""
        await self.open()
        name = await self.receive()
        page = await self.done("quarantine", "list")
        self.assertEqual({"items", "total"}, set(page))
        wanted = [
            "id",
            "recipient",
            "sender",
            "subject",
            "class",
            "reason",
            "score",
            "received",
        ]
        self.assertLessEqual(set(wanted), set(page["items"][0]))
        self.assertEqual(f"{name}-1", page["items"][0]["id"])

    async def test_release_and_delete(self) -> None:
        """Let through, or thrown away; each once."""
        await self.open()
        one, two = f"{await self.receive()}-1", f"{await self.receive()}-1"
        await self.done("quarantine", "release", one, "--reason", "He asked.")
        await self.done("quarantine", "delete", two)
        await self.settled()
        self.assertEqual(1, len(self.inbox()))
        for verb, item in (("release", one), ("delete", two), ("show", one)):
            said = await self.run_ctl("quarantine", verb, item)
            self.assertEqual(1, said.code)

    async def test_virus(self) -> None:
        """A virus is released by force only, and with a reason."""
        await self.open()
        item = f"{await self.receive(category='virus')}-1"
        said = await self.run_ctl("quarantine", "release", item)
        self.assertEqual(1, said.code)
        self.assertIn("The operator can force it: --force --reason", said.err)
        said = await self.run_ctl("quarantine", "show", item)
        self.assertIn(f'release {item} --force --reason "..."', said.out)
        said = await self.run_ctl("quarantine", "release", item, "--force")
        self.assertEqual(1, said.code)
        await self.done("quarantine", "release", item, "--force", "--reason", "lab")

    async def test_text(self) -> None:
        """Lists and items are readable."""
        await self.open()
        item = f"{await self.receive()}-1"
        listed = await self.run_ctl("quarantine", "list", "--class", "spam")
        self.assertIn(item, listed.out)
        self.assertNotIn("There are none.", listed.out)
        shown = await self.run_ctl("quarantine", "show", item)
        self.assertIn("reason     it is spam", shown.out)


class StatusTests(CtlTestCase):
    """How it is doing."""

    async def test_status(self) -> None:
        """It says loudly what protects nobody."""
        await self.open()
        said = await self.run_ctl("status")
        self.assertIn("WARNING: No antivirus is installed", said.out)
        self.assertIn("WARNING: SPF is off.", said.out)
        document = await self.done("status")
        self.assertEqual(0, document["held"])
