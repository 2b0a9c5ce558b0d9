"""Tests for L{smfd.ctl.client} and the exit codes of its verbs."""

import os
import pwd
import socket
import subprocess
import sys
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from smfd.ctl import client
from smfd.ctl.client import Client, NotDone, Unavailable, _Connection, owner_of
from smfd.net.socket_path import SocketPath
from tests.ctl.asking import CtlTestCase


class ClientTests(CtlTestCase):
    """Asking the daemon."""

    async def test_asks(self) -> None:
        """Each method does its own thing; what was not said is not sent."""
        await self.open()
        asked = Client(self.config)

        def talk() -> None:
            asked.post("/v1/domains", {"name": "b.example", "threshold": None})
            asked.patch("/v1/domains/b.example", {"threshold": 6.0})
            page = asked.get("/v1/domains", {"search": "b.ex", "limit": 1})
            self.assertEqual((1, 6.0), (page["total"], page["items"][0]["threshold"]))
            asked.delete("/v1/domains/b.example", {"force": True})
            self.assertRaises(NotDone, asked.get, "/v1/domains/b.example")

        await deferToThread(talk)

    async def test_exit_codes(self) -> None:
        """0 done, 1 refused or not found, 2 wrong usage."""
        await self.open()
        for code, arguments in (
            (0, ("domain", "list")),
            (1, ("domain", "show", "no.example")),
            (1, ("domain", "add", "n o")),
            (1, ("trace", "search", "--since", "soon")),
            (2, ("domain", "add")),
            (2, ("list", "add", "--scope", "operator")),
            (2, ("trace", "search", "--limit", "many")),
        ):
            said = await self.run_ctl(*arguments)
            self.assertEqual(code, said.code, (arguments, said))
            if code == 1:
                self.assertEqual("", said.out)
                self.assertTrue(said.err.strip().endswith("."), said.err)

    async def test_refused_as_json(self) -> None:
        """A refusal is one JSON document too."""
        await self.open()
        said = await self.run_ctl("domain", "show", "no.example", "--json")
        self.assertEqual(1, said.code)
        self.assertIn("no.example is not hosted here", said.document["error"])


class DownTests(SynchronousTestCase):
    """When nobody answers."""

    def test_down(self) -> None:
        """Without a daemon it is 75, and says how to start one."""
        config = Path(self.mktemp())
        config.parent.mkdir(exist_ok=True)
        config.write_text("")
        program = "from smfd.ctl import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, "--config", str(config), "status"],
            capture_output=True,
            check=False,
        )
        self.assertEqual(75, done.returncode)
        self.assertIn(b"twistd -n --pidfile= smfd --config", done.stderr)

    def test_too_long(self) -> None:
        """Who waits in vain for the end of long work reads that it goes on."""
        home = Path(self.mktemp())
        (home / "run").mkdir(parents=True)
        config = home / "smfd.toml"
        config.write_text("")
        self.patch(client, "_PATIENCE", 0.1)
        with socket.socket(socket.AF_UNIX) as silent:
            with SocketPath(home / "run/control.sock") as path:
                silent.bind(path)
            silent.listen()
            with self.assertRaises(Unavailable) as caught:
                Client(config).post("/v1/queue/drop", {"everything": True})
        self.assertIn("What was begun goes on", caught.exception.message)

    def test_settings(self) -> None:
        """Settings that are missing or broken are named."""
        folder = Path(self.mktemp())
        folder.mkdir()
        self.assertRaises(NotDone, Client(folder / "none.toml").get, "/")
        broken = folder / "smfd.toml"
        broken.write_text("[control\n")
        self.assertRaises(NotDone, Client(broken).get, "/")
        broken.write_text("control = 3\n[server]\nhome = 'other'\n")
        down = self.assertRaises(Unavailable, Client(broken).get, "/")
        self.assertEqual((75, 1), (down.exit_code, NotDone.exit_code))

    def test_not_ours(self) -> None:
        """Whoever may not is told whose it is, and what to type."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        config = folder / "smfd.toml"
        config.write_text("")

        def no(*_: object) -> str:
            raise PermissionError

        def told() -> str:
            return f"{self.assertRaises(NotDone, Client(config).get, '/')}"

        me = owner_of(config)
        self.patch(_Connection, "connect", no)
        said = told()
        self.assertIn(f"belongs to {me}: nobody else but root", said)
        self.assertRegex(said, r"Say: sudo .*--config .*smfd\.toml \.\.\.$")
        self.patch(client, "owner_of", lambda path: "smfd")
        self.assertIn("Say: sudo -u smfd ", told())
        self.patch(Path, "read_text", no)
        self.assertIn(f"{config} belongs to smfd", told())

    def test_owner(self) -> None:
        """Where nobody may look it is the folder's; who has no name is a number."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        self.assertEqual(owner_of(folder), owner_of(folder / "run" / "control.sock"))

        def nobody(number: int) -> str:
            raise KeyError(number)

        self.patch(pwd, "getpwuid", nobody)
        self.assertEqual(f"#{folder.stat().st_uid}", owner_of(folder))

    def test_no_twisted(self) -> None:
        """A verb is quick: it imports no Twisted."""
        program = (
            "import sys, smfd.ctl.directory, smfd.ctl.trace, smfd.ctl.quarantine,"
            " smfd.ctl.status; sys.exit('twisted' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], check=False, env=os.environ
        )
        self.assertEqual(0, done.returncode)
