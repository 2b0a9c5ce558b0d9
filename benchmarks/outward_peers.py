"""
Who else carries mail out: Postfix with Dovecot and OpenDKIM, and Haraka.

Each takes mail from a user who logs in where TLS begins at once, signs it with
RSA-2048, and hands all of it to one smarthost.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.submission import Peers
from tests.system.peers import free_port

#: Seconds until a server that was started must be there.
_PATIENCE = 30.0

_POSTFIX = """
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
relayhost = [127.0.0.1]:{sink}
smtpd_milters = inet:127.0.0.1:{milter}
milter_default_action = tempfail
"""

_OPENDKIM = """
Mode s
Syslog no
Canonicalization relaxed/relaxed
Domain far.test
Selector bench
KeyFile {folder}/opendkim/key.pem
InternalHosts 0.0.0.0/0
Socket inet:{milter}@127.0.0.1
OversignHeaders From,To,Cc,Subject,Date,Reply-To
RequireSafeKeys no
"""

_ROUTE = """
exports.hook_get_mx = function (next, hmail, domain) {{
  return next(OK, {{ priority: 0, exchange: '127.0.0.1', port: {sink} }})
}}
exports.hook_rcpt = function (next, connection) {{
  return next(connection.relaying ? OK : DENY)
}}
"""

_SMTP = """
listen=127.0.0.1:{plain},127.0.0.1:{port}
smtps_port={port}
nodes=2
"""

_SIGN = """
[sign]
enabled=true
selector=bench
domain=far.test
headers=From, To, Cc, Subject, Date, Reply-To
[canon]
body=relaxed
"""


def private_key() -> bytes:
    """A key of RSA-2048, PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _await(port: int) -> None:
    """Until somebody listens there."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)


class PostfixOut(Peers):
    """Postfix, Dovecot for the logins, OpenDKIM for the signatures."""

    name = "Postfix + OpenDKIM"

    def __init__(self, certificate: Path, key: Path, sink: int) -> None:
        """
        @param sink: the port of the smarthost.
        """
        super().__init__(certificate, key)
        folder, self._milter = self._postfix.folder, free_port()
        with (folder / "etc" / "main.cf").open("a") as file:
            file.write(_POSTFIX.format(sink=sink, milter=self._milter))
        (folder / "opendkim").mkdir()
        (folder / "opendkim" / "key.pem").write_bytes(private_key())
        (folder / "opendkim" / "key.pem").chmod(0o600)
        self._settings = folder / "opendkim" / "opendkim.conf"
        text = _OPENDKIM.format(folder=folder, milter=self._milter)
        self._settings.write_text(text)
        self._signer: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """The signer first: without it nothing is taken."""
        command = ("opendkim", "-f", "-x", str(self._settings))
        self._signer = subprocess.Popen(command)
        super().start()

    def roots(self) -> Iterator[int]:
        """All three."""
        assert self._signer is not None
        yield from (*super().roots(), self._signer.pid)

    def remove(self) -> None:
        """End all."""
        if self._signer is not None:
            self._signer.terminate()
            self._signer.wait()
        super().remove()


class Haraka:
    """
    Haraka with its plugins tls, auth/flat_file and dkim, two nodes.

    Its password file holds the passwords themselves: a login costs it nothing.
    """

    name = "Haraka"
    user, password = "user@far.test", "a-password-of-the-benchmark"

    def __init__(self, program: Path, certificate: Path, key: Path, sink: int) -> None:
        """
        @param program: the installed package.
        """
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="smfd-haraka-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        config = self._folder / "config"
        (self._folder / "queue").mkdir()
        (self._folder / "plugins").mkdir()
        config.mkdir()
        shutil.copy(certificate, config / "tls_cert.pem")
        shutil.copy(key, config / "tls_key.pem")
        # It does not answer without its own defaults.
        shutil.copy(program / "config" / "connection.ini", config)
        (config / "dkim.private.key").write_bytes(private_key())
        for name, text in self._files().items():
            (config / name).write_text(text)
        (self._folder / "plugins" / "route.js").write_text(_ROUTE.format(sink=sink))

    def _files(self) -> dict[str, str]:
        return {
            "me": "haraka.far.test\n",
            "plugins": "tls\nauth/flat_file\nroute\ndkim\n",
            "auth_flat_file.ini": "[core]\nmethods=PLAIN\n[users]\n"
            f"{self.user}={self.password}\n",
            "dkim.ini": _SIGN,
            "log.ini": "[main]\nlevel=warn\n",
            "outbound.ini": "enable_tls=false\nlocal_mx_ok=true\nconcurrency_max=100\n",
            "smtp.ini": _SMTP.format(plain=free_port(), port=self.port),
        }

    def start(self) -> None:
        """Start it; it is there when its port answers."""
        log = (self._folder / "log").open("wb")
        program = self._program / "bin" / "haraka"
        self._process = subprocess.Popen(
            ("node", str(program), "-c", str(self._folder)),
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "HARAKA": str(self._folder)},
        )
        _await(self.port)

    def roots(self) -> Iterator[int]:
        """The master."""
        assert self._process is not None
        yield self._process.pid

    def remove(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
