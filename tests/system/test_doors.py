"""The other ways in: LMTP, proxies, IPv6, UNIX sockets, sockets of systemd's."""

import atexit
import contextlib
import os
import socket
import subprocess
import sys
from email import message_from_bytes
from functools import cache
from pathlib import Path
from smtplib import LMTP

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.letters import signer
from tests.proto.test_proxy import addresses, version_2
from tests.system.house import House, id_of
from tests.system.talk import Talk

ANN, BOB = "ann@example.test", "bob@example.test"

LETTER = b"From: Alice <alice@sender.test>\r\nSubject: %s\r\n\r\nHi.\r\n"

DOORS = """
[dns]
offline = true

[lmtp]
listen = ["127.0.0.1:{lmtp}", "[::1]:{lmtp}", "unix:run/lmtp.sock"]
"""


def opened(house: House, **settings: str) -> None:
    """Change settings of [mx] in a new home."""
    text = house.config.read_text()
    for name, value in settings.items():
        lines = text.split("\n")
        found = next(n for n, x in enumerate(lines) if x.lstrip("#").startswith(name))
        lines[found] = f"{name} = {value}"
        text = "\n".join(lines)
    house.config.write_text(text)


@cache
def running() -> House:
    """A house with all doors open; it ends with us."""
    house = House((ANN, BOB))
    atexit.register(house.remove)
    with house.config.open("a") as file:
        file.write(DOORS.format(lmtp=house.base + 24))
    opened(
        house,
        listen=f'["127.0.0.1:{house.port}", "[::1]:{house.port}"]',
        proxy='["127.0.0.2/32"]',
    )
    house.start()
    return house


class DoorsTests(SynchronousTestCase):
    """One house, several ways in."""

    def setUp(self) -> None:
        """One daemon for all of them."""
        self.house = running()

    def arrived(self, mark: bytes, user: str = ANN) -> bytes:
        """A message in somebody's mailbox, once it is there."""

        def find() -> list[bytes]:
            return [m for m in self.house.mailbox(user) if mark in m]

        (message,) = self.house.until(find)
        assert isinstance(message, bytes)
        return message

    def received(self, mark: bytes, user: str = ANN) -> str:
        """Our Received field of a message."""
        field = message_from_bytes(self.arrived(mark, user))["Received"]
        return " ".join(str(field).split())


class LMTPTests(DoorsTests):
    """Mail from hosts of our own (RFC 2033)."""

    def lmtp(self, host: str = "127.0.0.1") -> LMTP:
        """A client; it knows LMTP from Python's library."""
        port = 0 if host.startswith("/") else self.house.base + 24
        client = LMTP(host, port, local_hostname="front.example.test")
        self.addCleanup(client.close)
        return client

    def test_ways(self) -> None:
        """By IPv4, IPv6 and a UNIX socket: delivered, and it shows whence."""
        where = {
            "127.0.0.1": "[127.0.0.1]",
            "::1": "[IPv6:::1]",
            str(self.house.home / "run" / "lmtp.sock"): "localhost",
        }
        for number, (host, shown) in enumerate(where.items()):
            client = self.lmtp(host)
            letter = LETTER % b"lmtp-%d" % number
            self.assertEqual({}, client.sendmail("a@sender.test", [ANN, BOB], letter))
            for user in ANN, BOB:
                field = self.received(b"lmtp-%d" % number, user)
                self.assertIn(f"from front.example.test ({shown})", field)
                self.assertIn(" with LMTP id ", field)

    def test_each(self) -> None:
        """Those who are not here are refused alone, and the rest is answered each."""
        with Talk(self.house.base + 24, hello=False) as talk:
            self.assertTrue(talk.greeting.startswith(b"220 mx.example.test LMTP"))
            self.assertEqual(500, talk.code(b"EHLO x.test"))
            self.assertEqual(250, talk.code(b"LHLO x.test"))
            self.assertEqual(250, talk.code(b"MAIL FROM:<a@sender.test>"))
            wanted = (b"ann@example.test", b"nobody@example.test", b"bob@example.test")
            codes = talk.all(b"RCPT TO:<%s>" % one for one in wanted)
            self.assertEqual([250, 550, 250], codes)
            self.assertEqual(b"250", talk.message(LETTER % b"each")[:3])
            self.assertEqual(b"250", talk.reply()[:3])
            self.assertEqual(221, talk.code(b"QUIT"))

    def test_tls(self) -> None:
        """STARTTLS is there too, and its word in Received is LMTPS."""
        client = self.lmtp()
        client.starttls()
        client.sendmail("a@sender.test", [ANN], LETTER % b"lmtps")
        self.assertIn(" with LMTPS id ", self.received(b"lmtps"))

    def test_swaks(self) -> None:
        """swaks delivers too."""
        done = subprocess.run(
            ["swaks", "--protocol", "LMTP", "--server", "127.0.0.1"]
            + ["--port", str(self.house.base + 24), "--from", "a@sender.test"]
            + ["--to", f"{ANN},{BOB}", "--h-Subject", "by-swaks"],
            capture_output=True,
            timeout=60,
        )
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual(2, done.stdout.count(b"Accepted id="))
        self.arrived(b"by-swaks", BOB)


