"""What is made from something else, or lists something, agrees with it."""

import ast
import configparser
from pathlib import Path

from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.config.render import manual, pages, sample
from smfd.tap import Options

PACKAGE = Path(smfd.__file__).parent
ROOT = PACKAGE.parent


class GeneratedTests(SynchronousTestCase):
    """When one of these fails, say C{make generate} and look at the difference."""

    maxDiff = None

    def test_sample(self) -> None:
        """etc/smfd.toml is what the schema says."""
        self.assertEqual(sample(), (ROOT / "etc" / "smfd.toml").read_text())

    def test_manual(self) -> None:
        """docs/settings.md is what the schema says."""
        self.assertEqual(manual(), (ROOT / "docs" / "settings.md").read_text())


class PackagingTests(SynchronousTestCase):
    """setup.cfg carries everything."""

    def setUp(self) -> None:
        self.setup = configparser.ConfigParser()
        self.setup.read(ROOT / "setup.cfg")

    def test_packages(self) -> None:
        """Every package is installed, the plug-in and etc/ too."""
        packages = {
            ".".join(path.parent.relative_to(ROOT).parts)
            for path in PACKAGE.rglob("__init__.py")
        }
        named = self.setup["options"]["packages"].split()
        self.assertEqual(packages | {"smfd.shipped", "twisted.plugins"}, set(named))
        self.assertEqual(sorted(named), named)

    def test_shipped(self) -> None:
        """Every file of etc/ that the program reads is in the wheel."""
        globs = self.setup["options.package_data"]["smfd.shipped"].split()
        for name in ("smfd.toml", "rules.d"):
            self.assertTrue(any(glob.startswith(name) for glob in globs), name)

    def test_unit(self) -> None:
        """The systemd unit starts us with options that we have."""
        unit = configparser.ConfigParser(interpolation=None, strict=False)
        unit.optionxform = str  # type: ignore
        unit.read(ROOT / "etc" / "systemd" / "smfd.service")
        program, *words = unit["Service"]["ExecStart"].split()
        self.assertTrue(program.endswith("/.venv/bin/twistd"))
        at = words.index("smfd")
        Options().parseOptions(words[at + 1 :])
        twistd = ServerOptions()
        twistd.parseOptions(words[:at])
        self.assertTrue(twistd["nodaemon"])
        home = str(Path(words[-1]).parent)
        self.assertEqual(home, unit["Service"]["ReadWritePaths"])

    def test_plugin_folder(self) -> None:
        """The folder of the plug-in belongs to Twisted: no __init__.py in it."""
        self.assertEqual([], list((ROOT / "twisted").rglob("__init__.py")))


class ReadTests(SynchronousTestCase):
    """A setting that nobody reads is a promise that nobody keeps."""

    def test_every_setting_is_read(self) -> None:
        """
        Somebody who has the settings names each, or the table whose keys it
        walks; to try a setting, as check does, is not to read it.
        """
        read = {
            node.attr
            for path in PACKAGE.rglob("*.py")
            if "smfd.config." in (text := path.read_text())
            and path.parent.name != "config"
            and not path.name.startswith("probe")
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Attribute)
        }
        for page in pages():
            table = page.name.rpartition(".")[2]
            if table == "on_error":
                continue
            missing = {key.name for key in page.keys} - read
            self.assertEqual(set(), missing, f"[{page.name}]")
