"""What is said to servers that are not safe: nothing (R45)."""

import os
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from OpenSSL import SSL
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from smfd.model.hop import TLSA, NextHop
from smfd.model.origin import Login
from smfd.net import smtp_client_tls
from smfd.net.smtp_client import Patience, Trouble
from smfd.net.smtp_client_open import Hops
from smfd.net.smtp_client_tls import DAY, Proof
from smfd.policy.dane import proves
from tests.authority import CLIENTS_ONLY, UNREADABLE, Holder, Speaker, authority
from tests.delivery.next_hop import Hop
from tests.store.making import REACTOR

ROOT = authority()
STRANGER = authority("Stranger")
GOOD = ROOT.issue("mx.test")
NAMES = ("mx.test", "site.test")
PATIENCE = Patience(connect=5, reply=0.7, piece=5, end=5)
STARTTLS = b"250-hop.example\r\n250-STARTTLS\r\n250 8BITMIME\r\n"
UPGRADE = {b"EHLO": STARTTLS, b"STARTTLS": b"220 go\r\n"}

#: How a hop may have to prove itself; the DANE records are added by the case.
POLICIES = ("opportunistic", "required", "verify", "sts", "dane 3", "dane 2", "other")


@frozen
class Server:
    """
    How a server behaves.

    @ivar safe: the policies by which it is spoken to over TLS.
    @ivar clear: the policies by which it is spoken to in the clear.
    """

    says: dict[bytes, Any]
    holder: Holder = GOOD
    context: Any = None
    safe: tuple[str, ...] = ()
    clear: tuple[str, ...] = ("opportunistic",)


def tls(holder: Holder, *safe: str, newest: int = 0) -> Server:
    """A server that speaks TLS with that certificate."""
    chain = [*holder.chain(root=False), ROOT]
    context = Speaker(chain, newest)
    some = ("opportunistic", "required", "dane 3")
    if newest:
        return Server(UPGRADE, holder, context)
    return Server(UPGRADE, holder, context, (*some, *safe), ())


def says(answer: bytes, clear: tuple[str, ...] = ("opportunistic",)) -> Server:
    """A server that says that instead of going on to TLS."""
    return Server({b"EHLO": STARTTLS, b"STARTTLS": answer}, clear=clear)


class Unwilling(Speaker):
    """Speaks TLS with nobody who shows no key that was agreed upon before."""

    def __init__(self) -> None:
        super().__init__([GOOD], SSL.TLS1_2_VERSION)
        self.getContext().set_cipher_list(b"PSK")


SERVERS = {
    "good": tls(GOOD, "verify", "sts", "dane 2"),
    "chain": tls(
        ROOT.issue(common="M", ca=True).issue("mx.test"), "verify", "sts", "dane 2"
    ),
    "stripped": Server({}),
    "refused for now": says(b"454 4.7.0 no\r\n"),
    "refused": says(b"500 what?\r\n"),
    "injected": says(b"220 go\r\n250 mx.test\r\n", ()),
    "injected lines": says(b"220 go\r\n250-mx.test\r\n250-AUTH PLAIN\r\n250 X\r\n", ()),
    "injected half": says(b"220 go\r\n250-mx", ()),
    "garbage": says(b"220 go\r\n\x16\x03\x01garbage that is no handshake", ()),
    "hangs up": says(b"", ()),
    "breaks the handshake": Server(UPGRADE, context=Unwilling()),
    "silent in the handshake": Server(UPGRADE),
    "TLS 1.0": tls(GOOD, newest=SSL.TLS1_VERSION),
    "TLS 1.1": tls(GOOD, newest=SSL.TLS1_1_VERSION),
    "self-signed": tls(authority("mx.test")),
    "signed by a stranger": tls(STRANGER.issue("mx.test")),
    "expired": tls(ROOT.issue("mx.test", days=(-30, -1))),
    "not valid yet": tls(ROOT.issue("mx.test", days=(1, 30))),
    "another name": tls(ROOT.issue("mx.other.test")),
    "no name": tls(ROOT.issue(common="mx.test")),
    "odd name": tls(ROOT.issue("*", "mx.other.test")),
    "unreadable name": tls(ROOT.issue(common="mx.test", more=[UNREADABLE])),
    "for clients": tls(ROOT.issue("mx.test", uses=CLIENTS_ONLY)),
    "below a server": tls(GOOD.issue("mx.test")),
}


