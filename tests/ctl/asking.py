"""smfdctl as a person runs it, against a house in this process."""

import json
import sys
from typing import Any

from attrs import frozen
from twisted.internet.error import ProcessTerminated
from twisted.internet.utils import getProcessOutputAndValue

from smfd.console.api import API
from tests.control.building import HouseTestCase, reactor

_PROGRAM = "from smfd.ctl import main; main()"


@frozen
class Said:
    """What a run of smfdctl printed, and its exit code."""

    out: str
    err: str
    code: int

    @property
    def document(self) -> Any:
        """The one JSON document that was printed."""
        return json.loads(self.out)


class CtlTestCase(HouseTestCase):
    """
    A house, its socket, and a settings file.

    @ivar config: the settings file.
    """

    async def open(self) -> None:
        """Start everything."""
        house = await self.build()
        self.config = self.home / "smfd.toml"
        self.config.write_text("[server]\nhostname = 'mx.home.example'\n")
        socket = self.home / "run" / "control.sock"
        socket.parent.mkdir(mode=0o700)
        API(house, socket, reactor).setServiceParent(self.services)

    async def run_ctl(self, *arguments: str, piped: str = "") -> Said:
        """Run it, with something to read."""
        command = ["-c", _PROGRAM, "--config", str(self.config), *arguments]
        try:
            out, err, code = await getProcessOutputAndValue(
                sys.executable, command, None, stdinBytes=piped.encode()
            )
        except ProcessTerminated as ended:
            raise AssertionError(f"smfdctl was killed: {ended}") from ended
        self.assertNotIn(b"Traceback", err, err.decode())
        return Said(out.decode(), err.decode(), code)

    async def done(self, *arguments: str) -> Any:
        """Run it with C{--json}; the document it must print."""
        said = await self.run_ctl(*arguments, "--json")
        self.assertEqual(0, said.code, said)
        return said.document
