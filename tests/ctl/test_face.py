"""What every verb of smfdctl promises."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from smfd.ctl import VERBS, main
from smfd.ctl.face import Face, verb
from smfd.format.words import printable


@click.command()
@click.argument("what")
@verb
def ask(face: Face, what: str) -> None:
    """A verb for these tests."""
    if what == "no":
        face.refuse("Not so.")
    if what == "later":
        face.later("Not now.")
    face.show({"config": str(face.config), "what": what}, [what, "two"])


class FaceTests(SynchronousTestCase):
    """How a verb answers."""

    def ask(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        result = CliRunner(env={"SMFD_CONFIG": "/x/smfd.toml"}).invoke(ask, words)
        return result.exit_code, result.stdout, result.stderr

    def test_text(self) -> None:
        """People get lines."""
        self.assertEqual((0, "one\ntwo\n", ""), self.ask("one"))

    def test_json(self) -> None:
        """Programs get one JSON document, asked for before or after the rest."""
        for words in (("one", "--json"), ("--json", "one")):
            code, out, _ = self.ask(*words)
            self.assertEqual(0, code)
            self.assertEqual({"config": "/x/smfd.toml", "what": "one"}, json.loads(out))

    def test_codes(self) -> None:
        """1 refused, 75 try again, 2 wrong usage; why goes to standard error."""
        self.assertEqual((1, "", "Not so.\n"), self.ask("no"))
        self.assertEqual((75, "", "Not now.\n"), self.ask("later"))
        self.assertEqual(2, self.ask("one", "--nope")[0])

    def test_codes_in_json(self) -> None:
        """A refusal is a document too."""
        code, out, _ = self.ask("no", "--json")
        self.assertEqual((1, {"error": "Not so."}), (code, json.loads(out)))

    def test_nothing_steers_the_terminal(self) -> None:
        """A subject with escape sequences or hidden signs is shown, not obeyed."""
        self.assertEqual("a\\x1b[2Jb", printable("a\x1b[2Jb"))
        self.assertEqual("a\\u202eb\\n", printable("a\u202eb\n"))
        self.assertEqual("\\ud800", printable("\ud800"))
        self.assertEqual("Grüße\tan\tAlle", printable("Grüße\tan\tAlle"))
        self.assertEqual((0, "\\x1b[2J\ntwo\n", ""), self.ask("\x1b[2J"))


class MainTests(SynchronousTestCase):
    """smfdctl itself."""

    def test_config(self) -> None:
        """The settings file is named before the verb."""
        result = CliRunner().invoke(main, ["--config", "/nowhere/x.toml", "check"])
        self.assertEqual(1, result.exit_code)
        self.assertIn("/nowhere/x.toml: There is no such file", result.stdout)

    def test_unknown(self) -> None:
        """A verb that is none is wrong usage."""
        self.assertEqual(2, CliRunner().invoke(main, ["chekc"]).exit_code)

    def test_help(self) -> None:
        """Help names every verb without importing any."""
        code = (
            "import sys; from smfd.ctl import main; main(['--help'], "
            "standalone_mode=False); print([m for m in sys.modules if 'smfd.' in m "
            "or m == 'twisted'])"
        )
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for name in VERBS:
            self.assertIn(f"  {name} ", out)
        self.assertTrue(out.endswith("['smfd.ctl.face', 'smfd.ctl']\n"), out)

    def test_verbs(self) -> None:
        """Every verb of the table is there, and starts without Twisted."""
        for name, found in VERBS.items():
            module = import_module(f"smfd.ctl.{found.module}")
            self.assertIsInstance(getattr(module, found.name), click.Command, name)
        code = (
            "import sys\nfrom importlib import import_module\n"
            f"for name in {sorted({v.module for v in VERBS.values()})!r}:\n"
            "    import_module('smfd.ctl.' + name)\n"
            "assert 'twisted.internet' not in sys.modules, 'Twisted is imported'"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_installed(self) -> None:
        """The command is where the contract says."""
        self.assertTrue(Path(sys.executable).parent.joinpath("smfdctl").exists())
