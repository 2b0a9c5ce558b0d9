"""TLS at the front door: names, reload, clients' certificates, and what is refused."""

import atexit
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from twisted.trial.unittest import SynchronousTestCase

from smfd.net.tls import make_self_signed
from tests.system.house import House, id_of
from tests.system.talk import Talk
from tests.system.test_doors import opened

ANN = "ann@example.test"
LETTER = b"From: Alice <alice@sender.test>\r\nSubject: %s\r\n\r\nHi.\r\n"

SETTINGS = """
[dns]
offline = true

[tls]
ask_clients = true
client_authorities = "tls/friend.pem"

[[tls.sni]]
certificate = "tls/a.pem"
key = "tls/a.key"

[[tls.sni]]
certificate = "tls/b.pem"
key = "tls/b.key"

[lmtp]
listen = ["127.0.0.1:{lmtp}"]
"""


def renew(folder: Path, name: str, host: str) -> int:
    """Write a certificate and its key; its serial number."""
    certificate, key = make_self_signed(host)
    (folder / f"{name}.pem").write_bytes(certificate)
    (folder / f"{name}.key").write_bytes(key)
    return x509.load_pem_x509_certificate(certificate).serial_number


@cache
def running() -> tuple[House, dict[str, int]]:
    """A house with three certificates, and their serial numbers by name."""
    house = House((ANN,))
    atexit.register(house.remove)
    folder = house.home / "tls"
    own = x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())
    serials = {
        "mx.example.test": own.serial_number,
        "a.other.test": renew(folder, "a", "a.other.test"),
        "x.wild.test": renew(folder, "b", "*.wild.test"),
    }
    for friend in "friend", "stranger":
        renew(folder, friend, f"{friend}.test")
    with house.config.open("a") as file:
        file.write(SETTINGS.format(lmtp=house.base + 24))
    opened(house, listen_tls=f'["127.0.0.1:{house.base + 467}"]')
    house.start()
    return house, serials


