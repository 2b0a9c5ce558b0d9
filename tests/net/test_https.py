"""One request over HTTPS, to servers that mean no good."""

import io
import os
import socket
from pathlib import Path
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from smfd.net.dns import Resolver
from smfd.net.https import HTTPS, NoPage, Page
from smfd.policy.networks import networks
from tests.authority import Holder, authority
from tests.store.making import REACTOR

ROOT = authority()
GOOD = ROOT.issue("web.test")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=x\r\n"
STATIC = [
    ("web.test", "A", "127.0.0.1"),
    ("private.test", "A", "10.0.0.1"),
    ("six.test", "AAAA", "::1"),
    ("nothing.test", "TXT", "x"),
]


class Web(Protocol):
    """Says what the factory has, when something was asked."""

    factory: Any
    transport: Any

    def dataReceived(self, data: bytes) -> None:
        """Answer when the header is there."""
        self.factory.heard += data
        if b"\r\n\r\n" in self.factory.heard:
            self.factory.answer(self.transport)


class HTTPSCase(TestCase):
    """A web server on loopback that says what it is told to."""

    timeout = 30

    def setUp(self) -> None:
        self.trusted = ROOT.write(Path(os.path.abspath(self.mktemp())))
        self.factory: Any = Factory.forProtocol(Web)

    def listen(self, answer: bytes, holder: Holder = GOOD, close: bool = True) -> HTTPS:
        """Put it there; who asks it."""

        def say(transport: Any) -> None:
            transport.write(answer)
            if close:
                transport.loseConnection()

        return self.serve(say, holder)

    def serve(self, answer: Any, holder: Holder = GOOD) -> HTTPS:
        """The same, with a function."""
        self.factory.heard, self.factory.answer = b"", answer
        port = REACTOR.listenSSL(
            0, self.factory, holder.context(), interface="127.0.0.1"
        )
        self.addCleanup(lambda: maybeDeferred(port.stopListening))
        return self.asking(port.getHost().port)

    def asking(self, port: int, allowed: tuple[str, ...] = ("127.0.0.0/8",)) -> HTTPS:
        """Who asks."""
        resolver = Resolver(REACTOR, static=STATIC, offline=True)
        return HTTPS(REACTOR, resolver, self.trusted, networks(allowed), port)

    async def refused(self, https: HTTPS, url: str = "https://web.test/x") -> NoPage:
        """It comes to nothing; why."""
        with self.assertRaises(NoPage) as caught:
            await https.get(url, 1000, 1.0)
        found: NoPage = caught.exception
        return found


