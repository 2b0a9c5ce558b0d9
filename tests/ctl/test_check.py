"""smfdctl check finds what is in the way."""

import json
import shutil
import socket
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.trial.unittest import SynchronousTestCase

from smfd.control.bootstrap import found
from smfd.ctl import main
from smfd.net.socket_path import SocketPath
from tests.redis import RedisServer
from tests.signed_zones import Unbound, Zone


def certificate(name: str, days: int) -> tuple[bytes, bytes]:
    """A certificate for a name that ends so many days from now, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    ends = datetime.now(UTC) + timedelta(days=days)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - timedelta(days=100))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class CheckTests(SynchronousTestCase):
    """Every line is OK, or says how to mend it."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir(mode=0o700)
        (self.home / "r.cf").write_text("body A /a/\n")
        self.certify("mx.example.org", 90)
        found(self.home, "mx.example.org", ["example.org"], {})

    def certify(self, name: str, days: int) -> None:
        """Put a certificate where the settings look for it."""
        (self.home / "tls").mkdir(exist_ok=True)
        cert, key = certificate(name, days)
        (self.home / "tls" / "cert.pem").write_bytes(cert)
        (self.home / "tls" / "key.pem").write_bytes(key)

    def check(self, more: str = "", listen: str = "127.0.0.1:0") -> dict[str, Any]:
        """Run it; the reports by name, and the exit code."""
        (self.home / "smfd.toml").write_text(
            '[server]\nhostname = "mx.example.org"\n'
            f'[mx]\nlisten = ["{listen}"]\n'
            "[submission]\nlisten = []\nlisten_tls = []\n"
            f'[content]\nrules = ["."]\n{more}'
        )
        config = str(self.home / "smfd.toml")
        result = CliRunner().invoke(main, ["--config", config, "check", "--json"])
        document = json.loads(result.stdout)
        self.assertEqual(result.exit_code, 1 if document["errors"] else 0)
        return {one["name"].split()[0]: one for one in document["checks"]}

    def assertState(self, report: dict[str, Any], state: str, words: str) -> None:
        """A report is so, and says so."""
        self.assertEqual(state, report["state"], report)
        self.assertIn(words, report["text"])

    def test_well(self) -> None:
        """Where all is well the only warnings are those of a trial."""
        found = self.check("[dns]\noffline = true\n")
        states = {name: one["state"] for name, one in found.items()}
        told = {name for name, state in states.items() if state != "ok"}
        self.assertEqual({"virus", "dns", "relay"}, told)
        self.assertState(found["virus"], "warning", "no antivirus is installed")
        self.assertState(found["dns"], "warning", "Offline")

    def test_databases(self) -> None:
        """No mailboxes, no domains, a file that is no database."""
        found = self.check()
        self.assertState(found["directory"], "ok", "domains: 1, mailboxes: 1")
        with sqlite3.connect(self.home / "directory.db") as directory:
            directory.execute("DELETE FROM domains")
        directory.close()
        (self.home / "ledger.db").write_bytes(b"x" * 8192)
        found = self.check()
        self.assertState(found["directory"], "warning", "No domain is hosted")
        self.assertState(found["ledger"], "error", "not a database")
        self.assertState(found["ledger"], "error", "Restore it from a backup")
        (self.home / "directory.db").unlink()
        self.assertState(self.check()["directory"], "error", "is missing")
        (self.home / "directory.db").mkdir()
        self.assertState(self.check()["directory"], "error", "owner, mode, disk")

    def test_settings(self) -> None:
        """Settings that cannot be used are all told, and nothing else is tried."""
        (self.home / "smfd.toml").write_text("[mx]\nx = 1\ny = 1\n")
        config = str(self.home / "smfd.toml")
        result = CliRunner().invoke(main, ["--config", config, "check"])
        self.assertEqual(1, result.exit_code)
        self.assertEqual(2, result.stdout.count("ERROR"))
        self.assertIn("smfd.toml:3: mx.y:", result.stdout)

    def test_port(self) -> None:
        """A port that another program has, or an address that is not ours."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = f"127.0.0.1:{other.getsockname()[1]}"
            found = self.check("[dns]\noffline = true\n", taken)
        self.assertState(found["listen"], "error", "Another program has it")
        found = self.check("[dns]\noffline = true\n", "192.0.2.77:2525")
        self.assertState(found["listen"], "error", "no such address")

    def test_home(self) -> None:
        """A home that others can look into, and a disk that is full."""
        self.home.chmod(0o755)
        found = self.check(f"[dns]\noffline=true\n[store]\nminimum_free={2**50}")
        self.assertState(found["home"], "warning", "chmod 700")
        self.assertState(found["disk"], "error", "452")

    def test_certificate(self) -> None:
        """Expired, nearly so, for another name, without its key, not there."""
        offline = "[dns]\noffline = true\n"
        for name, days, state, words in (
            ("mx.example.org", -1, "error", "not in force"),
            ("mx.example.org", 3, "warning", "only until"),
            ("other.example.org", 90, "warning", "not for mx.example.org"),
        ):
            self.certify(name, days)
            self.assertState(self.check(offline)["certificate"], state, words)
        (self.home / "tls" / "key.pem").write_bytes(certificate("x", 1)[1])
        report = self.check(offline)["certificate"]
        self.assertState(report, "error", "do not go together")
        (self.home / "tls" / "cert.pem").unlink()
        self.assertState(self.check(offline)["certificate"], "error", "Mend [tls]")
        report = self.check(offline + '[tls]\ncertificate=""\nkey=""')["certificate"]
        self.assertState(report, "warning", "in the clear")

    def test_stages(self) -> None:
        """A stage that is off is said aloud."""
        found = self.check('[dns]\noffline=true\n[scan]\nstages=["lists","spf"]')
        self.assertState(found["stages"], "warning", "virus, dkim, arc, dmarc")

    def test_rules(self) -> None:
        """A folder without rules is an error: nothing would be judged."""
        (self.home / "r.cf").unlink()
        found = self.check("[dns]\noffline = true\n")
        self.assertState(found["rules"], "error", "has no rules")

    def test_broken_rule(self) -> None:
        """A rule that cannot be read is told with its file and line."""
        (self.home / "r.cf").write_text("body A /a/\n\nbody B /(/\n")
        found = self.check("[dns]\noffline = true\n")
        self.assertState(found["rules"], "error", "r.cf:3: ")

    def test_authorities(self) -> None:
        """Whom we believe must be there, and be certificates."""
        path = self.home / "ca.pem"
        for table in ("onward", "tls_out"):
            more = f'[dns]\noffline=true\n[{table}]\nauthorities = "ca.pem"\n'
            path.unlink(missing_ok=True)
            said = self.check(more)["authorities"]
            self.assertState(said, "error", f"Mend [{table}]")
            path.write_text("no certificate")
            self.assertState(self.check(more)["authorities"], "error", "would wait")
            path.write_bytes((self.home / "tls" / "cert.pem").read_bytes())
            self.assertState(self.check(more)["authorities"], "ok", table)

    def test_dnssec(self) -> None:
        """It says whether a resolver vouches for its answers; else DANE is off."""
        host = "@ SOA ns root 1 1 1 1 1\n@ NS ns\nmx.example.org A 192.0.2.1\n"
        for signed, state, words in (
            (True, "ok", "DANE is obeyed"),
            (False, "warning", "DANE is off"),
        ):
            home = self.home / f"unbound-{signed}"
            unbound = Unbound(home, {".": Zone(host, signed)})
            unbound.start()
            self.addCleanup(unbound.stop)
            servers = f'[dns]\nservers=["127.0.0.1:{unbound.port}"]\n'
            found = self.check(servers)
            self.assertState(found["dns"], "ok", "answers")
            self.assertState(found["dnssec"], state, words)
            found = self.check(f"{servers}[tls_out]\ndane = false\n")
            self.assertNotIn("dnssec", found)
            for table in (
                '[[tls_out.site]]\ndomain = "b.example"\npolicy = "dane-only"\n',
                '[[relay.route]]\ndomain = "b.example"\nto = "smtp://c.example"\n'
                'tls = "dane-only"\n',
            ):
                found = self.check(f"{servers}[tls_out]\ndane = false\n{table}")
                bad = "error" if state == "warning" else "ok"
                words = "mail for b.example waits" if bad == "error" else words
                self.assertState(found["dnssec"], bad, words)

    def test_lists(self) -> None:
        """A list that watches our addresses has 127.0.0.2 and not 127.0.0.1."""
        host = (
            "@ SOA ns root 1 1 1 1 1\n@ NS ns\nmx.example.org A 192.0.2.1\n"
            "2.0.0.127.good.test A 127.0.0.2\n"
            "2.0.0.127.refuses.test A 127.255.255.254\n"
            "2.0.0.127.all.test A 127.0.0.2\n1.0.0.127.all.test A 127.0.0.2\n"
        )
        unbound = Unbound(self.home / "unbound", {".": Zone(host, signed=False)})
        unbound.start()
        self.addCleanup(unbound.stop)
        servers = f'[dns]\nservers=["127.0.0.1:{unbound.port}"]\n'
        self.assertNotIn("lists", self.check(servers))
        for name, state in (
            ("good.test", "ok"),
            ("refuses.test", "warning"),
            ("all.test", "warning"),
            ("gone.test", "warning"),
        ):
            found = self.check(f'{servers}[reputation]\nlists = ["{name}"]\n')
            self.assertState(found["lists"], state, name)

    def test_dns(self) -> None:
        """A server that does not answer."""
        found = self.check('[dns]\nservers=["127.0.0.1:9"]\nlifetime=0.2\ntimeout=0.1')
        self.assertState(found["dns"], "error", "No server answers")

    def test_clamd(self) -> None:
        """clamd answers, is somebody else, or is not there."""
        for answer, state, words in (
            (b"PONG\0", "ok", "clamd answers"),
            (b"220 hello\r\n", "error", "it is not clamd"),
        ):
            found = self.with_server(answer, lambda port: self.check(clamd_at(port)))
            self.assertState(found["virus"], state, words)
        found = self.check(clamd_at(1))
        self.assertState(found["virus"], "error", "Mail is deferred")
        text = '"unix:/nowhere/clamd", "tcp:127.0.0.1:'
        found = self.with_server(
            b"PONG\0",
            lambda port: self.check(clamd_at(port).replace('"tcp:127.0.0.1:', text)),
        )
        self.assertState(found["virus"], "warning", "/nowhere/clamd")

    def test_redis(self) -> None:
        """A real Redis answers, wants a password, or is not there."""
        self.assertNotIn("redis", self.check(""))
        with RedisServer("s3cret") as redis:
            settings = f'[quota.redis]\nserver = "{redis.place}"\n'
            found = self.check(settings + 'password = "s3cret"\n')
            self.assertState(found["redis"], "ok", "answers at unix:")
            found = self.check(settings)
            self.assertState(found["redis"], "error", "NOAUTH")
            found = self.check(settings + 'password = "wrong"\n')
            self.assertState(found["redis"], "error", "WRONGPASS")
        found = self.check(settings)
        self.assertState(found["redis"], "error", "1/2 of their limits")

    def test_unix_socket(self) -> None:
        """Where LMTP listens: a socket that can be made, or what is in its way."""
        path = self.home / "lmtp.sock"
        more = f'[dns]\noffline = true\n[lmtp]\nlisten = ["unix:{path}"]\n'
        self.assertState(self.check(more)["listen"], "ok", "free")
        path.write_text("x")
        self.assertState(self.check(more)["listen"], "error", "no socket")
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other, SocketPath(path) as short:
            other.bind(short)
            other.listen(1)
            self.assertState(self.check(more)["listen"], "error", "Another program")
        self.assertState(self.check(more)["listen"], "ok", "free")
        lost = more.replace(f"{path}", "/no/where/lmtp.sock")
        self.assertState(self.check(lost)["listen"], "error", "in /no/where")

    def test_next_hops(self) -> None:
        """Servers that mail goes on to: they greet, refuse, or are not there."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        path = folder / "lmtp"
        self.hop(f"lmtp:unix:{path}")
        self.assertState(self.check()["next_hop"], "error", "unix_listener")
        for greeting, state, words in (
            (b"220 dovecot ready.\r\n", "ok", "answers"),
            (b"421 busy\r\n", "warning", "'421 busy'"),
            (b"", "warning", "''"),
        ):
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(path))
                server.listen(1)
                with greeted(server, greeting):
                    self.assertState(self.check()["next_hop"], state, words)
            path.unlink()
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.hop(f"smtp://127.0.0.1:{server.getsockname()[1]}")
            with greeted(server, b"220 hello\r\n"):
                self.assertState(self.check()["next_hop"], "ok", "answers")
        self.assertState(self.check()["next_hop"], "warning", "waits here")

    def test_relay(self) -> None:
        """The way to the world: none, an address we lack, a password we lack."""
        offline = "[dns]\noffline = true\n"
        self.assertState(self.check(offline)["relay"], "warning", "goes nowhere")
        self.assertState(self.check()["relay"], "ok", "by MX records")
        with socket.create_server(("127.0.0.1", 0)) as server:
            to = f"smtp://127.0.0.1:{server.getsockname()[1]}"
            route = f'[[relay.route]]\ndomain = "*"\nto = "{to}"\n'
            with greeted(server, b"220 hello\r\n"):
                found = self.check(offline + route)
        self.assertState(found["relay"], "ok", "by a route")
        self.assertState(found["next_hop"], "ok", "answers")
        more = 'tls = "verify"\nusername = "us"\npassword_file = "secret"\n'
        names = {one["text"] for one in self.reports(route + more)}
        self.assertTrue(any("secret cannot be read" in text for text in names), names)
        (self.home / "secret").write_text("x")
        names = {one["text"] for one in self.reports(route + more)}
        self.assertFalse(any("secret cannot be read" in text for text in names), names)
        source = "[[relay.source]]\naddress = '{}'\n"
        for address, missing in (("192.0.2.1", True), ("127.0.0.1", False)):
            texts = [one["text"] for one in self.reports(source.format(address))]
            self.assertIs(missing, any("no such address" in text for text in texts))

    def reports(self, more: str) -> list[dict[str, Any]]:
        """All of them."""
        self.check(more)
        config = str(self.home / "smfd.toml")
        result = CliRunner().invoke(main, ["--config", config, "check", "--json"])
        found: list[dict[str, Any]] = json.loads(result.stdout)["checks"]
        return found

    def hop(self, written: str) -> None:
        """The domain's mail goes there."""
        with sqlite3.connect(self.home / "directory.db") as directory:
            directory.execute("UPDATE domains SET next_hop=?", (written,))
        directory.close()

    def with_server(self, answer: bytes, check: Callable[[int], Any]) -> Any:
        """What a check says while a server gives everybody one answer."""

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(64)
                connection.sendall(answer)

        with socket.create_server(("127.0.0.1", 0)) as server:
            serving = threading.Thread(target=serve)
            serving.start()
            found = check(server.getsockname()[1])
            serving.join()
        return found


@contextmanager
def greeted(server: socket.socket, greeting: bytes) -> Iterator[None]:
    """The first who comes is greeted so."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(greeting)

    serving = threading.Thread(target=serve)
    serving.start()
    yield
    serving.join(10)


def clamd_at(port: int) -> str:
    """Settings with clamd at a port."""
    return (
        "[dns]\noffline = true\n"
        f'[virus]\nengine = "clamd"\nclamd = ["tcp:127.0.0.1:{port}"]\n'
    )