class TLSTests(SynchronousTestCase):
    """One house with three certificates."""

    def setUp(self) -> None:
        """One daemon for all of them."""
        self.house, self.serials = running()
        self.folder = self.house.home / "tls"

    def context(self, certificate: str = "") -> ssl.SSLContext:
        """A client that believes everybody, with a certificate of its own perhaps."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if certificate:
            pem, key = (self.folder / f"{certificate}.{end}" for end in ("pem", "key"))
            context.load_cert_chain(pem, key)
        return context

    def implicit(
        self, name: str | None = None, context: ssl.SSLContext | None = None
    ) -> ssl.SSLSocket:
        """TLS from the first octet on."""
        plain = socket.create_connection(("127.0.0.1", self.house.base + 467), 20)
        context = context or self.context()
        secure = context.wrap_socket(plain, server_hostname=name)
        self.addCleanup(secure.close)
        return secure

    def starttls(
        self, name: str | None = None, context: ssl.SSLContext | None = None
    ) -> Talk:
        """TLS by STARTTLS, and EHLO."""
        talk = Talk(self.house.port)
        self.addCleanup(lambda: talk.socket.close())
        self.assertEqual(220, talk.code(b"STARTTLS"))
        context = context or self.context()
        talk.socket = context.wrap_socket(talk.socket, server_hostname=name)
        talk.ask(b"EHLO mail.sender.test")
        return talk

    def serial(self, connection: socket.socket) -> int:
        """Which certificate the client saw."""
        assert isinstance(connection, ssl.SSLSocket)
        seen = connection.getpeercert(binary_form=True)
        assert seen is not None
        return x509.load_der_x509_certificate(seen).serial_number


class NameTests(TLSTests):
    """The client asks for a name (RFC 6066 §3)."""

    def test_names(self) -> None:
        """Each name has its certificate, by STARTTLS and without; others have ours."""
        known = dict(self.serials)
        for name in ("unknown.test", "wild.test", "a.b.wild.test", "other.test", None):
            known[name] = known["mx.example.test"]  # type: ignore[index]
        known["A.OTHER.test"] = known["a.other.test"]
        for name, serial in known.items():
            self.assertEqual(serial, self.serial(self.starttls(name).socket), name)
            self.assertEqual(serial, self.serial(self.implicit(name)), name)

    def test_reload(self) -> None:
        """
        SIGHUP reads all of them again; nobody is cut off, and when one of
        them is broken all the old ones stay.
        """
        open_ones = [self.starttls("a.other.test"), Talk.over(self.implicit())]
        new = renew(self.folder, "a", "a.other.test")
        self.hangup(b"the certificate was read again")
        self.assertEqual(new, self.serial(self.implicit("a.other.test")))
        good = (self.folder / "b.pem").read_bytes()
        renew(self.folder, "a", "a.other.test")
        (self.folder / "b.pem").write_bytes(b"nonsense")
        self.hangup(b"the old certificate stays")
        self.assertEqual(new, self.serial(self.implicit("a.other.test")))
        (self.folder / "b.pem").write_bytes(good)
        self.serials["a.other.test"] = new
        for talk in open_ones:
            talk.envelope(ANN.encode())
            self.assertEqual(b"250", talk.message(LETTER % b"reload")[:3])

    def hangup(self, words: bytes) -> None:
        """Send SIGHUP, and wait until it is said that it was heard."""
        before = self.house.log.stat().st_size
        os.kill(self.house.pid, signal.SIGHUP)
        self.house.until(lambda: words in self.house.log.read_bytes()[before:])


class ClientTests(TLSTests):
    """Clients are asked for a certificate, and nobody is turned away for his."""

    def record(self, certificate: str) -> tuple[str, bytes]:
        """What is written down of a client: in the record, and in the message."""
        talk = self.starttls(context=self.context(certificate))
        talk.envelope(ANN.encode())
        name = id_of(talk.message(LETTER % b"certified").decode())
        record = self.house.ctl("trace", "show", name)["record"]
        found = self.house.until(
            lambda: [m for m in self.house.mailbox(ANN) if name.encode() in m]
        )
        return record["certificate"], found[0].partition(b"\r\n\r\n")[0]

    def test_recorded(self) -> None:
        """Subject, fingerprint, and whether we believe it; resumed or not."""
        for certificate, word in (("friend", "verified"), ("stranger", "unverified")):
            pem = (self.folder / f"{certificate}.pem").read_bytes()
            known = x509.load_pem_x509_certificate(pem).fingerprint(SHA256()).hex()
            for _ in range(2):
                written, header = self.record(certificate)
                self.assertEqual(
                    f"CN={certificate}.test sha256:{known} {word}", written
                )
                shown = f"(client certificate CN={certificate}.test sha256:{known} "
                self.assertIn(shown.encode() + word.encode() + b")", header)
        written, header = self.record("")
        self.assertEqual("", written)
        self.assertNotIn(b"client certificate", header)


class OldTests(TLSTests):
    """What nobody should speak any more."""

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3, and nothing older (RFC 8996)."""
        for version, there in (
            (ssl.TLSVersion.TLSv1_3, True),
            (ssl.TLSVersion.TLSv1_2, True),
            (ssl.TLSVersion.TLSv1_1, False),
            (ssl.TLSVersion.TLSv1, False),
        ):
            context = self.context()
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            try:
                self.implicit(context=context)
            except (ssl.SSLError, ConnectionError):
                self.assertFalse(there, version)
            else:
                self.assertTrue(there, version)

    def test_ciphers(self) -> None:
        """Ciphers without forward secrecy or without AEAD are not agreed to."""
        for ciphers in ("AES256-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256"):
            context = self.context()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.implicit(context=context)


class InjectionTests(TLSTests):
    """Nothing said in the clear is believed under TLS (R44)."""

    #: What is sent in one piece with STARTTLS.
    BEHIND = (
        *(b"EHLO evil.test\r\n", b"NOOP\r\n" * 50, b"RSE", b"\r\n", b"QUIT\r\n"),
        *(b"MAIL FROM:<evil@sender.test>\r\nRCPT TO:<ann@example.test>\r\n",),
        *(b"STARTTLS\r\n", b"x" * 5000, b"\x16\x03\x01", b"\0"),
    )

    def test_behind(self) -> None:
        """At both doors, before EHLO and after, with and without a transaction."""
        count = 0
        for port, hello in (
            (self.house.port, b"EHLO"),
            (self.house.base + 24, b"LHLO"),
        ):
            for before in (b"", hello + b" a.test\r\n"):
                for octets in self.BEHIND:
                    talk = Talk(port, hello=False)
                    talk.send(before + b"STARTTLS\r\n" + octets)
                    with contextlib.suppress(OSError):
                        talk.socket.shutdown(socket.SHUT_WR)
                    said = talk.replies()
                    talk.socket.close()
                    self.assertFalse(any(s[:3] == b"220" for s in said), said)
                    if before:
                        self.assertEqual([b"250", b"554"], [s[:3] for s in said])
                    count += 1
        self.assertEqual(40, count)

    def test_refused(self) -> None:
        """A parameter, a second STARTTLS, one within a transaction."""
        with Talk(self.house.port) as talk:
            self.assertEqual(501, talk.code(b"STARTTLS now"))
            talk.envelope(ANN.encode())
            self.assertEqual(503, talk.code(b"STARTTLS"))
        self.assertEqual(503, self.starttls().code(b"STARTTLS"))
        self.assertEqual(503, Talk.over(self.implicit()).code(b"STARTTLS"))

    def test_forgotten(self) -> None:
        """What was said before the handshake must be said again."""
        talk = Talk(self.house.port)
        talk.code(b"STARTTLS")
        talk.socket = self.context().wrap_socket(talk.socket)
        self.assertEqual(503, talk.code(b"MAIL FROM:<alice@sender.test>"))
        talk.socket.close()


