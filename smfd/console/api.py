"""
The JSON API on the control socket, for those who may open it.

A UNIX socket of mode 0600: its owner, and root, are the operator.
"""

import json
import pwd
import socket
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from smfd.console import answer
from smfd.console.answer import Answer
from smfd.console.fields import from_json, from_query
from smfd.console.request import BoundedRequest
from smfd.console.router import Astray, Route, find
from smfd.console.routes import ROUTES
from smfd.control.house import Actor, House
from smfd.model.directory import Refused
from smfd.net.socket_path import SocketPath, remove_stale

#: Seconds after which nobody waits for an answer any more.
PATIENCE = 90.0
_HEADERS = {
    b"Content-Type": b"application/json",
    b"Cache-Control": b"no-store",
    b"X-Content-Type-Options": b"nosniff",
}


class Answers(Resource):
    """Answers every request from the route table."""

    isLeaf = True
    _log = Logger()

    def __init__(
        self, house: House, reactor: Any, routes: Sequence[Route] = ROUTES
    ) -> None:
        super().__init__()
        self._house = house
        self._reactor = reactor
        self._routes = routes

    def render(self, request: Any) -> int:
        """Answer, at once or later."""
        asked = Deferred.fromCoroutine(self._asked(request))
        # What was begun is finished, whoever stops waiting for it: only the
        # answer can be late, and a late answer is dropped.
        said: Deferred[Answer] = Deferred()
        asked.addBoth(said.callback)
        said.addTimeout(PATIENCE, self._reactor)
        said.addErrback(self._late)
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        said.addCallback(_write, request, gone)
        said.addErrback(lambda f: self._log.failure("cannot answer", f))
        return NOT_DONE_YET

    def _late(self, failure: Failure) -> Answer:
        failure.trap(defer.TimeoutError)
        return answer.LATE

    async def _asked(self, request: Any) -> Answer:
        try:
            return await self._act(request)
        except Refused as no:
            return answer.refused(no)
        except Exception as error:
            self._log.failure("{path} failed", path=_text(request.path))
            return answer.broken(error)

    async def _act(self, request: Any) -> Answer:
        found = find(self._routes, _text(request.method), _text(request.path))
        if isinstance(found, Astray):
            return answer.astray(found)
        route = found.route
        arguments = {
            **from_query(route.query, _query(request.args)),
            **from_json(route.body, _body(request)),
            **found.arguments,
        }
        document = await route.act(self._house, _actor(request), **arguments)
        return Answer(200, document)


class API(Service):
    """
    Listens on the control socket.

    @param path: where; the folder must be there, and is its owner's only.
    """

    name = "api"

    def __init__(self, house: House, path: Path, reactor: Any) -> None:
        self._path = SocketPath(path)
        self._reactor = reactor
        self._site = Site(
            Answers(house, reactor),
            requestFactory=BoundedRequest,
            timeout=60,
            reactor=reactor,
        )
        # Every act is audited; every look is nobody's business.
        self._site.log = lambda request: None  # type: ignore[method-assign]
        self._site.noisy = False
        self._port: IListeningPort | None = None

    def startService(self) -> None:
        """Listen, or raise why not."""
        try:
            short = self._path.open()
            remove_stale(short)
            self._port = self._reactor.listenUNIX(short, self._site, mode=0o600)
        except BaseException:
            # Twisted starts the factory before it binds.
            self._site.doStop()
            self._path.close()
            raise
        super().startService()

    def stopService(self) -> "Deferred[None]":
        """Take no more requests; those under way are finished."""
        super().stopService()
        if self._port is None:
            return maybeDeferred(self._path.close)
        stopped = maybeDeferred(self._port.stopListening)
        self._port = None
        return stopped.addBoth(lambda _: self._path.close())


def _actor(request: Any) -> Actor:
    """Who opened the connection, as the kernel says."""
    handle = request.channel.transport.getHandle()
    credentials = handle.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
    )
    _, uid, _ = struct.unpack("3i", credentials)
    try:
        return Actor(f"uid:{pwd.getpwuid(uid).pw_name}")
    except KeyError:
        return Actor(f"uid:{uid}")


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("invalid", "The request is not UTF-8.") from None


def _query(args: Mapping[bytes, Sequence[bytes]]) -> dict[str, str]:
    """The query's parameters, each at most once."""
    given = {}
    for name, values in args.items():
        if len(values) != 1:
            raise Refused("invalid", f"{_text(name)[:40]!r} is given twice.")
        given[_text(name)] = _text(values[0])
    return given


def _body(request: Any) -> bytes:
    data: bytes = request.content.read()
    kind = request.requestHeaders.getRawHeaders("content-type", [""])[0]
    # A form that a browser sends must never be taken for JSON.
    if data and kind.partition(";")[0].strip().lower() != "application/json":
        raise Refused("invalid", "The body must be application/json.")
    return data


def _write(said: Answer, request: Any, gone: Sequence[object]) -> None:
    if gone:
        return
    for name, value in _HEADERS.items():
        request.setHeader(name, value)
    request.setResponseCode(said.status)
    data = json.dumps(said.document).encode()
    request.setHeader(b"Content-Length", b"%d" % len(data))
    request.write(data)
    request.finish()
