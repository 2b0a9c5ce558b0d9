"""Mail travels as safely as its domain has published, or waits (R45)."""

import contextlib
import ssl
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.authority import Holder, authority
from tests.signed_zones import Unbound, Zone
from tests.system.house import House
from tests.system.peers import Postfix
from tests.system.test_world import ANN, USER, Sending
from tests.system.test_world import SETTINGS as WORLD

ROOT = authority()
MAIL = ROOT.issue("right.far.test")
#: An address of loopback's, for the port that policies are fetched from.
WEB = "127.0.0.88"
TOP = """
@ MX 10 right
right A 127.0.0.1
wrong A 127.0.0.1
none A 127.0.0.1
_{port}._tcp.right TLSA {right}
_{port}._tcp.wrong TLSA {wrong}
"""
#: Domains whose mail goes to servers of the other zone.
SITES = """
wrong MX 10 wrong.far.test.
none MX 10 none.far.test.
sts MX 10 none.far.test.
sts MX 20 right.far.test.
_mta-sts.sts TXT "v=STSv1; id=1;"
mta-sts.sts A {web}
_mta-sts.bad TXT "v=STSv1; id=1;"
mta-sts.bad A {web}
bad MX 10 none.far.test.
"""
SETTINGS = f"""{WORLD}
networks_allowed = ["127.0.0.0/8"]
[tls_out]
authorities = "{{authorities}}"
reports_from = "postmaster@example.test"
"""
POLICIES = {
    "mta-sts.sts.test": "mx: right.far.test",
    "mta-sts.bad.test": "mx: none.far.test",
}


class Policy(BaseHTTPRequestHandler):
    """The policy of the domain that is asked."""

    def do_GET(self) -> None:
        """Say it."""
        hosts = POLICIES[self.headers["Host"]]
        text = f"version: STSv1\r\nmode: enforce\r\n{hosts}\r\nmax_age: 86400\r\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def serving(holder: Holder, folder: Path) -> Iterator[None]:
    """A web server with policies."""
    path = folder / "web.pem"
    path.write_bytes(holder.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server = ThreadingHTTPServer((WEB, 443), Policy)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class SafeWorldTests(Sending):
    """One Postfix under several names, each with another promise."""

    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.postfix = Postfix()
        self.addCleanup(self.postfix.remove)
        self.encrypt()
        self.postfix.start()
        port, right = self.postfix.port, MAIL.tlsa(3, 1, 1)
        # A digest of its authority, where that is not what is sent.
        wrong = authority().tlsa(3, 1, 1)
        records = {"right": _written(right), "wrong": _written(wrong)}
        zones = {
            "far.test.": Zone(TOP.format(port=port, **records)),
            "test.": Zone(SITES.format(web=WEB)),
        }
        self.resolver = Unbound(folder / "unbound", zones)
        self.resolver.start()
        self.addCleanup(self.resolver.stop)
        ports = {"dns": self.resolver.port, "port": port}
        root = ROOT.write(folder / "root.pem")
        settings = SETTINGS.format(authorities=root, **ports)
        self.house = House((ANN,), settings)
        self.addCleanup(self.house.remove)
        web = serving(ROOT.issue(*POLICIES), folder)
        web.__enter__()
        self.addCleanup(web.__exit__, None, None, None)
        self.house.start()

    def encrypt(self) -> None:
        """Postfix speaks TLS."""
        pem = self.postfix.folder / "etc" / "tls.pem"
        # Postfix wants the key first.
        certificate, key = MAIL.pem.split(b"-----BEGIN PRIVATE", 1)
        pem.write_bytes(b"-----BEGIN PRIVATE" + key + certificate)
        with (self.postfix.folder / "etc" / "main.cf").open("a") as main:
            main.write(f"smtpd_tls_chain_files = {pem}\n")
            main.write("smtpd_tls_security_level = may\n")
            main.write("smtpd_tls_received_header = yes\n")

    def last_words(self, address: str) -> str:
        """What was said last of somebody who did not get it."""
        log = self.house.home / "log" / "mail.log"

        def find() -> str:
            lines = log.read_text().splitlines()
            ours = [line for line in lines if f"to=<{address}>, relay" in line]
            return ours[-1] if ours else ""

        found: str = self.house.until(find)
        self.assertNotIn("status=sent", found)
        return found

    def test_whole(self) -> None:
        """What is proven goes, under TLS; what is not waits, and says why."""
        entry = self.send(USER)
        (message,) = self.house.until(self.postfix.messages)
        self.assertIn(b"(using TLSv1.3 with cipher", message)
        self.assertEqual("delivered", self.settled(entry)[USER][0])
        for domain, words in (
            ("wrong.test", "its certificate proves nothing"),
            ("bad.test", "its certificate is for another name"),
        ):
            address = f"user@{domain}"
            self.send(address)
            said = self.last_words(address)
            self.assertIn(words, said)
            self.assertIn("dsn=4.7.0", said)
        # These come to Postfix, which is not theirs: it says so, under TLS.
        for domain, host in (("none.test", "none"), ("sts.test", "right")):
            address = f"user@{domain}"
            self.send(address)
            said = self.last_words(address)
            self.assertIn(f"{host}.far.test", said)
            self.assertIn("elay access denied", said)
        self.assertNotIn("wrong.test", self.postfix.said())
        self.assertNotIn("bad.test", self.postfix.said())
        for domain, must, fault in (
            ("far.test", "TLSv1.3 dane", ""),
            ("wrong.test", "", "its certificate proves nothing"),
            ("none.test", "TLSv1.3 opportunistic", ""),
            ("sts.test", "TLSv1.3 dane", ""),
            ("bad.test", "", "its certificate is for another name"),
        ):
            code = 0 if must else 1
            shown = self.house.ctl("route", domain, "--try", code=code)
            server = shown["servers"][-1]
            self.assertEqual((must, fault), (server["tls"], server["tls_fault"]))

    def test_restart(self) -> None:
        """A policy is obeyed after a restart, though nobody can fetch it any more."""
        shown = self.house.ctl("route", "bad.test")
        self.assertEqual("enforce", shown["mta_sts"])
        self.house.stop()
        POLICIES.clear()
        self.addCleanup(POLICIES.update, dict(_ALL))
        self.house.start()
        shown = self.house.ctl("route", "bad.test")
        self.assertEqual("enforce", shown["mta_sts"])


_ALL = dict(POLICIES)


def _written(record: Any) -> str:
    data = f"{record.usage} {record.selector} {record.matching}"
    return f"{data} {record.octets.hex()}"
