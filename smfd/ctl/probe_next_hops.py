"""The servers that mail goes on to by name, greeted as mail would be."""

import errno
import os
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from smfd.config.schema import Config
from smfd.ctl.probe import Report, error, ok, warning
from smfd.model.hop import NextHop
from smfd.net.socket_path import SocketPath
from smfd.policy.route import parse_hop
from smfd.store.directory_schema import reader

#: So many are tried, all at once, and for so many seconds.
_MOST = 20
_PATIENCE = 5.0


def probe_next_hops(config: Config) -> Iterator[Report]:
    """Each of them answers, and as a mail server does."""
    try:
        hops = _hops(config.home / "directory.db")
    except (sqlite3.Error, ValueError):
        return  # That there is something wrong with it is told elsewhere.
    routes = [parse_hop(route.to) for route in config.relay.route]
    hops = list(dict.fromkeys([*hops, *routes]))[:_MOST]
    with ThreadPoolExecutor(_MOST) as threads:
        yield from threads.map(_tried, hops)


def _hops(path: Path) -> list[NextHop]:
    if not path.exists():
        return []
    directory = reader(path)
    try:
        rows = directory.execute(
            "SELECT DISTINCT next_hop FROM domains WHERE next_hop<>''"
            " ORDER BY next_hop LIMIT ?",
            (_MOST,),
        ).fetchall()
    finally:
        directory.close()
    return [parse_hop(text) for (text,) in rows]


def _tried(hop: NextHop) -> Report:
    name = f"next_hop {hop}"
    try:
        greeting = _greeting(hop)
    except OSError as failure:
        why = failure.strerror or "no answer within 5 seconds"
        # A server far away may be back soon; a socket is here, or it is not.
        told = error if hop.path else warning
        return told(name, f"{why}. {_mend(hop, failure)}")
    if greeting[:3] != b"220":
        shown = greeting[:60].decode("ascii", "replace").strip()
        return warning(name, f"It greets us with {shown!r}; its mail waits here.")
    return ok(name, "answers")


def _greeting(hop: NextHop) -> bytes:
    if not hop.path:
        with socket.create_connection((hop.host, hop.port), _PATIENCE) as connection:
            return connection.recv(512)
    with SocketPath(Path(hop.path)) as short, socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PATIENCE)
        probe.connect(short)
        return probe.recv(512)


def _mend(hop: NextHop, failure: OSError) -> str:
    if failure.errno == errno.EACCES and hop.path:
        return (
            f"Let the group of user {os.getuid()} write to it: for Dovecot, user, "
            "group and mode of the unix_listener in service lmtp."
        )
    if hop.path:
        return (
            "Its server does not run, or listens elsewhere: for Dovecot, the "
            "unix_listener in service lmtp. Its domains' mail waits here."
        )
    return (
        "Its domains' mail waits here; domain set NAME --next-hop names another, "
        "[[relay.route]] for domains of others."
    )
