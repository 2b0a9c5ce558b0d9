"""Asking the daemon, over its control socket.  No Twisted: a verb is quick."""

import http.client
import json
import pwd
import socket
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote as quoted
from typing import Any
from urllib.parse import quote, urlencode

import click

from smfd.ctl.face import LATER, REFUSED, Face
from smfd.net.socket_path import SocketPath

#: Longer than the daemon waits for itself, seconds.
_PATIENCE = 120.0

_TOO_LONG = (
    f"smfd has not answered for {_PATIENCE:g} seconds. What was begun goes on:\n"
    "look what became of it before you try again."
)


class NotDone(click.ClickException):
    """The daemon refused; says why, and what to do."""

    exit_code = REFUSED


class Unavailable(click.ClickException):
    """There is no daemon, or it cannot just now."""

    exit_code = LATER


class Client:
    """
    Speaks to the daemon that runs with a settings file.

    Every method returns the JSON document, or raises L{NotDone} or
    L{Unavailable} with sentences for people.
    """

    def __init__(self, config: Path) -> None:
        self._config = config

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Look; nothing changes."""
        return self._ask("GET", _with(path, query))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Add, or act."""
        return self._ask("POST", path, _given(body))

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change."""
        return self._ask("PATCH", path, _given(body))

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Replace."""
        return self._ask("PUT", path, _given(body))

    def delete(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Remove."""
        return self._ask("DELETE", _with(path, query))

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        connection = _Connection(self._socket())
        data = None if body is None else json.dumps(body)
        headers = {} if data is None else {"Content-Type": "application/json"}
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            return _read(response.status, response.read())
        except (FileNotFoundError, ConnectionRefusedError):
            raise Unavailable(self._down()) from None
        except PermissionError:
            raise NotDone(self._not_ours(self._socket())) from None
        except TimeoutError:
            raise Unavailable(_TOO_LONG) from None
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"The daemon did not answer ({error}).") from None
        finally:
            connection.close()

    def _socket(self) -> Path:
        """Where the settings say it is; the rest of them is not our business."""
        try:
            settings = tomllib.loads(self._config.read_text("utf-8"))
        except PermissionError:
            raise NotDone(self._not_ours(self._config.absolute())) from None
        except OSError as error:
            raise NotDone(
                f"{self._config}: {error.strerror}.\n"
                "Name the settings file with --config."
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise NotDone(f"{self._config}: {error}.") from None
        home = self._config.absolute().parent / _text(settings, "server", "home", "")
        return home / _text(settings, "control", "socket", "run/control.sock")

    def _not_ours(self, path: Path) -> str:
        """Who may, and what he types."""
        owner = owner_of(path)
        sudo = "sudo" if owner == "root" else f"sudo -u {quoted(owner)}"
        return (
            f"{path} belongs to {owner}: nobody else but root may use it.\n"
            f"Say: {sudo} {Face(self._config).command} ..."
        )

    def _down(self) -> str:
        return (
            f"smfd is not running with {self._config}.\n"
            f"Start it with: {Face(self._config).daemon}"
        )


class _Connection(http.client.HTTPConnection):
    """HTTP over a UNIX socket, however long its path is."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_PATIENCE)
        with SocketPath(self._path) as short:
            self.sock.connect(short)


@contextmanager
def asking(face: Face) -> Iterator[Client]:
    """A client whose bad news leave through the face."""
    try:
        yield Client(face.config)
    except NotDone as no:
        face.refuse(no.message)
    except Unavailable as later:
        face.later(later.message)


def owner_of(path: Path) -> str:
    """
    Whose a file is, by name, or C{#} and the number where there is none.

    Where we may not look, it is who keeps us from looking.
    """
    for place in (path, *path.parents):
        with suppress(OSError):
            number = place.stat().st_uid
            break
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"


def segment(text: str) -> str:
    """Text as one segment of a path."""
    return quote(text, safe="@")


def _read(status: int, data: bytes) -> Any:
    try:
        document = json.loads(data) if data else {}
    except ValueError:
        raise Unavailable("The daemon's answer is not JSON.") from None
    if status < 400:
        return document
    sentences = (document.get("error") or f"HTTP status {status}", document.get("do"))
    text = "\n".join(sentence for sentence in sentences if sentence)
    raise (Unavailable if status >= 500 else NotDone)(text)


def _with(path: str, query: Mapping[str, Any] | None) -> str:
    given = {
        name: json.dumps(value) if isinstance(value, bool) else value
        for name, value in _given(query).items()
    }
    return f"{path}?{urlencode(given)}" if given else path


def _given(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Without what was not said."""
    return {
        name: value
        for name, value in (values or {}).items()
        if value is not None and value != ""
    }


def _text(settings: Mapping[str, Any], table: str, key: str, default: str) -> str:
    found = settings.get(table)
    value = found.get(key, default) if isinstance(found, dict) else default
    return value if isinstance(value, str) else default
