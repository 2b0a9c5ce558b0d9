"""Tests for L{smfd.ctl.queue}: mail that waits, from the command line."""

from attrs import evolve

from smfd.console.api import API
from smfd.model.entry import Outcome, State
from smfd.model.queue import SiteState
from smfd.model.said import Said
from smfd.store.queue import Queue
from tests.control.building import reactor
from tests.control.test_queue import ANN, QueueTestCase
from tests.ctl.asking import CtlTestCase


class QueueTests(CtlTestCase, QueueTestCase):
    """What an operator types."""

    async def open(self) -> None:  # type: ignore[override]
        """A house with a queue behind its socket."""
        house = await self.build()
        self.queue = Queue(house.ledger)
        self.house = evolve(house, queue=self.queue)
        self.config = self.home / "smfd.toml"
        self.config.write_text("[server]\nhostname = 'mx.home.example'\n")
        socket = self.home / "run" / "control.sock"
        socket.parent.mkdir(mode=0o700)
        API(self.house, socket, reactor).setServiceParent(self.services)

    async def test_look(self) -> None:
        """The list, a page of it, one message, the shape; nothing steers a terminal."""
        await self.open()
        sent = await self.send("v@far.example", sender="a\x1b[2J@x.example", age=60)
        await self.send("w@far.example")
        said = await self.run_ctl("queue", "list", "--limit", "1")
        self.assertIn(f"{sent.id}  ", said.out)
        self.assertIn("a\\x1b[2J@x.example", said.out)
        after = said.out.rpartition("--after ")[2].strip()
        self.assertEqual(f"{sent.id}-1", after)
        found = await self.done("queue", "list", "--after", after)
        self.assertEqual(
            ["w@far.example"], [one["recipient"] for one in found["items"]]
        )
        said = await self.run_ctl("queue", "list", "--site", "b.example")
        self.assertIn("Nothing waits.\n", said.out)
        said = await self.run_ctl("queue", "show", sent.id)
        # No server is known here; whether that was found out already is chance.
        self.assertRegex(said.out, r"\nv@far.example: due\n  (tried 1 time; )?next ")
        self.assertIn(f" queue fail {sent.id}\n", said.out)
        said = await self.run_ctl("queue", "shape")
        self.assertRegex(said.out, r"SITE +WAITING +<5M +<1H +<4H +<1D +<3D +>3D")
        self.assertRegex(said.out, r"\nfar.example +2 +2 +0 +0 +0 +0 +0[ \n]")
        said = await self.run_ctl("queue", "show", "0" * 16)
        self.assertEqual(1, said.code)

    async def test_why(self) -> None:
        """However much a server says, a line of the list fits a terminal."""
        await self.open()
        sent = await self.send("v@far.example")
        word = Said("4.7.1", "come back later, " * 12, 451, "mx.far.example")
        outcome = Outcome(sent.id, 1, State.DUE, str(word), 0.0)
        await self.house.ledger.settle([outcome])
        for verb in (("list",), ("show", sent.id)):
            said = await self.run_ctl("queue", *verb)
            lines = said.out.split("Try now")[0].splitlines()
            self.assertIn("451 4.7.1 host mx.far.example: come back", said.out)
            self.assertGreater(110, max(map(len, lines)), verb)

    async def test_stopped(self) -> None:
        """What is held says how it is let go; a held account is looked at first."""
        await self.open()
        sent = await self.send("v@far.example", sender=ANN)
        await self.done("queue", "hold", sent.id)
        told = await self.run_ctl("status")
        self.assertRegex(told.out, r"queue +0, and 1 on hold\n")
        said = await self.run_ctl("queue", "show", sent.id)
        self.assertIn("next when it is let go\n  It is held by itself:", said.out)
        self.assertIn(f" queue resume {sent.id}\n", said.out)
        self.assertNotIn(f" queue retry {sent.id}\n", said.out)
        await self.done("user", "held", "add", ANN, "--reason", "a thief")
        said = await self.run_ctl("queue", "show", sent.id)
        self.assertIn(f" user held show {ANN}\n", said.out)
        self.assertNotIn(" queue resume ", said.out)

    async def test_sites(self) -> None:
        """A site by its name, every site, and one that goes elsewhere."""
        await self.open()
        await self.send("v@far.example")
        said = await self.run_ctl(
            "queue", "hold", "far.example", "--reason", "asked to"
        )
        self.assertEqual("far.example is held: 1 waiting.\n", said.out)
        await self.queue.note(SiteState("far.example", next_try=9e9, attempts=1))
        said = await self.run_ctl("queue", "list")
        self.assertRegex(said.out, r"site held +\d\n")
        await self.done("queue", "hold", "--all")
        self.assertEqual({"*", "far.example"}, self.queue.held)
        said = await self.run_ctl("queue", "shape")
        self.assertIn("Held, until queue resume: --all, far.example.\n", said.out)
        said = await self.run_ctl("queue", "retry", "far.example")
        self.assertIn("\nHeld all the same: far.example. queue shape", said.out)
        await self.done("queue", "resume", "--all")
        said = await self.run_ctl("queue", "resume", "far.example")
        self.assertEqual("far.example is held no more: 1 waiting.\n", said.out)
        said = await self.run_ctl("queue", "resume", "far.example")
        self.assertEqual(1, said.code)
        said = await self.run_ctl("queue", "reroute", "far.example", "smtp://[::1]:26")
        self.assertEqual(
            "Mail for far.example goes to smtp://[::1]:26. 1 waiting.\n", said.out
        )
        said = await self.run_ctl("queue", "reroute", "far.example", "none")
        self.assertIn("goes its usual way", said.out)
        said = await self.run_ctl("queue", "hold", "far.example", "--sender", ANN)
        self.assertEqual(2, said.code)
        self.assertIn("say --site", said.err)

    async def test_messages(self) -> None:
        """One by its name, or all that fit; many only if one says so."""
        await self.open()
        one = await self.send("v@far.example", sender=ANN)
        await self.send(*(f"{n}@far.example" for n in range(101)))
        done = await self.done("queue", "hold", one.id)
        self.assertEqual((1, 1), (done["meant"], done["changed"]))
        said = await self.run_ctl("queue", "resume", "--sender", ANN)
        self.assertEqual("To be tried now: 1 of 1 recipient.\n", said.out)
        # Also who was not put off himself, but waited with his site.
        said = await self.run_ctl("queue", "retry", one.id)
        self.assertEqual("To be tried now: 1 recipient.\n", said.out)
        said = await self.run_ctl("queue", "fail", "far.example")
        self.assertEqual(1, said.code)
        self.assertIn("102 recipients are meant", said.err)
        self.assertIn("--yes", said.err)
        done = await self.done("queue", "fail", one.id, "--reason", "gone")
        self.assertEqual(1, done["changed"])
        said = await self.run_ctl("queue", "drop", "--all", "--yes")
        self.assertEqual("Thrown away: 101 of 101 recipients.\n", said.out)
        said = await self.run_ctl("queue", "drop")
        self.assertEqual(1, said.code)
        self.assertIn("or say --all.", said.err)
        self.assertEqual([], await self.states())
