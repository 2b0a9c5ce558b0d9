"""
A real Postfix and a real Dovecot, each in a folder of its own.

They need root to start and nothing of the system's own configuration; they end
by the process that was started here.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.system.house import PATIENCE

#: Whoever owns the mailboxes; a number needs no name.
OWNER = 5000

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log/postfix.log
maillog_file_prefixes = {folder}
myhostname = hop.far.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
message_size_limit = 52428800
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtpd_recipient_restrictions = reject_unlisted_recipient, reject_unauth_destination
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtputf8_enable = yes
local_header_rewrite_clients =
"""

_MAILBOX = """
virtual_mailbox_domains = far.test
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = inline:{{ {{ user@far.test = user/ }} }}
virtual_uid_maps = static:{owner}
virtual_gid_maps = static:{owner}
"""

#: What it sends is as it came: no line folded, no encoding changed, no CR a space.
_ONWARD = """
relay_domains = example.test far.test
relay_transport = smtp:[127.0.0.1]:{onward}
transport_maps = inline:{{ sender.test=discard: }}
smtp_helo_name = mail.sender.test
smtp_line_length_limit = 0
disable_mime_output_conversion = yes
cleanup_replace_stray_cr_lf = no
queue_run_delay = 2s
minimal_backoff_time = 2s
"""

_MASTER = """
127.0.0.1:{port} inet n - n - 10 smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
smtp unix - - n - - smtp
discard unix - - n - - discard
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

_DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log/dovecot.log
protocols = lmtp
listen = 127.0.0.1
ssl = no
mail_location = maildir:{folder}/mail/%n
mail_uid = {owner}
mail_gid = {owner}
first_valid_uid = 500
default_vsz_limit = 1G
postmaster_address = postmaster@far.test
hostname = dovecot.far.test
passdb {{
  driver = static
  args = password=none
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Peer:
    """
    A mail server in a folder of its own.

    @ivar mail: the folder of its mailboxes.
    """

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"smfd-{name}-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.mail = self.folder / "mail"
        for part in ("log", "etc", "data", "queue", "run", "state"):
            (self.folder / part).mkdir()
        self.mail.mkdir()
        os.chown(self.mail, OWNER, OWNER)
        self.process: subprocess.Popen[bytes] | None = None

    def filled(self, text: str) -> str:
        """A configuration for this folder and port."""
        return text.format(folder=self.folder, port=self.port, owner=OWNER)

    def run(self, *command: str) -> None:
        """Start, and wait until it listens."""
        with (self.folder / "log" / "start").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.05)
        raise RuntimeError(f"{command[0]} did not start:\n{self.said()}")

    def said(self) -> str:
        """All that it logged."""
        logs = sorted((self.folder / "log").iterdir())
        return "\n".join(path.read_text(errors="replace") for path in logs)

    def stop(self) -> None:
        """End it and all that it started."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self.process = None

    def remove(self) -> None:
        """End it and remove everything."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def files(self, user: str = "user") -> list[Path]:
        """The messages in somebody's mailbox."""
        return sorted((self.mail / user).glob("new/*"))

    def messages(self, user: str = "user") -> list[bytes]:
        """What is in them, with CRLF."""
        return [crlf(path.read_bytes()) for path in self.files(user)]


def crlf(data: bytes) -> bytes:
    """Mailboxes of others have LF."""
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Postfix(Peer):
    """
    Takes mail for user@far.test, and knows nobody else there.

    Or hands all of it on to a port of this machine.
    """

    def __init__(self, onward: int = 0) -> None:
        super().__init__("postfix")
        shutil.chown(self.folder / "data", "postfix")
        main = _MAIN + (
            _ONWARD.replace("{onward}", str(onward)) if onward else _MAILBOX
        )
        (self.folder / "etc" / "main.cf").write_text(self.filled(main))
        (self.folder / "etc" / "master.cf").write_text(self.filled(_MASTER))

    def watch(self) -> None:
        """From the next start on it writes down all that it is told."""
        with (self.folder / "etc" / "main.cf").open("a") as file:
            file.write("debug_peer_list = 127.0.0.0/8\n")

    def heard(self, verb: str) -> list[str]:
        """What it was told that began so; see L{watch}."""
        found = re.findall(r"< \S+\[127\.0\.0\.1\]: (.*)", self.said())
        return [line for line in found if line.startswith(verb)]

    def start(self) -> None:
        """Start it in the foreground."""
        # It waits until a file is two seconds old, lest it is half written.
        for path in (self.folder / "etc").iterdir():
            os.utime(path, (0, 0))
        self.run("postfix", "-c", str(self.folder / "etc"), "start-fg")

    @property
    def queued(self) -> int:
        """Messages that it still has."""
        names = ("maildrop", "incoming", "active", "deferred")
        folders = [self.folder / "queue" / name for name in names]
        return sum(p.is_file() for folder in folders for p in folder.rglob("*"))

    def stop(self) -> None:
        """Its master is no child of ours; it ends all that it started."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "queue" / "pid" / "master.pid").read_text())
            os.kill(pid, signal.SIGTERM)
        super().stop()


class Dovecot(Peer):
    """
    Takes mail for user and ann at far.test, by LMTP.

    @ivar socket: of LMTP.
    """

    def __init__(self) -> None:
        super().__init__("dovecot")
        self.socket = self.folder / "run" / "lmtp"
        users = [f"{name}@far.test::{OWNER}:{OWNER}::" for name in ("user", "ann")]
        home = f"{self.mail}/%n"
        lines = [f"{user}{home}::\n" for user in users]
        (self.folder / "users").write_text("".join(lines))
        (self.folder / "etc" / "dovecot.conf").write_text(self.filled(_DOVECOT))

    def start(self) -> None:
        """Start it in the foreground."""
        self.run("dovecot", "-F", "-c", str(self.folder / "etc" / "dovecot.conf"))