class SafeCase(TestCase):
    """A server that says what it is told to, and we."""

    timeout = 60

    def setUp(self) -> None:
        self.trusted = ROOT.write(Path(os.path.abspath(self.mktemp())))
        self.notes: list[Proof] = []

    def hops(self) -> Hops:
        """Our side."""
        hops = Hops(REACTOR, "us.test", PATIENCE, 4, self.trusted)
        self.addCleanup(hops.close)
        return hops

    def listen(self, server: Server) -> tuple[Hop, NextHop]:
        """Put a server on loopback."""
        hop = Hop(dict(server.says), context=server.context)
        listening = evolve(hop.listen(), tls="opportunistic")
        where = evolve(listening, host="mx.test", address="127.0.0.1")
        self.addCleanup(lambda: maybeDeferred(hop.close))
        return hop, where


class TableTests(SafeCase):
    """Each server under each policy."""

    async def test_table(self) -> None:
        """No command goes to one that is not safe enough, and no mail in the clear."""
        counts: Counter[str] = Counter()
        for name, server in SERVERS.items():
            hop, where = self.listen(server)
            for policy in POLICIES:
                hop.heard.clear()
                wanted = self.wanted(where, server, policy)
                got = await self.tried(hop, wanted)
                expected = "clear" if policy in server.clear else "refused"
                expected = "tls" if policy in server.safe else expected
                self.assertEqual(expected, got, f"{name}: {policy}")
                counts[got] += 1
        self.assertEqual(len(SERVERS) * len(POLICIES), sum(counts.values()))

    async def test_login(self) -> None:
        """Our password is said under TLS that is safe enough, and never elsewhere."""
        offer = STARTTLS.replace(b"250 8", b"250-AUTH PLAIN LOGIN\r\n250 8")
        us = Login("us", "secret")
        for name, server in SERVERS.items():
            words = {**server.says, b"AUTH": b"235 2.7.0 yes\r\n", b"EHLO": offer}
            if name == "stripped":
                words[b"EHLO"] = b"250-mx.test\r\n250 AUTH PLAIN LOGIN\r\n"
            hop, where = self.listen(evolve(server, says=words))
            for policy in ("opportunistic", "required", "verify"):
                hop.heard.clear()
                got = await self.spoken(evolve(where, tls=policy, login=us))
                safe = policy in server.safe
                self.assertEqual("tls" if safe else "refused", got, (name, policy))
                said = [h for h in hop.heard if h.startswith(b"AUTH")]
                self.assertEqual(safe, bool(said), (name, policy))

    async def spoken(self, wanted: NextHop) -> str:
        """How a server was spoken to."""
        try:
            line = await self.hops().line(wanted)
        except Trouble:
            return "refused"
        line.client.drop()
        return "tls" if line.tls else "clear"

    def wanted(self, where: NextHop, server: Server, policy: str) -> NextHop:
        """The hop under a policy."""
        records: tuple[TLSA, ...] = ()
        if policy == "dane 3":
            records = (server.holder.tlsa(3, 1, 1),)
        elif policy == "dane 2":
            records = (ROOT.tlsa(2, 0, 1),)
        elif policy == "other":
            records = (STRANGER.tlsa(3, 1, 1), STRANGER.tlsa(2, 0, 1))
        if not records:
            return evolve(where, tls=policy)
        return evolve(where, tls="dane", tlsa=records, names=NAMES)

    async def tried(self, hop: Hop, wanted: NextHop) -> str:
        """Open a connection, and say what it is; what was heard must fit."""
        try:
            line = await self.hops().line(wanted, lambda _, p: self.notes.append(p))
        except Trouble:
            # RFC 7672 §2.2, RFC 8461 §5: not even EHLO behind a bad handshake.
            greetings = [h for h in hop.heard if h.startswith((b"EHLO", b"HELO"))]
            self.assertEqual(1, len(greetings))
            self.assertFalse(_leaked(hop))
            return "refused"
        self.assertFalse(_leaked(hop))
        self.assertEqual(bool(line.tls), line.skills.secure)
        line.client.drop()
        return "tls" if line.tls else "clear"


def _leaked(hop: Hop) -> list[bytes]:
    verbs = (b"MAIL", b"RCPT", b"DATA", b"AUTH", b"BDAT")
    return [h for h in hop.heard if h.upper().startswith(verbs)]


