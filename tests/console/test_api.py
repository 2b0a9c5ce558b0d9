"""Tests for L{smfd.console.api}: real requests over a real socket."""

import json
import os
import pwd
import socket
import stat
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from smfd.console import api as api_module
from smfd.console import request as request_module
from smfd.console.api import API
from smfd.control.pulse import Pulse
from smfd.store.ledger import NoSpace
from tests.control.building import HouseTestCase, reactor


class APITestCase(HouseTestCase):
    """A house and its control socket."""

    async def open(self, name: str = "control.sock") -> Path:
        """Start listening."""
        house = await self.build()
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        house = evolve(house, pulse=Pulse(reactor))
        API(house, path, reactor).setServiceParent(self.services)
        self.path = path
        return path

    def raw(self, octets: bytes, path: Path | None = None) -> "Deferred[bytes]":
        """Send octets, and all that comes back."""
        wanted = path or self.path

        def talk() -> bytes:
            folder = os.open(wanted.parent, os.O_PATH)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(20)
                connection.connect(f"/proc/self/fd/{folder}/{wanted.name}")
                os.close(folder)
                answer = b""
                try:
                    connection.sendall(octets)
                    while chunk := connection.recv(65536):
                        answer += chunk
                except ConnectionError:
                    pass
                return answer

        return deferToThread(talk)

    async def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> tuple[int, Any]:
        """One request: status and document."""
        data = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        answer = await self.raw(head.encode() + data)
        head_, _, document = answer.partition(b"\r\n\r\n")
        return int(head_.split()[1]), json.loads(document or b"null")


class AskTests(APITestCase):
    """What is asked and answered."""

    async def test_directory(self) -> None:
        """Adding, looking, changing, removing."""
        await self.open()
        for method, path, body, code in (
            ("POST", "/v1/domains", {"name": "New.example"}, 200),
            ("POST", "/v1/domains", {"name": "new.example"}, 409),
            ("POST", "/v1/domains", {"name": "n e w"}, 400),
            ("POST", "/v1/domains", {}, 400),
            ("PATCH", "/v1/domains/new.example", {"threshold": 7}, 200),
            ("GET", "/v1/domains?search=new&limit=1", None, 200),
            ("GET", "/v1/domains?limit=x", None, 400),
            ("GET", "/v1/domains?limit=1&limit=2", None, 400),
            ("GET", "/v1/domains/no.example", None, 404),
            (
                "POST",
                "/v1/users",
                {"address": "a@new.example", "password": "12345678"},
                200,
            ),
            ("DELETE", "/v1/domains/new.example", None, 409),
            ("DELETE", "/v1/domains/new.example?force=true", None, 200),
            ("GET", "/v1/nothing", None, 404),
            ("PUT", "/v1/domains", None, 405),
            ("GET", "/v1/domains/%FF", None, 400),
        ):
            found, document = await self.ask(method, path, body)
            self.assertEqual(code, found, (method, path, document))
            if code >= 400:
                self.assertEqual({"error", "do"}, set(document))
                self.assertTrue(document["error"].endswith("."), document)

    async def test_actor(self) -> None:
        """Who asked is written down as the kernel knows him."""
        await self.open()
        await self.ask("POST", "/v1/domains", {"name": "new.example"})
        _, page = await self.ask("GET", "/v1/acts?subject=new.example")
        name = pwd.getpwuid(os.getuid()).pw_name
        self.assertEqual([f"uid:{name}"], [act["actor"] for act in page["items"]])

    async def test_quarantine(self) -> None:
        """The whole life of a held message."""
        await self.open()
        name = await self.receive(category="virus")
        _, page = await self.ask("GET", "/v1/quarantine?category=virus")
        self.assertEqual(1, page["total"])
        item = f"/v1/quarantine/{name}-1"
        self.assertEqual(200, (await self.ask("GET", item))[0])
        self.assertEqual(409, (await self.ask("POST", f"{item}/release", {}))[0])
        self.assertEqual(405, (await self.ask("GET", f"{item}/release"))[0])
        said, _ = await self.ask(
            "POST", f"{item}/release", {"force": True, "reason": "lab"}
        )
        self.assertEqual(200, said)
        self.assertEqual(404, (await self.ask("DELETE", item))[0])
        _, trace = await self.ask("GET", f"/v1/trace/{name}")
        self.assertEqual("released", trace["recipients"][0]["state"])
        _, found = await self.ask("GET", "/v1/trace?verdict=virus")
        self.assertEqual([name], [one["id"] for one in found["items"]])

    async def test_status_and_pulse(self) -> None:
        """How it is doing."""
        await self.open()
        _, shown = await self.ask("GET", "/v1/status")
        self.assertEqual("mx.home.example", shown["hostname"])
        _, beat = await self.ask("POST", "/v1/pulse")
        self.assertGreaterEqual(beat["worst_ms"], 0)

    async def test_headers(self) -> None:
        """Answers are JSON, and nobody keeps them."""
        await self.open()
        answer = await self.raw(b"GET /v1/status HTTP/1.0\r\n\r\n")
        for line in (
            b"Content-Type: application/json",
            b"Cache-Control: no-store",
            b"X-Content-Type-Options: nosniff",
        ):
            self.assertIn(line, answer)


