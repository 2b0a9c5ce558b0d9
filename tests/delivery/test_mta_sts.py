"""MTA-STS policies, fetched from a web server on loopback."""

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.delivery.mta_sts import DAY, PAUSE, UNUSED, Published, known
from smfd.net.dns import DNSTrouble, Resolver
from smfd.net.https import HTTPS
from smfd.policy.mta_sts import STS
from smfd.policy.networks import networks
from smfd.store.history import Shelf
from smfd.store.history_file import HistoryFile
from tests.authority import Holder, authority
from tests.net.test_https import Web
from tests.store.making import REACTOR

ROOT = authority()
WEB = ROOT.issue("mta-sts.site.test", "mta-sts.other.test")
POLICY = b"version: STSv1\nmode: enforce\nmx: mx.site.test\nmax_age: 604800\n"
STRICT = STS("enforce", ("mx.site.test",), 604800)
NOW = 1_800_000_000.0


class Failing(Resolver):
    """A resolver that has no answer for some names."""

    silent: tuple[str, ...] = ()

    def lookup(self, name: str, rdtype: str) -> Any:
        """Nothing, or what there is."""
        if name in self.silent:
            return maybeDeferred(self._nothing)
        return super().lookup(name, rdtype)

    def _nothing(self) -> None:
        raise DNSTrouble("no answer")


class PublishedCase(TestCase):
    """A web server, and who asks it for policies."""

    timeout = 30

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.trusted = ROOT.write(Path(os.path.abspath(self.mktemp())))
        self.shelf = Shelf(100)
        self.told: list[tuple[str, str]] = []
        self.page = POLICY
        self.head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        self.factory: Any = Factory.forProtocol(Web)
        self.asked = 0
        self.slow = 0.0

    def listen(self, holder: Holder = WEB) -> int:
        """Serve the page; the port."""

        def answer(transport: Any) -> None:
            self.factory.heard = b""
            self.asked += 1
            length = b"Content-Length: %d\r\n\r\n" % len(self.page)
            REACTOR.callLater(self.slow, transport.write, self.head + length)
            REACTOR.callLater(self.slow, transport.write, self.page)

        self.factory.heard, self.factory.answer = b"", answer
        port = REACTOR.listenSSL(
            0, self.factory, holder.context(), interface="127.0.0.1"
        )
        self.addCleanup(lambda: maybeDeferred(port.stopListening))
        return int(port.getHost().port)

    def published(
        self, port: int, name: str = "1", silent: tuple[str, ...] = ()
    ) -> Published:
        """Who asks, when the DNS has that id."""
        static = [
            (f"mta-sts.{site}.test", "A", "127.0.0.1") for site in ("site", "other")
        ]
        static += [
            (f"_mta-sts.{site}.test", "TXT", f"v=STSv1; id={name};")
            for site in ("site", "other")
            if name
        ]
        resolver = Failing(REACTOR, static=static, offline=True)
        resolver.silent = silent
        allowed = networks(("127.0.0.0/8",))
        self.https = HTTPS(REACTOR, resolver, self.trusted, allowed, port)
        return Published(self.clock, resolver, self.https, self.shelf, self.tell)

    def tell(self, domain: str, fault: str, why: str) -> None:
        """What was wrong."""
        self.told.append((domain, fault))


