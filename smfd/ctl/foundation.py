"""
A new home: a folder with settings, keys and databases, or nothing at all.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from smfd.config.render import sample
from smfd.model.directory import ListEntry

#: The standard ports of what smfd is.
PORTS = {
    "mx": 25,
    "submission": 587,
    "submissions": 465,
    "lmtp": 24,
    "console": 80,
    "console_https": 443,
}
#: The highest base that leaves every port a port.
HIGHEST_BASE = 65535 - max(PORTS.values())

SETTINGS = "smfd.toml"
OPERATOR = "operator"


@frozen
class Foundation:
    """
    What a new home begins with.

    @ivar users: address to password.
    @ivar operator: the operator's password.
    @ivar base: what is added to every port; above 0 we listen on 127.0.0.1 only.
    @ivar extra: tables of settings besides those that a home must have.
    """

    home: Path
    hostname: str
    domains: Sequence[str]
    users: Mapping[str, str]
    operator: str
    base: int = 0
    entries: Sequence[ListEntry] = ()
    extra: Mapping[str, Any] = field(factory=dict)

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.home / SETTINGS

    @property
    def ports(self) -> dict[str, int]:
        """Where each service is, or will be."""
        return {name: port + self.base for name, port in PORTS.items()}

    @property
    def document(self) -> dict[str, Any]:
        """What the settings file sets."""
        document: dict[str, Any] = {"server": {"hostname": self.hostname}, **self.extra}
        if self.base:
            here = {name: [f"127.0.0.1:{port}"] for name, port in self.ports.items()}
            document["mx"] = {"listen": here["mx"]}
            document["submission"] = {
                "listen": here["submission"],
                "listen_tls": here["submissions"],
            }
        return document

    def lay(self) -> None:
        """
        Make all of it; when that fails, none of it stays.

        @raise FileExistsError: the home is there already, and untouched.
        """
        self.home.parent.mkdir(parents=True, exist_ok=True)
        before = os.umask(0o077)
        try:
            self.home.mkdir(mode=0o700)
            try:
                self._fill()
            except BaseException:
                shutil.rmtree(self.home, ignore_errors=True)
                raise
        finally:
            os.umask(before)

    def _fill(self) -> None:
        # OpenSSL and argon2 are slow to import, and only wanted here.
        from argon2 import PasswordHasher

        from smfd.control.bootstrap import found
        from smfd.net.tls import make_self_signed

        for name in ("tls", "run", "log", "compiled"):
            (self.home / name).mkdir(mode=0o700)
        certificate, key = make_self_signed(self.hostname)
        _write(self.home / "tls" / "cert.pem", certificate)
        _write(self.home / "tls" / "key.pem", key)
        hashed = PasswordHasher().hash(self.operator)
        operator = json.dumps({"name": OPERATOR, "password": hashed}, indent=2)
        _write(self.home / "operator.json", operator.encode() + b"\n")
        found(self.home, self.hostname, self.domains, self.users, self.entries)
        # Last: a home with a settings file is complete.
        _write(self.config, sample(self.document).encode())


def _write(path: Path, data: bytes) -> None:
    """A new file that only we can read, on the disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
