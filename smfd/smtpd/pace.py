"""
How fast a client has to be: the deadlines of one connection.

None of them is moved by what is only begun: a command counts when it is whole,
and a message has to come at a least rate, however often its octets trickle.

Standards: RFC 5321 §4.5.3.2.
"""

from attrs import define, field

from smfd.smtpd.deadline import Deadline
from smfd.smtpd.stress import Stress


@define(eq=False)
class Pace:
    """
    What the client must do next, and until when.

    @ivar octets: those that were received since a message began.
    """

    deadline: Deadline
    stress: Stress
    _begun: float | None = field(default=None, init=False)
    _ours: float | None = field(default=None, init=False)
    octets: int = field(default=0, init=False)

    def handshake(self) -> None:
        """TLS has to be agreed upon."""
        limits = self.stress.limits
        self.deadline.expect(min(limits.handshake_timeout, limits.command_timeout))

    def command(self, idle: bool) -> None:
        """
        A command has to come, whole.

        @param idle: no message is under way.
        """
        if idle:
            self._begun = None
        self.deadline.expect(self.stress.limits.command_timeout)

    def body(self) -> None:
        """More of a message has to come, and fast enough on the average."""
        limits, now = self.stress.limits, self.deadline.now()
        begun = self._begun
        if begun is None:
            begun, self.octets = now, 0
        elif self._ours is not None:
            # The client waited for us: that is not its time.
            begun += now - self._ours
        self._begun, self._ours = begun, None
        due = begun + limits.message_timeout
        if limits.data_rate:
            earned = limits.data_grace + self.octets / limits.data_rate
            due = min(due, begun + earned)
        self.deadline.expect(limits.data_timeout, due)

    def ours(self) -> None:
        """The door is at it, and has deadlines of its own."""
        if self._ours is None:
            self._ours = self.deadline.now()
        self.deadline.never()
