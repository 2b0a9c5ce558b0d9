"""A real OpenDKIM behind a real Postfix: what others say of our signatures."""

import subprocess
from collections.abc import Mapping

from tests.system.peers import Postfix, free_port

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
