"""How the daemon behaves towards those around it."""

import os
import signal
import socket
import ssl
from smtplib import SMTP
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smfd.net.tls import make_self_signed
from tests.system.house import PATIENCE, House
from tests.system.test_road import OFFLINE, plain


def certificate(house: House) -> bytes:
    """What STARTTLS shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with SMTP("127.0.0.1", house.port, timeout=PATIENCE) as client:
        client.starttls(context=context)
        shown: Any = client.sock
        found: bytes = shown.getpeercert(binary_form=True)
        return found


class MannersTests(SynchronousTestCase):
    """Signals, systemd, and the end."""

    def setUp(self) -> None:
        """A house that tells systemd how it is."""
        self.house = House(settings=OFFLINE)
        self.addCleanup(self.house.remove)
        path = self.house.folder / "notify"
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.systemd.close)
        self.systemd.bind(str(path))
        self.systemd.settimeout(PATIENCE)
        self.house.start(before=("env", f"NOTIFY_SOCKET={path}"))
        self.assertEqual(b"READY=1", self.systemd.recv(100))

    def hangup(self, words: str) -> None:
        """SIGHUP, until the log says so."""
        os.kill(self.house.pid, signal.SIGHUP)
        self.house.until(lambda: words in self.house.log.read_text(errors="replace"))

    def test_reload(self) -> None:
        """SIGHUP reads the certificate again; one that is broken is not taken."""
        tls = self.house.home / "tls"
        before = certificate(self.house)
        made, key = make_self_signed("mx.example.test")
        (tls / "cert.pem").write_bytes(made)
        self.hangup("the old certificate stays")
        self.assertEqual(before, certificate(self.house))
        (tls / "key.pem").write_bytes(key)
        self.hangup("the certificate was read again")
        self.assertNotEqual(before, certificate(self.house))

    def is_shut(self) -> bool:
        """Whether nobody comes in any more."""
        with socket.socket() as late:
            return late.connect_ex(("127.0.0.1", self.house.port)) != 0

    def test_stop(self) -> None:
        """Who waits hears 421; a message under way is taken, and delivered."""
        with (
            SMTP("127.0.0.1", self.house.port, timeout=PATIENCE) as idle,
            SMTP("127.0.0.1", self.house.port, timeout=PATIENCE) as busy,
        ):
            idle.ehlo("mail.sender.test")
            busy.ehlo("mail.sender.test")
            busy.mail("alice@sender.test")
            busy.rcpt("user@example.test")
            self.assertEqual(354, busy.docmd("DATA")[0])
            assert idle.sock is not None
            os.kill(self.house.pid, signal.SIGTERM)
            self.assertEqual(b"STOPPING=1", self.systemd.recv(100))
            code, text = idle.getreply()
            self.assertEqual((421, b"4.3.2"), (code, text.split()[0]))
            self.house.until(self.is_shut)
            busy.send(plain(b"last") + b".\r\n")
            code, text = busy.getreply()
            self.assertEqual(250, code, text)
            self.assertEqual(421, busy.getreply()[0])
        assert self.house.process is not None
        self.house.process.wait(PATIENCE)
        self.house.start()
        message = self.house.until(self.house.mailbox)
        self.assertEqual(1, len(message))
        self.assertIn(b"lunch on last", message[0])
        log = self.house.log.read_text(errors="replace")
        self.assertNotIn("Traceback", log)