class HostileTests(APITestCase):
    """Bad requests, slow ones, large ones, and faults of ours."""

    async def test_form(self) -> None:
        """What a browser can send across sites is no request."""
        await self.open()
        for kind in "text/plain", "application/x-www-form-urlencoded", "":
            code, _ = await self.ask("POST", "/v1/domains", {"name": "a.example"}, kind)
            self.assertEqual(400, code, kind)

    async def test_large(self) -> None:
        """A body over the limit is refused, announced or not."""
        await self.open()
        head = b"POST /v1/domains HTTP/1.1\r\nHost: x\r\n"
        announced = await self.raw(head + b"Content-Length: 1048577\r\n\r\n" + b"x" * 9)
        self.assertTrue(announced.startswith(b"HTTP/1.1 413 "), announced[:99])
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        chunked = await self.raw(
            head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 17 + b"0\r\n\r\n"
        )
        self.assertIn(b"HTTP/1.1 413 ", chunked[:99])

    async def test_slow_body(self) -> None:
        """A body that does not come is not waited for."""
        await self.open()
        self.patch(request_module, "SLOWEST", 0.05)
        answer = await self.raw(
            b"POST /v1/domains HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
        )
        self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer[:99])

    async def test_fault(self) -> None:
        """A fault of ours is logged, and its text is not shown."""
        await self.open()
        for error, sentence in (
            (OSError("/secret/path"), "just now"),
            (NoSpace("/secret/path"), "disk is full"),
        ):
            self.patch(self.house.reader, "counts", lambda e=error: fail(e))
            code, document = await self.ask("GET", "/v1/status")
            self.assertEqual(503, code)
            self.assertIn(sentence, document["error"])
            self.assertNotIn("secret", json.dumps(document))
        self.assertEqual(2, len(self.flushLoggedErrors(OSError, NoSpace)))

    async def test_late(self) -> None:
        """Nobody waits for ever, and what was begun is finished."""
        await self.open()
        waiting: Deferred[dict[str, Any]] = Deferred()
        self.patch(self.house.reader, "counts", lambda: waiting)
        self.patch(api_module, "PATIENCE", 0.05)
        code, document = await self.ask("GET", "/v1/status")
        self.assertEqual(503, code)
        self.assertIn("still be done", document["do"])
        self.assertFalse(waiting.called)
        waiting.callback({"due": 0, "held": 0, "corrupt": 0, "records": 0})

    async def test_gone(self) -> None:
        """Whoever asked may hang up."""
        await self.open()
        counts = self.house.reader.counts

        ended: list[Any] = []

        def end(result: Any) -> Any:
            ended.append(result)
            return result

        def slow() -> Any:
            d: Deferred[None] = Deferred()
            reactor.callLater(0.1, d.callback, None)
            return d.addCallback(lambda _: counts()).addBoth(end)

        self.patch(self.house.reader, "counts", slow)
        with socket.socket(socket.AF_UNIX) as connection:
            folder = os.open(self.path.parent, os.O_PATH)
            connection.connect(f"/proc/self/fd/{folder}/{self.path.name}")
            os.close(folder)
            connection.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(200, (await self.ask("GET", "/v1/status"))[0])
        # Nothing is closed under whoever is still being answered.
        while len(ended) < 2:
            await deferLater(reactor, 0.02)

    async def test_rubbish(self) -> None:
        """Octets that are no HTTP end the connection and nothing else."""
        await self.open()
        for octets in (
            b"\x16\x03\x01\r\n\r\n",
            b"GET\r\n\r\n",
            b"x" * 20_000 + b"\r\n\r\n",
        ):
            await self.raw(octets)
        self.assertEqual(200, (await self.ask("GET", "/v1/status"))[0])


class SocketTests(APITestCase):
    """The socket itself."""

    async def test_owner_only(self) -> None:
        """Only its owner may speak to it."""
        path = await self.open()
        self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))

    async def test_long_path(self) -> None:
        """A home may lie deeper than a socket's address reaches."""
        path = await self.open("d" * 90 + "/" + "e" * 90 + "/control.sock")
        self.assertGreater(len(str(path)), 200)
        self.assertEqual(200, (await self.ask("GET", "/v1/status"))[0])
        await self.services.stopService()
        self.assertFalse(path.exists())

    async def test_stale(self) -> None:
        """A socket that a crash left behind is replaced."""
        house = await self.build()
        path = self.home / "stale.sock"
        folder = os.open(self.home, os.O_PATH)
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(f"/proc/self/fd/{folder}/stale.sock")
        os.close(folder)
        self.assertTrue(path.exists())
        API(house, path, reactor).setServiceParent(self.services)
        self.path = path
        self.assertEqual(200, (await self.ask("GET", "/v1/status"))[0])

    async def test_taken(self) -> None:
        """A socket that somebody listens on is not taken away."""
        path = await self.open()
        second = API(self.house, path, reactor)
        self.assertRaises(CannotListenError, second.startService)
        self.assertEqual(200, (await self.ask("GET", "/v1/status"))[0])