class NoteTests(SafeCase):
    """What is written down of each handshake."""

    async def noted(self, server: Server, **how: Any) -> tuple[str, Proof]:
        """How one was spoken to, and the note of it."""
        hop, where = self.listen(server)
        self.notes.clear()
        tried: Any = TableTests.tried
        got = await tried(self, hop, evolve(where, **how))
        (note,) = self.notes
        return got, note

    async def test_faults(self) -> None:
        """Each fault has the word that reports have for it."""
        dane = {"tls": "dane", "tlsa": (GOOD.tlsa(3, 1, 1),)}
        anchored = {"tls": "dane", "tlsa": (ROOT.tlsa(2, 1, 1),), "names": NAMES}
        cases: list[tuple[str, dict[str, Any], str]] = [
            ("good", {"tls": "sts"}, ""),
            ("good", dane, ""),
            ("stripped", {"tls": "sts"}, "starttls-not-supported"),
            ("stripped", {}, "starttls-not-supported"),
            ("refused", dane, "starttls-not-supported"),
            ("expired", {"tls": "sts"}, "certificate-expired"),
            ("expired", anchored, "certificate-expired"),
            ("another name", {"tls": "verify"}, "certificate-host-mismatch"),
            ("another name", anchored, "certificate-host-mismatch"),
            ("another name", dane, "validation-failure"),
            ("self-signed", {"tls": "sts"}, "certificate-not-trusted"),
            ("signed by a stranger", {"tls": "sts"}, "certificate-not-trusted"),
            ("TLS 1.0", {"tls": "required"}, "validation-failure"),
            ("breaks the handshake", {}, "validation-failure"),
        ]
        for name, how, fault in cases:
            got, note = await self.noted(SERVERS[name], **how)
            self.assertEqual(fault, note.fault, (name, how))
            self.assertTrue(note.why or not fault)
            self.assertEqual(got == "refused", not note.good and how != {})

    async def test_no_login(self) -> None:
        """A server that wants no password is not said to have no TLS."""
        hop, where = self.listen(SERVERS["good"])
        with self.assertRaises(Trouble):
            hops, us = self.hops(), Login("us", "secret")
            demand = evolve(where, tls="required", login=us)
            await hops.line(demand, lambda _, p: self.notes.append(p))
        (note,) = self.notes
        self.assertEqual(("TLSv1.3", ""), (note.version, note.fault))

    async def test_watched(self) -> None:
        """A policy that is only tried costs no mail, and its faults are noted."""
        for name, fault in (
            ("good", ""),
            ("expired", "certificate-expired"),
            ("another name", "certificate-host-mismatch"),
            ("signed by a stranger", "certificate-not-trusted"),
        ):
            got, note = await self.noted(SERVERS[name], watched=True)
            self.assertEqual(("tls", fault), (got, note.fault), name)

    async def test_named(self) -> None:
        """The name of the host is asked for; a line says how safe it is."""
        asked = []
        server = tls(GOOD)
        server.context.getContext().set_tlsext_servername_callback(
            lambda connection: asked.append(connection.get_servername())
        )
        _, where = self.listen(server)
        line = await self.hops().line(evolve(where, tls="sts"))
        self.assertEqual("TLSv1.3 sts", line.tls)
        line.client.drop()
        self.assertEqual([b"mx.test"], asked)

    async def test_renewed(self) -> None:
        """Whom we believe is read again after a day."""
        server = tls(STRANGER.issue("mx.test"))
        _, where = self.listen(server)
        hops = self.hops()
        where = evolve(where, tls="sts")
        with self.assertRaises(Trouble):
            await hops.line(where)
        STRANGER.write(self.trusted)
        with self.assertRaises(Trouble):
            await hops.line(where)
        now = time.monotonic()
        self.patch(smtp_client_tls, "monotonic", lambda: now + DAY + 1)
        line = await hops.line(where)
        line.client.drop()
        self.trusted.unlink()
        self.patch(smtp_client_tls, "monotonic", lambda: now + 3 * DAY)
        line = await hops.line(where)
        line.client.drop()

    async def test_nobody_believed(self) -> None:
        """Where nobody's signature counts, mail that needs one waits."""
        self.trusted.write_text("no certificate")
        _, where = self.listen(SERVERS["good"])
        with self.assertRaises(Trouble) as caught:
            await self.hops().line(evolve(where, tls="sts"))
        self.assertIn("whom to believe", str(caught.exception))
        for hop in (where, evolve(where, watched=True)):
            line = await self.hops().line(hop)
            line.client.drop()

    async def test_kept(self) -> None:
        """A connection kept for one demand is not used for another."""
        hop, where = self.listen(SERVERS["expired"])
        hops = self.hops()
        line = await hops.line(where)
        hops.keep(where, line)
        with self.assertRaises(Trouble):
            await hops.line(evolve(where, tls="sts"))
        again = await hops.line(where)
        self.assertIs(line, again)
        again.client.drop()
        self.assertEqual(2, hop.connections)

    async def test_changed(self) -> None:
        """What was offered in the clear counts no more behind the handshake."""
        server = evolve(
            SERVERS["good"],
            says={b"EHLO": [STARTTLS, b"250 mx.test\r\n"], b"STARTTLS": b"220 go\r\n"},
        )
        _, where = self.listen(server)
        line = await self.hops().line(evolve(where, tls="required"))
        self.assertEqual({}, line.skills.words)
        line.client.drop()


