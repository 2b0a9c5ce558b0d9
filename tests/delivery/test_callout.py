"""A next hop is asked whether it knows somebody, and TLS is as its policy says."""

import os
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import maybeDeferred
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.trial.unittest import TestCase

from smfd.model.hop import NextHop, Verification
from smfd.net.smtp_client import Patience, Trouble
from smfd.net.smtp_client_callout import Callout
from smfd.net.smtp_client_open import Hops
from smfd.net.tls import make_self_signed
from tests.delivery.next_hop import Hop
from tests.store.making import REACTOR

STARTTLS = b"250-hop\r\n250 STARTTLS\r\n"


class HopTestCase(TestCase):
    """A next hop, and who speaks to it."""

    timeout = 30

    def setUp(self) -> None:
        self.hop = Hop()
        self.addCleanup(lambda: maybeDeferred(self.hop.close))

    def hops(self, trusted: Path | None = None) -> Hops:
        """Connections."""
        hops = Hops(REACTOR, "mx.test", Patience(2, 1, 1, 1), trusted=trusted)
        self.addCleanup(hops.hang_up)
        return hops


class CalloutTests(HopTestCase):
    """Known, unknown, and whatever is neither."""

    async def test_meanings(self) -> None:
        """Only a plain no to the recipient is a no."""
        where = self.hop.listen()
        callout = Callout(self.hops(), seconds=2)
        known, unknown, unsure = Verification
        cases: list[tuple[dict[bytes, Any], Verification]] = [
            ({}, known),
            ({b"RCPT": b"550 5.1.1 nobody\r\n"}, unknown),
            ({b"RCPT": b"550 nobody\r\n"}, unknown),
            ({b"RCPT": b"553 5.1.3 what?\r\n"}, unknown),
            ({b"RCPT": b"450 4.2.1 later\r\n"}, unsure),
            ({b"RCPT": b"550 5.7.1 not you\r\n"}, unsure),
            ({b"RCPT": b"552 5.2.2 full\r\n"}, unsure),
            ({b"RCPT": b""}, unsure),
            ({b"RCPT": b"gibberish\r\n"}, unsure),
            ({b"MAIL": b"550 5.7.1 not you\r\n"}, unsure),
            ({b"EHLO": b"550 not you\r\n"}, unsure),
            ({b"220": b"554 not you\r\n"}, unsure),
            ({b"220": b""}, unsure),
        ]
        for says, expected in cases:
            self.hop.says = dict(says)
            said = await callout.verify(where, "a@far.test")
            self.assertIs(expected, said, says)
        self.assertEqual([], self.hop.messages)
        self.assertNotIn(b"DATA", self.hop.heard)

    async def test_silent(self) -> None:
        """One that says nothing is unsure at the deadline, and let go."""
        where = self.hop.listen()
        self.hop.says = {b"RCPT": b"250-wait\r\n"}
        callout = Callout(self.hops(), seconds=0.3)
        said = await callout.verify(where, "a@far.test")
        self.assertIs(Verification.UNSURE, said)
        self.hop.says = {}
        said = await callout.verify(where, "a@far.test")
        self.assertIs(Verification.KNOWN, said)

    async def test_nobody(self) -> None:
        """Where nobody listens nobody is unknown."""
        where = self.hop.listen()
        await maybeDeferred(self.hop.close)
        said = await Callout(self.hops(), seconds=2).verify(where, "a@far.test")
        self.assertIs(Verification.UNSURE, said)


class TLSTests(HopTestCase):
    """What is said in the clear, and what never is (R45)."""

    def setUp(self) -> None:
        super().setUp()
        certificate, key = make_self_signed("localhost")
        self.certificate = Path(os.path.abspath(self.mktemp()))
        self.key = Path(os.path.abspath(self.mktemp()))
        self.certificate.write_bytes(certificate)
        self.key.write_bytes(key)

    def secure(self) -> NextHop:
        """The hop speaks TLS, with a certificate for localhost."""
        self.hop.context = DefaultOpenSSLContextFactory(
            str(self.key), str(self.certificate)
        )
        self.hop.says.update({b"EHLO": STARTTLS, b"STARTTLS": b"220 go\r\n"})
        return evolve(self.hop.listen(), host="localhost")

    async def line(self, hop: NextHop, tls: str, trusted: Path | None = None) -> bool:
        """Connect by a policy; whether with TLS."""
        hops = self.hops(trusted)
        line = await hops.line(evolve(hop, tls=tls))
        secure = line.skills.secure
        await line.client.leave()
        return bool(secure)

    async def refused(
        self, hop: NextHop, tls: str, trusted: Path | None = None
    ) -> None:
        """No connection is to be had by a policy, and no mail was named."""
        with self.assertRaises(Trouble):
            await self.line(hop, tls, trusted)
        self.assertFalse([h for h in self.hop.heard if h.startswith(b"MAIL")])

    async def test_good(self) -> None:
        """All that is encrypted is, whoever it is; "verify" wants to know who."""
        hop = self.secure()
        self.assertFalse(await self.line(hop, "none"))
        self.assertTrue(await self.line(hop, "opportunistic"))
        self.assertTrue(await self.line(hop, "required"))
        self.assertTrue(await self.line(hop, "verify", self.certificate))

    async def test_bad_certificate(self) -> None:
        """One of another name, or signed by nobody we believe, is not verified."""
        hop = self.secure()
        await self.refused(hop, "verify")
        await self.refused(evolve(hop, host="127.0.0.1"), "verify", self.certificate)

    async def test_stripped(self) -> None:
        """Where TLS must be and is not offered, or refused, nothing follows."""
        hop = self.hop.listen()
        for says in (
            {},
            {b"EHLO": STARTTLS, b"STARTTLS": b"454 no\r\n"},
            {b"EHLO": STARTTLS, b"STARTTLS": b"500 what?\r\n"},
            {b"EHLO": STARTTLS, b"STARTTLS": b"220 go\r\n250 injected\r\n"},
            {b"EHLO": STARTTLS, b"STARTTLS": b"220 go\r\n250-inj"},
            {b"EHLO": STARTTLS, b"STARTTLS": b"220 go\r\n"},
        ):
            self.hop.says = dict(says)
            for tls in ("required", "verify"):
                await self.refused(hop, tls)

    async def test_injected(self) -> None:
        """What is said behind the 220 ends it, even where TLS may be left out."""
        hop = self.hop.listen()
        self.hop.says = {b"EHLO": STARTTLS, b"STARTTLS": b"220 go\r\n250 x\r\n"}
        await self.refused(hop, "opportunistic")

    async def test_opportunistic(self) -> None:
        """Where TLS does not come about, mail goes in the clear."""
        hop = self.hop.listen()
        self.hop.says = {b"EHLO": STARTTLS, b"STARTTLS": b"220 go\r\n"}
        self.assertFalse(await self.line(hop, "opportunistic"))