class HostedSenderTests(SynchronousTestCase):
    """A host of ours hands over mail of a hosted sender (S13, C10)."""

    def send(self, settings: str, mark: bytes, signed: bool = False) -> House:
        """Bob, as far as one can tell, to Ann."""
        signing = signer()
        house = House((ANN, BOB))
        self.addCleanup(house.remove)
        with house.config.open("a") as file:
            file.write(f'\n[lmtp]\nlisten = ["127.0.0.1:{house.base + 24}"]\n')
            file.write(settings + "[dns]\noffline = true\n")
            file.write('[[dns.record]]\nname = "bench._domainkey.example.test"\n')
            file.write(f'type = "TXT"\nvalue = "{signing.record}"\n')
        house.start()
        letter = b"From: <%s>\r\nSubject: %s\r\n\r\nHi.\r\n" % (BOB.encode(), mark)
        if signed:
            letter = signing.sign(letter, b"example.test")
        with LMTP("127.0.0.1", house.base + 24) as client:
            self.assertEqual({}, client.sendmail(BOB, [ANN], letter))
        return house

    def test_unproved(self) -> None:
        """Nobody knows who gave it to that host: it is held."""
        house = self.send("", b"unproved")
        house.until(lambda: [m for m in house.held() if b"unproved" in m])

    def test_signed(self) -> None:
        """An aligned DKIM signature proves it: delivered."""
        house = self.send("", b"signed", signed=True)
        house.until(lambda: [m for m in house.mailbox(ANN) if b"signed" in m])

    def test_vouched(self) -> None:
        """The settings say that the host answers for it: delivered."""
        house = self.send("vouched = true\n", b"vouched")
        house.until(lambda: [m for m in house.mailbox(ANN) if b"vouched" in m])


class StrangerTests(SynchronousTestCase):
    """Who may not come to the back door."""

    def test_refused(self) -> None:
        """From another network: 554 before a word, with a record to be found."""
        house = House((ANN,))
        self.addCleanup(house.remove)
        with house.config.open("a") as file:
            text = DOORS.format(lmtp=house.base + 24).replace("[::1]", "127.0.0.3")
            file.write(text.replace(f'"127.0.0.3:{house.base + 24}", ', ""))
            file.write('networks = ["192.0.2.0/24"]\n')
        house.start()
        with Talk(house.base + 24, hello=False) as talk:
            self.assertEqual(b"554 5.7.1", talk.greeting[:9])
            self.assertEqual(b"", talk.reply())
        name = id_of(talk.greeting.decode())
        found = house.until(lambda: house.ctl("trace", "search")["items"])
        self.assertEqual([name], [item["id"] for item in found])