class StrangeTests(TLSTests):
    """What speaks something else is closed before a command runs (R61)."""

    EVIL = b"\r\nMAIL FROM:<evil@sender.test>\r\nRCPT TO:<ann@example.test>\r\n"
    HANDSHAKE = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"

    def test_plain_doors(self) -> None:
        """HTTP, TLS and SSH at the doors that begin in the clear: one 554, or 500."""
        cases = (
            b"GET / HTTP/1.1\r\nHost: x\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nEHLO x",
            b"CONNECT x:25 HTTP/1.1\r\n",
            self.HANDSHAKE,
            b"SSH-2.0-OpenSSH_9.2\r\n",
        )
        for port in (self.house.port, self.house.base + 24):
            for octets in cases:
                with Talk(port, hello=False) as talk:
                    talk.send(octets + self.EVIL)
                    said = talk.replies()
                    self.assertEqual([b"554"], [s[:3] for s in said], octets)

    def test_tls_door(self) -> None:
        """SMTP, HTTP and SSH where TLS must begin: no answer in the clear."""
        for octets in (
            b"EHLO x.test\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"SSH-2.0-x\r\n",
            b"\0" * 100,
            self.HANDSHAKE + b"x" * 600,
        ):
            port = self.house.base + 467
            with socket.create_connection(("127.0.0.1", port), 20) as plain:
                plain.sendall(octets + self.EVIL)
                with contextlib.suppress(OSError):
                    plain.shutdown(socket.SHUT_WR)
                said = b""
                with contextlib.suppress(ConnectionError):
                    while more := plain.recv(4096):
                        said += more
                # An alert at the most, which is TLS.
                self.assertTrue(said[:1] in (b"", b"\x15"), said)
                self.assertNotIn(b"220", said)
        self.assertEqual([], [m for m in self.house.mailbox(ANN) if b"evil" in m])


class ScannedTests(TLSTests):
    """testssl.sh looks at both doors, and finds nothing worth a word (R63)."""

    #: Protocols, ciphers, forward secrecy, preferences, known attacks.  Not the
    #: certificate, which is the operator's.
    LOOKS = ("-p", "-s", "-f", "-P", "-U")

    def begin(self, name: str, *target: str) -> tuple[subprocess.Popen[bytes], Path]:
        """Start it."""
        path = Path(self.mktemp()).absolute()
        command = ["testssl", "--quiet", "--color", "0", "--warnings", "off"]
        command += ["--ip", "one", "--jsonfile", str(path), *self.LOOKS, *target]
        out = subprocess.DEVNULL
        running = subprocess.Popen(command, stdin=out, stdout=out, stderr=out)
        self.addCleanup(running.wait)
        self.addCleanup(running.kill)
        return running, path

    def test_findings(self) -> None:
        """No finding above low, by STARTTLS and by TLS from the first octet."""
        looks = (
            self.begin("starttls", "-t", "smtp", f"127.0.0.1:{self.house.port}"),
            self.begin("implicit", f"127.0.0.1:{self.house.base + 467}"),
        )
        for running, path in looks:
            running.wait(180)
            found = json.loads(path.read_bytes())
            self.assertGreater(len(found), 40)
            serious = [
                (one["id"], one["finding"])
                for one in found
                if one["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL")
            ]
            self.assertEqual([], serious)