@implementer(IHandshakeListener)
class Parting(Protocol):
    """Shakes hands, and goes."""

    transport: Any

    def handshakeCompleted(self) -> None:
        """Go."""
        self.transport.loseConnection()


class OpenSSLTests(TestCase):
    """Our reading of TLSA records is OpenSSL's."""

    timeout = 60

    async def test_same(self) -> None:
        """For each chain and record both say yes, or both say no."""
        middle = ROOT.issue(common="M", ca=True)
        old = ROOT.issue(common="Old", ca=True, days=(-30, -1))
        chains = {
            "root": [*middle.issue("mx.test").chain()],
            "no root": middle.issue("mx.test").chain(root=False),
            "expired": ROOT.issue("mx.test", days=(-30, -1)).chain(),
            "old": old.issue("mx.test").chain(),
            "name": ROOT.issue("mx.other.test").chain(),
            "site": ROOT.issue("site.test").chain(),
            "self": [authority("mx.test")],
            "clients": ROOT.issue("mx.test", uses=CLIENTS_ONLY).chain(),
            "gap": [middle.issue("mx.test"), ROOT],
        }
        said: Counter[bool] = Counter()
        for name, sent in chains.items():
            factory = Factory.forProtocol(Parting)
            port = REACTOR.listenSSL(0, factory, Speaker(sent), interface="127.0.0.1")
            try:
                for record in _records(sent):
                    theirs = await self.openssl(port.getHost().port, record)
                    ours = not proves([record], [h.der for h in sent], ["mx.test"])
                    self.assertEqual(theirs, ours, f"{name}: {record}")
                    said[ours] += 1
            finally:
                await maybeDeferred(port.stopListening)
        self.assertGreater(min(said[True], said[False]), 10)

    async def openssl(self, port: int, record: TLSA) -> bool:
        """What openssl s_client says."""
        data = f"{record.usage} {record.selector} {record.matching} "
        data += record.octets.hex()
        arguments = (
            *("s_client", "-connect", f"127.0.0.1:{port}", "-brief"),
            *("-no-CApath", "-no-CAfile", "-no-CAstore", "-servername", "mx.test"),
            *("-dane_tlsa_domain", "mx.test", "-dane_tlsa_rrdata", data),
            *("-dane_ee_no_namechecks", "-verify_return_error"),
        )
        d: Deferred[Any] = getProcessOutputAndValue("openssl", arguments)
        out, err, _ = await d
        told = (out + err).decode("utf-8", "replace")
        return bool(re.search(r"^Verification: OK", told, re.MULTILINE))


def _records(sent: list[Holder]) -> list[TLSA]:
    """Those for the server's own, and for the highest of its authorities."""
    found = [sent[0].tlsa(3, 1, 1), sent[0].tlsa(2, 1, 1), sent[0].tlsa(3, 0, 0)]
    for holder in (*sent[1:], ROOT):
        found += [holder.tlsa(2, 0, 1), holder.tlsa(2, 1, 2), holder.tlsa(2, 0, 0)]
        found.append(holder.tlsa(3, 1, 1))
    return found