class GetTests(HTTPSCase):
    """A page is fetched."""

    async def test_good(self) -> None:
        """A page with its type; the name is asked for, and no more is said."""
        https = self.listen(HEAD + b"Content-Length: 3\r\n\r\nabc")
        page = await https.get("https://web.test/.well-known/x.txt", 1000)
        self.assertEqual(Page(200, "text/plain", b"abc"), page)
        self.assertTrue(self.factory.heard.startswith(b"GET /.well-known/x.txt HTTP"))
        self.assertIn(b"Host: web.test", self.factory.heard)

    async def test_chunked(self) -> None:
        """It may come in pieces."""
        body = b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
        page = await self.listen(HEAD + body).get("https://web.test/", 1000)
        self.assertEqual(b"abc", page.body)

    async def test_redirect(self) -> None:
        """A redirect is an answer like any other, and nobody goes there."""
        answer = b"HTTP/1.1 302 No\r\nLocation: https://web.test/\r\n"
        https = self.listen(answer + b"Content-Length: 0\r\n\r\n")
        page = await https.get("https://web.test/x", 1000)
        self.assertEqual(302, page.code)
        self.assertEqual(1, self.factory.heard.count(b"GET"))

    async def test_wrong_certificate(self) -> None:
        """Another name, an old one, a stranger's: nobody is there."""
        for holder in (
            ROOT.issue("other.test"),
            ROOT.issue("web.test", days=(-9, -1)),
            authority("web.test"),
            authority().issue("web.test"),
            ROOT.issue(common="web.test"),
            ROOT.issue("*", "other.test"),
        ):
            https = self.listen(HEAD + b"Content-Length: 3\r\n\r\nabc", holder)
            self.assertTrue((await self.refused(https)).insecure)
        self.assertEqual(b"", self.factory.heard)

    async def test_cut(self) -> None:
        """Half a page is none, nor is one without an end."""
        for answer in (
            HEAD + b"Content-Length: 9\r\n\r\nabc",
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc",
            HEAD + b"\r\nabc",
            HEAD,
            b"",
            b"220 mx.test ESMTP\r\n",
        ):
            await self.refused(self.listen(answer))

    async def test_stalls_behind_another(self) -> None:
        """Who has many addresses has no more time: the last of them may stall."""
        hole = socket.socket()
        self.addCleanup(hole.close)
        hole.bind(("127.0.0.2", 0))
        hole.listen(0)
        number = hole.getsockname()[1]
        for _ in range(3):
            other = socket.socket()
            self.addCleanup(other.close)
            other.setblocking(False)
            other.connect_ex(("127.0.0.2", number))
        port = REACTOR.listenSSL(
            number, self.factory, GOOD.context(), interface="127.0.0.1"
        )
        self.addCleanup(lambda: maybeDeferred(port.stopListening))
        self.factory.heard, self.factory.answer = b"", lambda transport: None
        static = [("web.test", "A", "127.0.0.2"), ("web.test", "A", "127.0.0.1")]
        resolver = Resolver(REACTOR, static=static, offline=True)
        allowed = networks(("127.0.0.0/8",))
        https = HTTPS(REACTOR, resolver, self.trusted, allowed, number)
        self.assertEqual("no answer in time", str(await self.refused(https)))
        self.assertEqual(b"", self.factory.heard)

    async def test_large(self) -> None:
        """A page that is too large, and a header that never ends, are hung up on."""
        for answer in (
            HEAD + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001,
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1001,
            HEAD + b"X: y\r\n" * 100_000,
            b"HTTP/1.1 200 " + b"x" * 100_000,
            b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000,
        ):
            error = await self.refused(self.listen(answer, close=False))
            self.assertNotIn("in time", str(error))

    async def test_endless(self) -> None:
        """Who goes on and on is hung up on at the limit, not at the deadline."""

        def flood(transport: Any) -> None:
            transport.write(HEAD + b"Content-Length: 100000000\r\n\r\n")
            transport.write(b"x" * 10_000)

        error = await self.refused(self.serve(flood))
        self.assertIn("larger", str(error))

    async def test_silent(self) -> None:
        """Who says nothing has a deadline, and then no connection."""
        for answer in (b"", HEAD, HEAD + b"Content-Length: 5\r\n\r\nabc"):
            https = self.listen(answer, close=False)
            with self.assertRaises(NoPage) as caught:
                await https.get("https://web.test/", 1000, 0.3)
            self.assertIn("in time", str(caught.exception))

    async def test_close(self) -> None:
        """Who stops waits for nobody, and asks nobody any more."""
        https = self.listen(HEAD, close=False)
        asked = https.get("https://web.test/", 1000, 60.0)
        while not self.factory.heard:
            await deferLater(REACTOR, 0.01)
        https.close()
        with self.assertRaises(NoPage):
            await asked
        self.assertIn("stopping", str(await self.refused(https)))

    async def test_where(self) -> None:
        """Nobody is sent to our neighbours, nor in the clear."""
        https = self.asking(1)
        for url, why in (
            ("https://private.test/", "the world"),
            ("https://six.test/", "the world"),
            ("https://nothing.test/", "no address"),
            ("https://nowhere.test/", "no look-ups"),
            ("https://web.test/", "no answer"),
            ("http://web.test/", "only https"),
            ("file:///etc/passwd", "only https"),
            ("https://wéb.test/", "only https"),
            ("https://", ""),
            ("https://web.test:x/", ""),
        ):
            self.assertIn(why, str(await self.refused(https, url)), url)
        error = await self.refused(self.asking(1, ()))
        self.assertIn("the world", str(error))


class PostTests(HTTPSCase):
    """Something is handed in."""

    async def test_good(self) -> None:
        """The body and its type arrive, and the code comes back."""
        https = self.listen(b"HTTP/1.1 201 Yes\r\nContent-Length: 0\r\n\r\n")
        page = await https.post("https://web.test/in", io.BytesIO(b"report"), "a/b")
        self.assertEqual(201, page.code)
        heard = self.factory.heard
        self.assertTrue(heard.startswith(b"POST /in HTTP/1.1\r\n"))
        self.assertIn(b"Content-Type: a/b", heard)
        self.assertIn(b"Content-Length: 6", heard)

    async def test_refused(self) -> None:
        """A refusal is an answer."""
        https = self.listen(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        page = await https.post("https://web.test/in", io.BytesIO(b"report"), "a/b")
        self.assertEqual(500, page.code)
