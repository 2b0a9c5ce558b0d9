"""
The server's side of a submission, without a network.

It is SMTP's, but mail is taken only from who has logged in, and logging in
works only under TLS.

Standards: RFC 6409 §4.3, RFC 4954, RFC 8314 §3.3.
"""

from typing import ClassVar

from smfd.proto import phrase, sasl
from smfd.proto.event import Event
from smfd.proto.extension import Offer
from smfd.proto.limits import Limits
from smfd.proto.line import LineBuffer
from smfd.proto.reply import Malformed, Reply, reply
from smfd.proto.sasl import Challenge, Login
from smfd.proto.server import ServerMachine, Step


class SubmissionMachine(ServerMachine):
    """
    One conversation.

    It asks L{Login} when somebody said who he is; a positive answer believes
    him, for as long as the connection lasts.

    @ivar believed: he has logged in.
    """

    help: ClassVar[Reply] = phrase.SUBMISSION_HELP

    __slots__ = ("believed", "_challenge", "_refused")

    def __init__(self, limits: Limits, offer: Offer, secure: bool = False) -> None:
        super().__init__(limits, offer, secure)
        # RFC 4954 §4: a response may be longer than any command.
        self._lines = LineBuffer(max(limits.command_line, sasl.LINE))
        self.believed = False
        self._challenge: Challenge | None = None
        self._refused = 0

    # What an answer changes.

    def _settle(self, event: Event | None, answer: Reply) -> Reply:
        if type(event) is not Login:
            return super()._settle(event, answer)
        if answer.positive:
            self.believed = True
            return answer
        self._refused += 1
        if self._refused < self._limits.logins:
            return answer
        return reply(answer.code, answer.status, *answer.lines, closes=True)

    # What comes.

    def _command(self) -> Event | None:
        if self._challenge is None:
            return super()._command()
        line = self._lines.line()
        if line is None:
            return None
        challenge, self._challenge = self._challenge, None
        if isinstance(line, Reply):
            return self._patience.mistake(line)
        try:
            return self._turn(sasl.respond(challenge, line))
        except Malformed as problem:
            return self._patience.mistake(problem.reply)

    def _turn(self, found: Login | Challenge) -> Event:
        if isinstance(found, Login):
            return found
        self._challenge = found
        return found.reply

    # The verbs.

    def _auth(self, argument: str) -> Event:
        if not self.secure:
            # RFC 8314 §3.3: what may be a password is not even looked at.
            return phrase.TLS_FOR_LOGIN
        if self.believed:
            return phrase.LOGGED_IN  # RFC 4954 §4: once.
        return self._turn(sasl.begin(argument))

    def _mail(self, argument: str) -> Event:
        if not self.believed:
            # RFC 6409 §4.3, RFC 3207 §4.
            return phrase.LOGIN_FIRST if self.secure else phrase.TLS_FIRST
        return super()._mail(argument)


_M = SubmissionMachine

_LATE = (phrase.NESTED,) * 3
_STEPS: dict[str, tuple[Step, ...]] = {
    "AUTH": (phrase.HELLO_FIRST, _M._auth, *_LATE),
    "MAIL": (phrase.HELLO_FIRST, _M._mail, *_LATE),
}
_M.table = {**ServerMachine.table, **_STEPS}