class FetchTests(PublishedCase):
    """Once, and again when it has changed."""

    async def test_once(self) -> None:
        """A policy is fetched for the first mail, and known for the next."""
        published = self.published(self.listen())
        for _ in range(3):
            self.assertEqual(STRICT, await published.policy("site.test"))
        self.assertEqual(1, self.asked)

    async def test_none(self) -> None:
        """A domain without a record has no policy, and nobody asks its web server."""
        published = self.published(self.listen(), "")
        self.assertIsNone(await published.policy("site.test"))
        self.assertEqual((0, []), (self.asked, self.told))

    async def test_together(self) -> None:
        """Many letters for one domain are one fetch."""
        published = self.published(self.listen())
        found = await gatherResults(
            [Deferred.fromCoroutine(published.policy("site.test")) for _ in range(9)]
        )
        self.assertEqual([STRICT] * 9, found)
        self.assertEqual(1, self.asked)

    async def test_stopped(self) -> None:
        """That we stop is no fault of a domain's, and is not reported to it."""
        self.slow = 1.0
        published = self.published(self.listen())
        found = Deferred.fromCoroutine(published.policy("site.test"))
        await deferLater(REACTOR, 0.2)
        self.https.close()
        self.assertIsNone(await found)
        self.assertIsNone(await published.policy("other.test"))
        self.assertEqual([], self.told)
        await deferLater(REACTOR, self.slow)

    async def test_changed(self) -> None:
        """Another id means another policy."""
        port = self.listen()
        await self.published(port).policy("site.test")
        self.page = POLICY.replace(b"enforce", b"none")
        sts = await self.published(port, "2").policy("site.test")
        self.assertEqual("none", sts.mode if sts else "")
        self.assertEqual(2, self.asked)

    async def test_disappears(self) -> None:
        """Who hides the record, the web server or its name hides no policy."""
        port = self.listen()
        await self.published(port).policy("site.test")
        hidden = self.published(port, silent=("_mta-sts.site.test",))
        for published in (
            self.published(port, ""),
            hidden,
            self.published(1, "2"),
            self.published(port, "2", ("mta-sts.site.test",)),
        ):
            self.clock.advance(PAUSE)
            self.assertEqual(STRICT, await published.policy("site.test"))

    async def test_clock_set_back(self) -> None:
        """Who failed by a clock that was wrong is asked again by one that is right."""
        published = self.published(self.listen())
        self.clock.advance(DAY)
        whole, self.page = self.page, b"none"
        self.assertIsNone(await published.policy("site.test"))
        self.page = whole
        self.clock.rightNow -= DAY
        self.assertEqual(STRICT, await published.policy("site.test"))

    async def test_ends(self) -> None:
        """A policy counts for as long as it said, and no longer."""
        port = self.listen()
        await self.published(port).policy("site.test")
        self.clock.advance(604_800 - 1)
        gone = self.published(port, "")
        self.assertEqual(STRICT, await gone.policy("site.test"))
        self.clock.advance(1)
        self.assertIsNone(await gone.policy("site.test"))

    async def test_faults(self) -> None:
        """What cannot be had, or is no policy, is told by its word."""
        whole = self.head
        for head, page, holder, fault in (
            (whole.replace(b"200", b"404"), POLICY, WEB, "sts-policy-fetch-error"),
            (whole.replace(b"200", b"301"), POLICY, WEB, "sts-policy-fetch-error"),
            (whole.replace(b"plain", b"html"), POLICY, WEB, "sts-policy-invalid"),
            (whole, b"<html>", WEB, "sts-policy-invalid"),
            (whole, POLICY + b"x" * 65536, WEB, "sts-policy-fetch-error"),
            (whole, POLICY, ROOT.issue("site.test"), "sts-webpki-invalid"),
            (
                whole,
                POLICY,
                authority("Stranger").issue("mta-sts.site.test"),
                "sts-webpki-invalid",
            ),
        ):
            self.head, self.page = head, page
            self.told.clear()
            published = self.published(self.listen(holder))
            self.assertIsNone(await published.policy("site.test"))
            self.assertEqual([("site.test", fault)], self.told)

    async def test_pause(self) -> None:
        """A server that has no policy is left alone for five minutes."""
        port = self.listen()
        self.page = b"nothing"
        published = self.published(port)
        for _ in range(3):
            self.assertIsNone(await published.policy("site.test"))
        self.assertEqual(1, self.asked)
        self.page = POLICY
        self.clock.advance(PAUSE)
        self.assertEqual(STRICT, await published.policy("site.test"))


class RoundTests(PublishedCase):
    """Once a day, whether anybody writes or not."""

    async def test_refreshed(self) -> None:
        """What is a day old is fetched again, whatever its id; so it never ends."""
        port = self.listen()
        published = self.published(port)
        await published.policy("site.test")
        self.clock.advance(DAY - 1)
        await published.round()
        self.assertEqual(1, self.asked)
        self.clock.advance(2)
        self.page = POLICY.replace(b"mx.site", b"new.site")
        await published.round()
        self.assertEqual(2, self.asked)
        sts = await published.policy("site.test")
        self.assertEqual(("new.site.test",), sts.patterns if sts else ())

    async def test_not_there(self) -> None:
        """A web server that is down costs no policy."""
        port = self.listen()
        await self.published(port).policy("site.test")
        self.clock.advance(DAY + 1)
        broken = self.published(1)
        await broken.round()
        self.assertEqual(STRICT, await broken.policy("site.test"))

    async def test_forgotten(self) -> None:
        """What has ended, and what nobody used for a month, is forgotten."""
        port = self.listen()
        self.page = POLICY.replace(b"604800", b"31557600")
        published = self.published(port)
        await published.policy("site.test")
        self.shelf.put("broken.test", ("enforce", 3))
        self.clock.advance(UNUSED - DAY)
        await published.round()
        self.assertEqual(["site.test"], list(self.shelf.rows))
        self.clock.advance(2 * DAY)
        await published.round()
        self.assertEqual([], list(self.shelf.rows))

    async def test_restart(self) -> None:
        """Policies are known after a restart."""
        port = self.listen()
        path = Path(os.path.abspath(self.mktemp()))
        file = HistoryFile(path, REACTOR, REACTOR, {"sts": self.shelf}, "tls")
        file.startService()
        await self.published(port).policy("site.test")
        await file.stopService()
        self.shelf = Shelf(100)
        again = HistoryFile(path, REACTOR, REACTOR, {"sts": self.shelf}, "tls")
        again.startService()
        self.addCleanup(again.stopService)
        while not self.shelf.rows:
            await deferLater(REACTOR, 0.01)
        self.assertEqual(STRICT, await self.published(1).policy("site.test"))


class RowTests(SynchronousTestCase):
    """What a file may have in it."""

    def test_odd(self) -> None:
        """A row that nobody can have written is nothing."""
        good = ("enforce", "a.test", 60, "1", NOW, NOW)
        self.assertIsNotNone(known(good))
        for row in (
            None,
            (),
            good[:-1],
            ("maybe", *good[1:]),
            ("enforce", None, *good[2:]),
            ("enforce", "a.test", "x", *good[3:]),
            ("enforce", "a.test", 60, "1", None, NOW),
        ):
            self.assertIsNone(known(row), row)
