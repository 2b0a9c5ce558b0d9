"""
The server's side of an SMTP conversation, without a network.

Octets go in by L{ServerMachine.receive}; L{ServerMachine.next_event} asks one
question at a time; L{ServerMachine.answer} closes it and says what to send.
While a question is open nothing else is read, so replies are in order however
slow they are (RFC 2920 §3.2).

Standards: RFC 5321, RFC 1870, RFC 2034, RFC 2920, RFC 3030, RFC 3207,
RFC 3461, RFC 6531.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from smfd.proto import phrase
from smfd.proto.command import (
    Bdat,
    Hello,
    Mail,
    Rcpt,
    parse_bdat,
    parse_hello,
    parse_mail,
    parse_rcpt,
    split,
    unknown,
)
from smfd.proto.data import TOO_BIG
from smfd.proto.event import Event, Refusal, Signal
from smfd.proto.extension import Offer, welcome
from smfd.proto.limits import Limits
from smfd.proto.line import LineBuffer
from smfd.proto.patience import Patience
from smfd.proto.reply import Malformed, Reply, reply
from smfd.proto.transfer import Transfer

# Where a conversation stands: the columns of the table below.
#: Before all of them, nobody has been greeted.
NEW, OPENING, READY, SENDER, RECIPIENT, CHUNKING = range(-1, 5)


class ServerMachine:
    """
    One conversation.

    @cvar table: what each command does, by state.
    @cvar hello_first: what is said to whoever begins without a greeting.
    @cvar help: the answer to HELP.
    @ivar closed: nothing more is read or answered.
    @ivar receiving: a body is on its way, and whoever takes it must be told
        when this ends without L{Signal.END}.
    @ivar secure: TLS is on.
    """

    table: ClassVar[Mapping[str, tuple["Step", ...]]]
    hello_first: ClassVar[Reply] = phrase.HELLO_FIRST
    help: ClassVar[Reply] = phrase.HELP

    __slots__ = (
        "closed",
        "receiving",
        "secure",
        "_lines",
        "_limits",
        "_offer",
        "_state",
        "_open",
        "_transfer",
        "_bdat",
        "_recipients",
        "_utf8",
        "_patience",
    )

    def __init__(self, limits: Limits, offer: Offer, secure: bool = False) -> None:
        self.closed = self.receiving = False
        self.secure = secure
        self._lines = LineBuffer(limits.command_line)
        self._limits = limits
        self._offer = offer
        self._state = NEW
        self._open: Event | None = None
        self._transfer = Transfer(limits.message_size)
        self._bdat: Bdat | None = None
        self._recipients = 0
        self._utf8 = False
        self._patience = Patience(limits)

    def __len__(self) -> int:
        """Octets received and not yet understood."""
        return len(self._lines)

    @property
    def reading(self) -> bool:
        """Whether a body, or what must be swallowed, comes next."""
        return self._transfer.reading

    def receive(self, octets: bytes) -> None:
        """Octets came."""
        if not self.closed:
            self._lines.append(octets)

    def next_event(self) -> Event | None:
        """
        The next question.

        @return: None while one is open, when more octets must come, or when
            it is over.  The first is L{Signal.OPENED}.
        """
        if self._open is not None or self.closed:
            return None
        transfer = self._transfer
        event = None
        if not transfer.reading and (self._lines.octets or self._state == NEW):
            event = self._command()
        if event is None and transfer.reading:
            event = self._read()
        if type(event) is not bytes:
            self._open = event
        return event

    def answer(self, answer: Reply) -> bytes:
        """Close the open question; what to send for it."""
        event, self._open = self._open, None
        if self._bdat is not None and event is Signal.BEGIN:
            # RFC 3030 §2: the chunk of a refused BDAT is taken all the same.
            self._transfer.swallow(self._bdat, answer)
            self._end()
            return b""
        if not isinstance(event, Reply):
            answer = self._settle(event, answer)
        if answer.closes or answer.code == 421:
            self.close()
        return answer.octets

    def go_ahead(self) -> bytes:
        """Answer L{Signal.BEGIN} with yes; what to send for it."""
        self._open = None
        self.receiving = True
        if self._bdat is None:
            self._transfer.begin()
            return phrase.GO_AHEAD
        self._transfer.chunk(self._bdat)
        self._state = CHUNKING
        return b""

    def spoil(self, answer: Reply) -> None:
        """The body cannot be kept: swallow the rest of it, then say this."""
        self._transfer.spoil(answer)

    def secured(self) -> None:
        """TLS begins: all that was said before is forgotten (RFC 3207 §4.2)."""
        self._lines.clear()
        self._open = None
        self._end()
        self._state = OPENING
        self.secure = True

    def close(self) -> None:
        """It is over."""
        self.closed = True
        self._end()
        self._open = None
        self._lines.clear()

    # What an answer changes.

    def _settle(self, event: Event | None, answer: Reply) -> Reply:
        if answer.positive:
            return self._proceed(event, answer)
        if event is Signal.OPENED:
            return reply(answer.code, answer.status, *answer.lines, closes=True)
        if event is Signal.END:
            self._end()
        elif event is not Signal.BEGIN:
            return self._patience.refusal(answer)
        return answer

    def _proceed(self, event: Event | None, answer: Reply) -> Reply:
        if type(event) is Rcpt:
            self._state = RECIPIENT
            self._recipients += 1
        elif type(event) is Mail:
            self._state = SENDER
            self._recipients = 0
            self._utf8 = event.smtputf8
        elif type(event) is Hello:
            return self._met(event, answer)
        elif event is Signal.END:
            self._end()
            self._patience.progress()
        return answer

    def _met(self, hello: Hello, answer: Reply) -> Reply:
        # RFC 5321 §4.1.4: EHLO clears all buffers, as RSET does.
        self._end()
        self._state = READY
        if not hello.extended:
            return reply(answer.code, "", *answer.lines[:1])
        return welcome(answer, self._offer, self._limits.message_size, self.secure)

    def _end(self) -> None:
        """End the transaction, if there is one."""
        self.receiving = False
        self._transfer.end()
        self._bdat = None
        self._utf8 = False
        if self._state > READY:
            self._state = READY

    # What comes.

    def _command(self) -> Event | None:
        if self._state == NEW:
            self._state = OPENING
            return Signal.OPENED
        line = self._lines.line()
        if line is None:
            return None
        parts = split(line) if isinstance(line, bytes) else line
        if isinstance(parts, Reply):
            return self._patience.mistake(parts)
        verb, argument = parts
        row = self.table.get(verb)
        if row is None:
            return self._patience.mistake(unknown(verb))
        step = row[self._state]
        try:
            event = step if isinstance(step, Reply) else step(self, argument)
        except Malformed as problem:
            event = problem.reply
        return self._patience.mistake(event) if isinstance(event, Reply) else event

    def _read(self) -> Event | None:
        """Go on with what is no command."""
        octets = self._transfer.read(self._lines)
        if octets:
            return octets
        return None if self._transfer.reading else self._arrived()

    def _arrived(self) -> Event:
        """All of it is there, or is gone."""
        transfer = self._transfer
        if transfer.said is not None:
            said = transfer.said
            return Refusal(said) if said is TOO_BIG else self._patience.mistake(said)
        if transfer.flaw is not None:
            self._end()
            return Refusal(transfer.flaw)
        if self._bdat is not None and not self._bdat.last:
            # RFC 3030 §4.2.
            return reply(250, "2.0.0", f"{self._bdat.size} octets received")
        return Signal.END

    # The verbs.

    def _ehlo(self, argument: str) -> Event:
        return self._hello(parse_hello(argument, extended=True))

    def _helo(self, argument: str) -> Event:
        return self._hello(parse_hello(argument, extended=False))

    def _hello(self, hello: Hello) -> Event:
        answer = self._patience.idle(phrase.OK)
        return hello if answer is phrase.OK else answer

    def _mail(self, argument: str) -> Event:
        offer = self._offer
        mail = parse_mail(argument, offer.dsn, offer.smtputf8, bool(offer.logins))
        # RFC 1870 §6.1.
        if (mail.size or 0) > self._limits.message_size:
            return Refusal(TOO_BIG, mail)
        return mail

    def _rcpt(self, argument: str) -> Event:
        rcpt = parse_rcpt(argument, self._utf8, self._offer.dsn)
        # RFC 5321 §4.5.3.1.10.
        if self._recipients >= self._limits.recipients:
            return phrase.TOO_MANY_RECIPIENTS
        return rcpt

    def _data(self, argument: str) -> Event:
        if argument:
            return phrase.NO_ARGUMENT
        self._bdat = None
        return Signal.BEGIN

    def _bdat_command(self, argument: str) -> Event | None:
        try:
            bdat = parse_bdat(argument)
        except Malformed as problem:
            # How much follows is not known: none of it may become a command.
            return reply(501, "5.5.4", str(problem), closes=True)
        refusal = self._refusal(bdat)
        if refusal is not None:
            self._transfer.swallow(bdat, refusal)
            if self._state >= RECIPIENT:
                # A later chunk alone must not become a message.
                self._end()
            else:
                self._recipients = 0
            return None
        self._bdat = bdat
        if self._state == CHUNKING:
            self._transfer.chunk(bdat)
            return None
        return Signal.BEGIN

    def _refusal(self, bdat: Bdat) -> Reply | None:
        if not self._offer.chunking:
            return phrase.NO_BDAT
        if self._state < RECIPIENT:
            return (self.hello_first, phrase.NO_SENDER, phrase.NO_RECIPIENT)[
                self._state
            ]
        size = self._transfer.size + bdat.size
        return TOO_BIG if size > self._limits.message_size else None

    def _rset(self, argument: str) -> Event:
        if argument:
            return phrase.NO_ARGUMENT
        self._end()
        return self._patience.idle(phrase.OK)

    def _noop(self, argument: str) -> Event:
        return self._patience.idle(phrase.OK)

    def _help(self, argument: str) -> Event:
        return self._patience.idle(self.help)

    def _vrfy(self, argument: str) -> Event:
        return self._patience.idle(phrase.VRFY) if argument else phrase.WHO

    def _quit(self, argument: str) -> Event:
        return phrase.NO_ARGUMENT if argument else phrase.BYE

    def _starttls(self, argument: str) -> Event:
        if argument:
            return phrase.NO_ARGUMENT  # RFC 3207 §4
        if self.secure:
            return phrase.TLS_ON
        if not self._offer.starttls:
            return phrase.NO_TLS
        # What was sent in the clear must not be read as if it were not.
        return phrase.INJECTED if len(self._lines) else Signal.STARTTLS


#: The machine is the one whose table it stands in.
Step = Reply | Callable[[Any, str], Event | None]


def always(step: Step) -> tuple[Step, ...]:
    """The same in every state."""
    return (step,) * 5


_M = ServerMachine

# RFC 5321 §4.1.4, the order of commands: verb by state.
_M.table = {
    #        OPENING      READY      SENDER        RECIPIENT  CHUNKING
    "MAIL": (phrase.HELLO_FIRST, _M._mail, phrase.NESTED, phrase.NESTED, phrase.NESTED),
    "RCPT": (phrase.HELLO_FIRST, phrase.NO_SENDER, _M._rcpt, _M._rcpt, phrase.NOT_NOW),
    "DATA": (
        phrase.HELLO_FIRST,
        phrase.NO_SENDER,
        phrase.NO_RECIPIENT,
        _M._data,
        phrase.NOT_NOW,
    ),
    "STARTTLS": (
        phrase.HELLO_FIRST,
        _M._starttls,
        phrase.NESTED,
        phrase.NESTED,
        phrase.NESTED,
    ),
    "EHLO": always(_M._ehlo),
    "HELO": always(_M._helo),
    "BDAT": always(_M._bdat_command),
    "RSET": always(_M._rset),
    "NOOP": always(_M._noop),
    "HELP": always(_M._help),
    "VRFY": always(_M._vrfy),
    "QUIT": always(_M._quit),
    "EXPN": always(phrase.NOT_OFFERED),
    "ETRN": always(phrase.NOT_OFFERED),
    "TURN": always(phrase.NOT_OFFERED),
    "AUTH": always(phrase.NOT_OFFERED),
}
