"""What is written about the settings is true."""

import re
import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smfd.config.load import read
from smfd.config.render import describe, pages, sample, unknown
from smfd.config.schema import Config

HERE = Path("/etc/smfd/smfd.toml")


def uncommented(text: str) -> str:
    """Every setting and every header in force."""
    return re.sub(r"(?m)^#(?=[a-z\[])", "", text)


class SampleTests(SynchronousTestCase):
    """The sample file."""

    def test_nothing_is_set(self) -> None:
        """As it comes, it sets nothing at all."""
        self.assertEqual({}, tomllib.loads(sample()))

    def test_uncommenting_changes_nothing(self) -> None:
        """Uncommenting every line changes nothing, and leaves nothing out."""
        text = uncommented(sample())
        self.assertEqual(Config(path=HERE), read(text, HERE))
        document = tomllib.loads(text)
        for page in pages():
            if page.key.many:
                continue
            node = document
            for part in page.name.split("."):
                node = node[part]
            missing = {key.name for key in page.keys} - node.keys()
            self.assertEqual(set(), missing, page.name)

    def test_examples_are_right(self) -> None:
        """The examples of arrays and free keys can be taken as they stand."""
        text = uncommented(re.sub(r"(?m)^#     ", "", sample()))
        config = read(text, HERE)
        self.assertEqual("*", config.relay.route[0].domain)
        self.assertEqual("TXT", config.dns.record[0].type)
        self.assertEqual({"SPF_FAIL": 2.5}, config.scores)

    def test_document(self) -> None:
        """What a home sets is in force, and every other table can be appended."""
        record = {"name": "a.example", "type": "TXT", "value": 'say "é\\"'}
        document = {
            "server": {"hostname": "mx.a.example"},
            "dns": {"offline": True, "record": [record, record]},
            "scores": {"SPF_FAIL": 1.5},
        }
        text = sample(document)
        self.assertEqual(document, tomllib.loads(text))
        text += '[virus]\nengine = "clamd"\n[relay]\nport = 2525\n'
        text += "[[relay.route]]\ndomain = '*'\nto = 'smtp://127.0.0.1:2526'\n"
        config = read(text, HERE)
        self.assertEqual(2525, config.relay.port)
        self.assertEqual(record["value"], config.dns.record[1].value)

    def test_width(self) -> None:
        """Prose fits a terminal."""
        for line in sample().splitlines():
            if line.startswith("# ") and not line.startswith("#     "):
                self.assertLessEqual(len(line), 80, line)


class DescribeTests(SynchronousTestCase):
    """smfdctl config describe."""

    def test_setting(self) -> None:
        """One setting: its default, what it is for, its limits."""
        lines = describe("mx.recipients")
        self.assertEqual("mx.recipients = 1000", lines[0])
        self.assertIn("100 to 50000", lines[1])

    def test_table(self) -> None:
        """A table: all that is in it, and nothing of others."""
        text = "\n".join(describe("scan.on_error"))
        self.assertIn("scan.on_error.spf", text)
        self.assertNotIn("mx.", text)

    def test_unknown(self) -> None:
        """There is nothing to say of what is no setting, but what is like it."""
        self.assertEqual([], describe("mx.nope"))
        self.assertIn("Did you mean mx.recipients?", unknown("mx.recipient"))
        self.assertIn("Did you mean virus.engine?", unknown("engine"))
        self.assertTrue(unknown("xyzzy").endswith('"xyzzy".'))

    def test_readable(self) -> None:
        """No comment signs of the sample, and whole numbers in full."""
        lines = describe("")
        self.assertEqual([], [line for line in lines if "#" in line])
        text = " ".join(" ".join(lines).split())
        self.assertIn("0 to 1125899906842624", text)
