"""smfdctl init makes a whole home, or none."""

import json
import sqlite3
import ssl
import tomllib
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from smfd.config.load import load, read
from smfd.ctl import foundation, main, sample
from smfd.ctl.letters import letters
from smfd.ctl.probe_tls import names


class InitTests(SynchronousTestCase):
    """A new home."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()

    def init(self, *words: str) -> Result:
        """Run it on a home that is not there yet."""
        return CliRunner().invoke(main, ["init", str(self.home), *words])

    def made(self, *words: str) -> dict[str, Any]:
        """Make a home; what it says."""
        result = self.init(*words, "--json")
        self.assertEqual(0, result.exit_code, result.output)
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    def test_contract(self) -> None:
        """The JSON has the settings file, passwords and ports."""
        said = self.made(
            "--hostname=MX.a.example",
            "--domain=a.example",
            "--user=ann@a.example",
            "--user=bob@B.example",
            "--port-base=20000",
        )
        self.assertEqual(str(self.home / "smfd.toml"), said["config"])
        self.assertEqual({"ann@a.example", "bob@b.example"}, said["users"].keys())
        self.assertEqual("operator", said["operator"]["name"])
        secrets = {*said["users"].values(), said["operator"]["password"]}
        self.assertEqual(3, len(secrets))
        self.assertTrue(all(len(secret) >= 20 for secret in secrets))
        ports = {"mx": 20025, "submission": 20587, "submissions": 20465}
        ports |= {"lmtp": 20024, "console": 20080, "console_https": 20443}
        self.assertEqual(ports, said["ports"])

    def test_settings(self) -> None:
        """Only what must be set is set, and any other table can be appended."""
        self.made("--domain=a.example", "--port-base=20000")
        path = self.home / "smfd.toml"
        text = path.read_text()
        self.assertEqual(
            {
                "server": {"hostname": "mx.a.example"},
                "mx": {"listen": ["127.0.0.1:20025"]},
                "submission": {
                    "listen": ["127.0.0.1:20587"],
                    "listen_tls": ["127.0.0.1:20465"],
                },
            },
            tomllib.loads(text),
        )
        config = load(path)
        self.assertEqual(self.home, config.home)
        for more in (
            '[dns]\nservers = ["127.0.0.1:5300"]\n',
            '[virus]\nengine = "clamd"\nclamd = ["tcp:127.0.0.1:3310"]\n',
            "[relay]\nport = 2525\n",
            '[[relay.route]]\ndomain = "*"\nto = "smtp://127.0.0.1:2526"\n',
            '[[dns.record]]\nname="a.example"\ntype="A"\nvalue="192.0.2.1"\n',
        ):
            text += more
            read(text, path)

    def test_edited_in_place(self) -> None:
        """A line and its header can be set free where they stand."""
        self.made("--domain=a.example")
        text = (self.home / "smfd.toml").read_text()
        for old, new in (
            ("#[virus]", "[virus]"),
            ('#engine = "builtin"', 'engine = "clamd"'),
        ):
            self.assertEqual(1, text.count(old))
            text = text.replace(old, new)
        self.assertEqual("clamd", read(text, self.home / "x").virus.engine)

    def test_no_base(self) -> None:
        """Without a base it listens on the standard port, everywhere."""
        said = self.made("--domain=a.example")
        self.assertEqual(25, said["ports"]["mx"])
        config = load(self.home / "smfd.toml")
        self.assertEqual(("0.0.0.0:25", "[::]:25"), config.mx.listen)

    def test_modes(self) -> None:
        """Nobody but us can look at anything."""
        self.made("--user=ann@a.example")
        for path in [self.home, *self.home.rglob("*")]:
            expected = 0o700 if path.is_dir() else 0o600
            self.assertEqual(oct(expected), oct(path.stat().st_mode & 0o777), path)

    def test_certificate(self) -> None:
        """The certificate goes with its key and has our name."""
        self.made("--hostname=mx.a.example")
        tls = self.home / "tls"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
        certificate = x509.load_pem_x509_certificate((tls / "cert.pem").read_bytes())
        self.assertEqual(["mx.a.example"], names(certificate))

    def test_directory(self) -> None:
        """Domains, mailboxes and lists are in the directory, passwords as hashes."""
        said = self.made("--demo", "--port-base=20000")
        connection = sqlite3.connect(self.home / "directory.db")
        self.addCleanup(connection.close)
        domains = connection.execute("SELECT name FROM domains").fetchall()
        self.assertEqual([(sample.DOMAIN,)], domains)
        accounts = dict(connection.execute("SELECT address, password FROM accounts"))
        for user in sample.USERS:
            self.assertTrue(accounts[user].startswith("$argon2id$"), accounts[user])
        entries = connection.execute("SELECT scope, allow, pattern FROM entries")
        self.assertEqual(
            {(entry.scope, int(entry.allow), entry.pattern) for entry in sample.LISTS},
            set(entries.fetchall()),
        )
        files = b"".join(p.read_bytes() for p in self.home.rglob("*") if p.is_file())
        for secret in (*said["users"].values(), said["operator"]["password"]):
            self.assertNotIn(secret.encode(), files)

    def test_demo_needs_no_dns(self) -> None:
        """A demonstration looks nothing up, and knows its sample senders."""
        self.made("--demo")
        dns = load(self.home / "smfd.toml").dns
        self.assertTrue(dns.offline)
        known = {record.name for record in dns.record}
        self.assertIn(sample.FRIEND.rpartition("@")[2], known)
        self.assertIn(sample.SHOP.rpartition("@")[2], known)

    def test_existing(self) -> None:
        """A home that is there is refused, and stays as it is."""
        self.home.mkdir()
        (self.home / "precious").write_text("x")
        result = self.init("--domain=a.example")
        self.assertEqual(1, result.exit_code)
        self.assertIn("exists", result.stderr)
        self.assertEqual(["precious"], [path.name for path in self.home.iterdir()])

    def test_failure_leaves_nothing(self) -> None:
        """Whatever breaks, no half a home stays behind."""

        def broken(*_: object) -> bytes:
            raise OSError(28, "No space left on device")

        self.patch(foundation, "sample", broken)
        result = self.init("--user=ann@a.example")
        self.assertEqual(1, result.exit_code)
        self.assertIn("No space left", result.stderr)
        self.assertFalse(self.home.exists())

    def test_wrong(self) -> None:
        """A name that cannot be is refused in a sentence, before anything is made."""
        for words in (
            ("--user=nobody",),
            ("--user=a b@a.example",),
            ("--domain=-.example",),
            ("--hostname=a b",),
            ("--hostname=a..b",),
        ):
            result = self.init(*words)
            self.assertEqual(1, result.exit_code, words)
            self.assertTrue(result.stderr)
            self.assertFalse(self.home.exists())
        self.assertEqual(2, self.init("--port-base=65000").exit_code)

    def test_text(self) -> None:
        """People are told the passwords once, and what to do next."""
        result = self.init("--user=ann@a.example", "--port-base=20000")
        self.assertEqual(0, result.exit_code, result.output)
        self.assertIn("ann@a.example", result.stdout)
        self.assertIn("20025", result.stdout)
        self.assertIn("twistd -n --pidfile= smfd --config", result.stdout)
        steps = result.stdout.partition("Next:\n")[2]
        self.assertRegex(steps, r"(?s) check\n.*twistd .* dns a\.example\n\Z")

    def test_no_domain(self) -> None:
        """Where none is hosted yet, that is a step too, before its zone."""
        steps = self.init().stdout.partition("Next:\n")[2]
        self.assertRegex(steps, r"(?s)twistd .* domain add DOMAIN\n.* dns DOMAIN\n\Z")


class LetterTests(SynchronousTestCase):
    """The sample mail."""

    def test_wire_form(self) -> None:
        """Every sample is a message as RFC 5321 wants it: CRLF, ASCII."""
        for letter in letters():
            bare = letter.message.replace(b"\r\n", b"")
            self.assertNotIn(b"\n", bare)
            self.assertNotIn(b"\r", bare)
            self.assertTrue(letter.message.isascii())
            self.assertTrue(letter.message.endswith(b"\r\n"))

    def test_every_way(self) -> None:
        """There is one for many recipients, one for nobody, one in our name."""
        recipients = [letter.recipients for letter in letters()]
        self.assertIn(sample.USERS, recipients)
        self.assertTrue(any(set(them) - set(sample.USERS) for them in recipients))
        self.assertTrue(any(one.sender in sample.USERS for one in letters()))
