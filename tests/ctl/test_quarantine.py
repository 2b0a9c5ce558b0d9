"""Tests for L{smfd.ctl.quarantine}: what is held, read from the command line."""

from attrs import evolve

from smfd.console.api import API
from smfd.format.words import printable
from smfd.scan.workers import Workers, command
from tests.control.building import reactor
from tests.control.test_excerpts import NASTY
from tests.ctl.asking import CtlTestCase

ANN = "ann@home.example"


class TextTests(CtlTestCase):
    """What a held message says."""

    async def _open(self) -> None:
        """A house with real workers behind its socket."""
        house = await self.build()
        self.config = self.home / "smfd.toml"
        self.config.write_text("[server]\nhostname = 'mx.home.example'\n")
        workers = Workers(reactor, command((), str(self.home / "spool")), size=1)
        workers.setServiceParent(self.services)
        self.house = evolve(house, workers=workers)
        socket = self.home / "run" / "control.sock"
        socket.parent.mkdir(mode=0o700)
        API(self.house, socket, reactor).setServiceParent(self.services)

    async def test_shown(self) -> None:
        """Fields, text and links, fit for a terminal; without it nothing of them."""
        await self._open()
        name = await self.receive(data=NASTY)
        said = await self.run_ctl("quarantine", "show", f"{name}-1", "--text")
        self.assertEqual(0, said.code, said)
        self.assertEqual(said.out, "\n".join(map(printable, said.out.split("\n"))))
        self.assertIn("\n  https[:]//www[.]evil[.]example/p?q=1\n", said.out)
        self.assertIn("--- text/html ---\n\\x1b[31mred", said.out)
        found = await self.done("quarantine", "show", f"{name}-1", "--text")
        self.assertEqual(3, found["text"]["link_count"])
        self.assertNotIn("What:", said.out)
        found = await self.done("quarantine", "show", f"{name}-1")
        self.assertNotIn("text", found)
        said = await self.run_ctl("quarantine", "show", f"{name}-1")
        self.assertIn(f"quarantine show {name}-1 --text\n", said.out)

    async def test_sample(self) -> None:
        """Of a held user one message is read, whatever he sent (D5)."""
        await self._open()
        for _ in range(2):
            await self.receive(category="held", account=ANN)
        said = await self.run_ctl("user", "held", "show", ANN, "--text")
        self.assertEqual(1, said.out.count("--- text/plain ---\nBuy\n"), said)
        self.assertIn(" --text\n", said.out)
        found = await self.done("user", "held", "show", ANN, "--text")
        self.assertEqual(found["sample"], [one["id"] for one in found["text"]])

    async def test_list(self) -> None:
        """It says that there is nothing, or that there is more, as other lists do."""
        await self._open()
        said = await self.run_ctl("quarantine", "list")
        self.assertRegex(said.out, r"\AID +[^\n]+\nThere are none\.\n\Z")
        for _ in range(2):
            await self.receive()
        said = await self.run_ctl("quarantine", "list", "--limit", "1")
        self.assertIn("\n1 of 2; --limit and --offset show others.\n", said.out)
