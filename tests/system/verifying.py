"""A real OpenDKIM behind a real Postfix: what others say of our signatures."""

import re
import subprocess
from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.system.house import ONWARD, House
from tests.system.peers import Postfix, free_port

ANN, FAR = "ann@example.test", "user@far.test"

#: Both signatures are right.
GOOD = {b"rsa": b"pass", b"ed25519": b"pass"}

_RESULT = re.compile(rb"dkim=(\w+)[^;]*header\.d=example\.test[^;]*header\.a=(\w+)")

_MILTER = """
smtpd_milters = inet:127.0.0.1:{milter}
milter_default_action = tempfail
"""

_OPENDKIM = """
Mode v
Syslog no
AlwaysAddARHeader yes
AuthservID opendkim.far.test
RequireSafeKeys no
UserID root
TestPublicKeys {folder}/keys
Socket inet:{milter}@127.0.0.1
"""


class Verifying(Postfix):
    """
    Takes mail for user@far.test, and writes on it what OpenDKIM thinks of it.

    @param records: the TXT records that OpenDKIM finds.
    """

    def __init__(self, records: Mapping[str, str]) -> None:
        super().__init__()
        milter = free_port()
        with (self.folder / "etc" / "main.cf").open("a") as file:
            file.write(_MILTER.format(milter=milter))
        keys = [f"{name} {record}\n" for name, record in records.items()]
        (self.folder / "keys").write_text("".join(keys))
        self._settings = self.folder / "etc" / "opendkim.conf"
        text = _OPENDKIM.format(folder=self.folder, milter=milter)
        self._settings.write_text(text)
        self._verifier: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """The verifier first: without it nothing is taken."""
        with (self.folder / "log" / "opendkim").open("ab") as log:
            self._verifier = subprocess.Popen(
                ("opendkim", "-f", "-x", str(self._settings)), stdout=log, stderr=log
            )
        super().start()

    def stop(self) -> None:
        """End both."""
        super().stop()
        if self._verifier is not None:
            self._verifier.terminate()
            self._verifier.wait(10)
            self._verifier = None


class VerifiedTestCase(SynchronousTestCase):
    """
    Ann's house, and behind it a server that checks what she signs.

    @ivar settings: more of them.
    @ivar watched: the server writes down all that it is told.
    @ivar records: the keys that the server finds, by their names.
    """

    settings = ""
    watched = False

    def setUp(self) -> None:
        """The domain's keys are what OpenDKIM finds in its DNS."""
        house = self.house = House((ANN,))
        self.addCleanup(house.remove)
        house.start()
        keys = house.ctl("dkim", "show", "example.test")["keys"]
        house.stop()
        self.records = {
            key["name"]: key["record"] for key in keys if self.is_published(key)
        }
        self.last = Verifying(self.records)
        self.addCleanup(self.last.remove)
        if self.watched:
            self.last.watch()
        self.last.start()
        with house.config.open("a") as file:
            file.write(ONWARD.format(port=self.last.port) + self.settings)
        house.start()

    def is_published(self, key: Mapping[str, Any]) -> bool:
        """Whether a key is to be found."""
        return True


def verdicts(message: bytes) -> dict[bytes, bytes]:
    """What OpenDKIM wrote on top: a result for each algorithm."""
    head = message.partition(b"\r\n\r\n")[0]
    at = head.index(b"Authentication-Results: opendkim.far.test")
    end = re.compile(rb"\r\n(?![ \t])").search(head, at)
    return dict((a, r) for r, a in _RESULT.findall(head[at : end and end.start()]))