class ProxyTests(DoorsTests):
    """A proxy before us says whose connection it is."""

    def through(self, header: bytes) -> socket.socket:
        """A connection from the proxy's address."""
        connection = socket.create_connection(
            ("127.0.0.1", self.house.port), 20, ("127.0.0.2", 0)
        )
        self.addCleanup(connection.close)
        connection.sendall(header)
        return connection

    def test_client(self) -> None:
        """The client is the real one, in Received and in the record."""
        for header, shown, plain in (
            (b"PROXY TCP4 192.0.2.7 127.0.0.1 99 25\r\n", "[192.0.2.7]", "192.0.2.7"),
            (version_2(addresses("2001:db8::7", 9), 0x21), "[IPv6:2001:db8::7]", ""),
            (
                b"PROXY TCP6 ::ffff:192.0.2.8 ::1 99 25\r\n",
                "[192.0.2.8]",
                "192.0.2.8",
            ),
        ):
            with Talk.over(self.through(header)) as talk:
                talk.envelope(ANN.encode())
                said = talk.message(LETTER % b"proxied")
                self.assertEqual(b"250", said[:3], said)
            name = id_of(said.decode())
            record = self.house.ctl("trace", "show", name)["record"]
            self.assertEqual(plain or "2001:db8::7", record["client"])
            self.assertIn(f"({shown})", self.received(b"id " + name.encode()))

    def test_without(self) -> None:
        """From the proxy without a header: cut off, and nothing was answered."""
        for octets in (b"EHLO x.test\r\nQUIT\r\n", b"\x16\x03\x01\x02\0\x01"):
            said = b""
            with contextlib.suppress(ConnectionError):
                said = self.through(octets).recv(100)
            self.assertEqual(b"", said)

    def test_from_elsewhere(self) -> None:
        """Anybody else's header is a command that is not known."""
        with Talk(self.house.port, hello=False) as talk:
            line = b"PROXY TCP4 192.0.2.7 127.0.0.1 99 25"
            self.assertEqual(500, talk.code(line))
            talk.ask(b"EHLO mail.sender.test")
            talk.envelope(ANN.encode())
            self.assertEqual(b"250", talk.message(LETTER % b"not-proxied")[:3])
        self.assertIn("([127.0.0.1])", self.received(b"not-proxied"))


class IPv6Tests(DoorsTests):
    """The front door by IPv6."""

    def test_delivered(self) -> None:
        """A client of ::1 is written as such."""
        connection = socket.create_connection(("::1", self.house.port), 20)
        with Talk.over(connection) as talk:
            talk.envelope(ANN.encode())
            self.assertEqual(b"250", talk.message(LETTER % b"by-six")[:3])
        self.assertIn("([IPv6:::1])", self.received(b"by-six"))


#: Hands sockets over as systemd does: descriptors from 3 on, and our own number.
HAND_OVER = """
import os, socket, sys
port, path = int(sys.argv[1]), sys.argv[2]
v4 = socket.create_server(("127.0.0.1", port))
v6 = socket.create_server(("::", port + 1), family=socket.AF_INET6, dualstack_ipv6=True)
unix = socket.socket(socket.AF_UNIX)
unix.bind(path)
os.chmod(path, 0o600)
unix.listen()
kept = [os.dup(each.fileno()) for each in (v4, v6, unix)]
for each in (v4, v6, unix):
    each.close()
for number, descriptor in enumerate(kept, 3):
    if number != descriptor:
        os.dup2(descriptor, number)
    os.set_inheritable(number, True)
names = "mx:mx:lmtp"
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="3", LISTEN_FDNAMES=names)
os.execv(sys.argv[3], sys.argv[3:])
"""


class SystemdTests(SynchronousTestCase):
    """Started by systemd, which opened the sockets."""

    def test_handed_over(self) -> None:
        """They are found by their names, and stay as they were when we go."""
        house = House((ANN,), "[dns]\noffline = true\n")
        self.addCleanup(house.remove)
        opened(house, listen='["systemd:mx"]')
        with house.config.open("a") as file:
            file.write('[lmtp]\nlisten = ["systemd:lmtp"]\n')
        path = house.folder / "lmtp.sock"
        house.start([sys.executable, "-c", HAND_OVER, str(house.port), str(path)])
        for port in (house.port, house.port + 1):
            house.port = port
            self.assertEqual(250, house.send(LETTER % b"handed", (ANN,))[0])
        with LMTP(str(path)) as client:
            client.sendmail("a@sender.test", [ANN], LETTER % b"handed")
        house.until(lambda: len(house.mailbox(ANN)) == 3)
        for message in house.mailbox(ANN):
            # IPv4 that came by the socket for both is IPv4.
            self.assertNotIn(b"ffff:127", message)
        children = Path(f"/proc/{house.annex()}/fd").iterdir()
        held = {os.readlink(child) for child in children if child.exists()}
        ours = {os.readlink(f"/proc/{house.pid}/fd/{n}") for n in (3, 4, 5)}
        self.assertEqual(set(), held & ours)
        house.stop()
        self.assertEqual(0o600, path.stat().st_mode & 0o777)

    def test_missing(self) -> None:
        """A socket that was not handed over ends the start with a sentence."""
        house = House((ANN,))
        self.addCleanup(house.remove)
        opened(house, listen='["systemd:mx"]')
        with self.assertRaises(RuntimeError) as caught:
            house.start()
        self.assertIn("systemd gave us no socket named mx", str(caught.exception))
