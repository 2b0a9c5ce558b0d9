"""
How a connection ends from our side, and what is told of it.

Standards: RFC 5321 §3.8, §4.1.1.10.
"""

from smfd.proto.reply import Reply
from smfd.proto.server import ServerMachine
from smfd.smtpd import phrase
from smfd.smtpd.deadline import Deadline
from smfd.smtpd.intake import Intake
from smfd.smtpd.wire import Wire

#: Seconds a client has to take the last reply and go.
LINGER = 10.0


class Parting:
    """
    The ways to end one connection.

    @ivar why: what is told of it; "" when the client said good-bye.
    """

    __slots__ = ("why", "_machine", "_wire", "_intake", "_deadline")

    def __init__(
        self, machine: ServerMachine, wire: Wire, intake: Intake, deadline: Deadline
    ) -> None:
        self.why = "lost"
        self._machine = machine
        self._wire = wire
        self._intake = intake
        self._deadline = deadline

    def late(self, deaf: bool) -> None:
        """The client had time enough: to do something, or to go."""
        if self._machine.closed:
            self.abort(self.why)
        else:
            self.dismiss(phrase.TOO_SLOW, "timeout", deaf)

    def dismiss(
        self, last: Reply, why: str, deaf: bool = False, polite: bool = False
    ) -> None:
        """
        End it with a last word where it can be heard.

        @param deaf: it cannot, in the middle of a TLS handshake.
        """
        if self._wire.blocked or deaf:
            self.abort(why)
        elif not self._machine.closed:
            self._wire.write(last.octets)
            self._stop()
            self.hang_up(why, polite)

    def hang_up(self, why: str, polite: bool = False) -> None:
        """Close after what was said; "" means the client asked for it."""
        self.why = why
        self._close(polite or not why)

    def leave(self) -> None:
        """Go after a client that said all it had to say."""
        self._stop()
        self._close(polite=True)

    def abort(self, why: str) -> None:
        """Close at once, whatever is under way."""
        self.why = why
        self._machine.close()
        self._wire.abort()

    def _stop(self) -> None:
        """Understand nothing more, and keep nothing of a message."""
        self._machine.close()
        self._intake.drop()

    def _close(self, polite: bool) -> None:
        self._wire.hang_up(polite)
        self._deadline.expect(LINGER)
