"""
What C{smfdctl check} tries, one function each.

A probe looks and does not change anything.  It may wait a few seconds.
"""

import errno
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from attrs import frozen

from smfd.config.judging import STAGES
from smfd.config.schema import Config
from smfd.config.value import SYSTEMD, UNIX, split_address, split_clamd
from smfd.net.socket_path import SocketPath


class State(Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@frozen
class Report:
    """
    What a probe found.

    @ivar name: what was looked at.
    @ivar text: one line when it is well; else what is wrong and how to mend it.
    """

    name: str
    state: State
    text: str


def ok(name: str, text: str) -> Report:
    """All is well."""
    return Report(name, State.OK, text)


def warning(name: str, text: str) -> Report:
    """It will run, and somebody should know."""
    return Report(name, State.WARNING, text)


def error(name: str, text: str) -> Report:
    """It will not run, or not do what the settings say."""
    return Report(name, State.ERROR, text)


def probe_name(config: Config) -> Iterator[Report]:
    """The host name is one that others can look up."""
    if "." in config.hostname:
        yield ok("hostname", config.hostname)
        return
    yield warning(
        "hostname",
        f'"{config.hostname}" has no domain. Other servers expect the name under '
        "which DNS knows this machine: set [server] hostname.",
    )


def probe_home(config: Config) -> Iterator[Report]:
    """The home is there, ours, and nobody else's."""
    home = config.home
    if not home.is_dir():
        yield error("home", f'{home} is not there; "smfdctl init HOME" makes one.')
    elif not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        yield error("home", f"{home} cannot be written by us; chown it to our user.")
    elif stat.S_IMODE(home.stat().st_mode) & 0o077:
        yield warning("home", f"{home} is open to others: chmod 700 {home}.")
    else:
        yield ok("home", str(home))


def probe_disk(config: Config) -> Iterator[Report]:
    """There is room beyond what must stay free."""
    try:
        usage = shutil.disk_usage(config.home)
    except OSError:
        return
    free, least = usage.free >> 20, config.store.minimum_free >> 20
    if free <= least:
        yield error(
            "disk",
            f"{free} MiB are free and {least} must stay free: all mail would be "
            "answered 452. Make room, or lower [store] minimum_free.",
        )
    else:
        yield ok("disk", f"{free} MiB free")


def probe_ports(config: Config) -> Iterator[Report]:
    """Every address can be listened on, or we do already."""
    running = _answers(config.resolve(config.control.socket))
    submission = config.submission
    people = (*submission.listen, *submission.listen_tls)
    world = (*config.mx.listen, *config.mx.listen_tls)
    # Without TLS that door is closed.
    doors = (*world, *(people if config.tls.certificate else ()), *config.lmtp.listen)
    for text in doors:
        if text.startswith(UNIX):
            yield _socket(text, config.resolve(text.removeprefix(UNIX)), running)
        # Systemd's are there before us.
        elif not text.startswith(SYSTEMD):
            yield _port(text, *split_address(text), running)


def _socket(text: str, path: Path, running: bool) -> Report:
    name = f"listen {text}"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return error(name, f"We cannot make a socket in {path.parent}.")
    if _answers(path):
        taken = error(name, "Another program listens there. Stop it, or move.")
        return ok(name, "smfd is listening") if running else taken
    if path.exists() and not path.is_socket():
        return error(name, f"{path} is there and no socket; move it away.")
    return ok(name, "free")


def _port(text: str, host: str, port: int, running: bool) -> Report:
    name = f"listen {text}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as failure:
        if failure.errno == errno.EADDRINUSE and running:
            return ok(name, "smfd is listening")
        return error(name, f"{os.strerror(failure.errno or 0)}. {_mend(failure, port)}")
    return ok(name, "free")


def _mend(failure: OSError, port: int) -> str:
    return {
        errno.EADDRINUSE: f'Another program has it; "ss -ltnp sport = :{port}" '
        "says which. Stop it, or listen elsewhere.",
        errno.EACCES: "Ports below 1024 need CAP_NET_BIND_SERVICE; the systemd unit "
        "gives it. Or listen above 1023.",
        errno.EADDRNOTAVAIL: 'This machine has no such address; "ip address" shows '
        "those it has.",
        errno.EAFNOSUPPORT: "This machine has no IPv6; take the address out of "
        "[mx] listen.",
    }.get(failure.errno or 0, "Change [mx] listen.")


def _answers(path: Path) -> bool:
    """Whether somebody listens on a UNIX socket."""
    try:
        with SocketPath(path) as short, socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(3)
            return probe.connect_ex(short) == 0
    except OSError:
        return False


def probe_stages(config: Config) -> Iterator[Report]:
    """Every stage runs."""
    left = [stage for stage in STAGES if stage not in config.scan.stages]
    if left:
        yield warning(
            "stages",
            f"Left out: {', '.join(left)}. Mail passes without them; put them back "
            "into [scan] stages.",
        )
    else:
        yield ok("stages", ", ".join(config.scan.stages))


def probe_virus(config: Config) -> Iterator[Report]:
    """Somebody scans for viruses, and answers."""
    if "virus" not in config.scan.stages:
        return
    if config.virus.engine == "builtin":
        yield warning(
            "virus",
            "no antivirus is installed: the builtin engine knows the EICAR test "
            "string and nothing else. Install clamav-daemon and set "
            '[virus] engine = "clamd".',
        )
        return
    said = {text: _ping(text) for text in config.virus.clamd}
    broken = [f"{text} ({why})" for text, why in said.items() if why]
    if not broken:
        yield ok("virus", "clamd answers at " + ", ".join(said))
        return
    report = error if len(broken) == len(said) else warning
    yield report(
        "virus",
        f"clamd does not answer: {', '.join(broken)}. Mail is deferred as long as "
        'none does. "systemctl status clamav-daemon" says what it is at.',
    )


def _ping(text: str) -> str:
    """Why a clamd does not answer, or the empty string."""
    scheme, where, port = split_clamd(text)
    try:
        if scheme == "unix":
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            connection = socket.create_connection((where, port), timeout=5)
        with connection:
            connection.settimeout(5)
            if scheme == "unix":
                connection.connect(where)
            connection.sendall(b"zPING\0")
            answer = connection.recv(64)
    except OSError as failure:
        return failure.strerror or "no answer within 5 seconds"
    return "" if answer.startswith(b"PONG") else "it is not clamd"
