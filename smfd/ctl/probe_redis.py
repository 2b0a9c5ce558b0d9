"""Whether Redis answers, when users are counted there."""

import socket
from collections.abc import Iterator

from smfd.config.schema import Config
from smfd.config.value import split_clamd
from smfd.ctl.probe import Report, error, ok


def probe_redis(config: Config) -> Iterator[Report]:
    """It answers, and knows our password."""
    settings = config.quota.redis
    if not settings.server:
        return
    why = _wrong(settings.server, settings.password)
    if not why:
        yield ok("redis", f"answers at {settings.server}")
        return
    yield error(
        "redis",
        f"{settings.server}: {why}. Users may send 1/{settings.boxes} of their limits "
        "here until it answers; see [quota.redis].",
    )


def _wrong(server: str, password: str) -> str:
    """Why it is of no use, or the empty string."""
    scheme, where, port = split_clamd(server)
    asked = _command("AUTH", password) if password else b""
    try:
        if scheme == "unix":
            connection = socket.socket(socket.AF_UNIX)
        else:
            connection = socket.create_connection((where, port), timeout=5)
        with connection:
            connection.settimeout(5)
            if scheme == "unix":
                connection.connect(where)
            connection.sendall(asked + _command("PING"))
            with connection.makefile("rb") as answers:
                said = [answers.readline(512) for _ in range(2 if password else 1)]
    except OSError as failure:
        return str(failure)
    if said[-1] == b"+PONG\r\n":
        return ""
    return "it says " + ascii(said[0].decode("latin-1").strip()[:80])


def _command(*words: str) -> bytes:
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()
