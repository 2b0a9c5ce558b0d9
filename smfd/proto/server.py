"""
The server's side of an SMTP conversation, without a network.

Octets go in by L{ServerMachine.receive}; L{ServerMachine.next_event} asks one
question at a time; L{ServerMachine.answer} closes it and says what to send.
While a question is open nothing else is read, so replies are in order however
slow they are (RFC 2920 §3.2).

Standards: RFC 5321, RFC 1870, RFC 2034, RFC 2920, RFC 3030, RFC 3207,
RFC 3461, RFC 6531.
"""

from collections.abc import Callable

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
)
from smfd.proto.data import TOO_BIG, ChunkReader, DataReader, Swallow
from smfd.proto.event import Event, Refusal, Signal
from smfd.proto.extension import Offer, welcome
from smfd.proto.limits import Limits
from smfd.proto.line import NOT_SMTP, LineBuffer
from smfd.proto.patience import Patience
from smfd.proto.reply import Malformed, Reply, reply

# Where a conversation stands: the columns of the table below.
#: Before all of them, nobody has been greeted.
NEW, OPENING, READY, SENDER, RECIPIENT, CHUNKING = range(-1, 5)

_HTTP = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}


class ServerMachine:
    """
    One conversation.

    @ivar closed: nothing more is read or answered.
    @ivar receiving: a body is on its way, and whoever takes it must be told
        when this ends without L{Signal.END}.
    @ivar secure: TLS is on.
    """

    __slots__ = (
        "closed",
        "receiving",
        "secure",
        "_lines",
        "_limits",
        "_offer",
        "_state",
        "_open",
        "_reader",
        "_chunks",
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
        self._reader: DataReader | ChunkReader | Swallow | None = None
        self._chunks: ChunkReader | None = None
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
        return self._reader is not None

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
        event = None
        if self._reader is None:
            event = self._command()
        if event is None and self._reader is not None:
            event = self._read()
        if type(event) is not bytes:
            self._open = event
        return event

    def answer(self, answer: Reply) -> bytes:
        """Close the open question; what to send for it."""
        event, self._open = self._open, None
        if event is Signal.BEGIN and self._bdat is not None:
            # RFC 3030 §2: the chunk of a refused BDAT is taken all the same.
            self._reader = Swallow(self._bdat.size, answer)
            self._end()
            return b""
        if not isinstance(event, Reply):
            answer = self._settle(event, answer)
        if answer.closes or answer.code == 421:
            self.close()
        return bytes(answer)

    def go_ahead(self) -> bytes:
        """Answer L{Signal.BEGIN} with yes; what to send for it."""
        self._open = None
        self.receiving = True
        if self._bdat is None:
            self._reader = DataReader(self._limits.message_size)
            return phrase.GO_AHEAD
        self._chunks = ChunkReader(self._limits.message_size)
        self._state = CHUNKING
        self._expect(self._bdat)
        return b""

    def spoil(self, answer: Reply) -> None:
        """The body cannot be kept: swallow the rest of it, then say this."""
        if isinstance(self._reader, DataReader | ChunkReader):
            self._reader.scrutiny.spoil(answer)

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
        if not isinstance(self._reader, Swallow):
            self._reader = None
        self._chunks = self._bdat = None
        self._recipients = 0
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
        row = _TABLE.get(verb)
        if row is None:
            return self._patience.mistake(_unknown(verb))
        step = row[self._state]
        try:
            event = step if isinstance(step, Reply) else step(self, argument)
        except Malformed as problem:
            event = problem.reply
        return self._patience.mistake(event) if isinstance(event, Reply) else event

    def _read(self) -> Event | None:
        """Go on with what is no command."""
        reader = self._reader
        assert reader is not None
        if not reader.done:
            octets = reader.read(self._lines)
            if octets:
                return octets
            if not reader.done:
                return None
        self._reader = None
        if isinstance(reader, Swallow):
            said = reader.answer
            return Refusal(said) if said is TOO_BIG else self._patience.mistake(said)
        flaw = reader.scrutiny.flaw()
        if flaw is not None:
            self._end()
            return Refusal(flaw)
        if self._bdat is not None and not self._bdat.last:
            # RFC 3030 §4.2.
            return reply(250, "2.0.0", f"{self._bdat.size} octets received")
        return Signal.END

    def _expect(self, bdat: Bdat) -> None:
        assert self._chunks is not None
        self._bdat = bdat
        self._chunks.expect(bdat.size, bdat.last)
        self._reader = self._chunks

    # The verbs.

    def _ehlo(self, argument: str) -> Event:
        return self._hello(parse_hello(argument, extended=True))

    def _helo(self, argument: str) -> Event:
        return self._hello(parse_hello(argument, extended=False))

    def _hello(self, hello: Hello) -> Event:
        answer = self._patience.idle(phrase.OK)
        return hello if answer is phrase.OK else answer

    def _mail(self, argument: str) -> Event:
        mail = parse_mail(argument, self._offer.dsn, self._offer.smtputf8)
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
            self._reader = Swallow(bdat.size, refusal)
            if self._state >= RECIPIENT:
                # A later chunk alone must not become a message.
                self._end()
            return None
        if self._state == CHUNKING:
            self._expect(bdat)
            return None
        self._bdat = bdat
        return Signal.BEGIN

    def _refusal(self, bdat: Bdat) -> Reply | None:
        if not self._offer.chunking:
            return phrase.NO_BDAT
        if self._state < RECIPIENT:
            return (phrase.HELLO_FIRST, phrase.NO_SENDER, phrase.NO_RECIPIENT)[
                self._state
            ]
        size = self._chunks.scrutiny.size if self._chunks is not None else 0
        return TOO_BIG if size + bdat.size > self._limits.message_size else None

    def _rset(self, argument: str) -> Event:
        if argument:
            return phrase.NO_ARGUMENT
        self._end()
        return self._patience.idle(phrase.OK)

    def _noop(self, argument: str) -> Event:
        return self._patience.idle(phrase.OK)

    def _help(self, argument: str) -> Event:
        return self._patience.idle(phrase.HELP)

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


Step = Reply | Callable[[ServerMachine, str], Event | None]


def _always(step: Step) -> tuple[Step, ...]:
    return (step,) * 5


_M = ServerMachine

# RFC 5321 §4.1.4, the order of commands: verb by state.
_TABLE: dict[str, tuple[Step, ...]] = {
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
    "EHLO": _always(_M._ehlo),
    "HELO": _always(_M._helo),
    "BDAT": _always(_M._bdat_command),
    "RSET": _always(_M._rset),
    "NOOP": _always(_M._noop),
    "HELP": _always(_M._help),
    "VRFY": _always(_M._vrfy),
    "QUIT": _always(_M._quit),
    "EXPN": _always(phrase.NOT_OFFERED),
    "ETRN": _always(phrase.NOT_OFFERED),
    "TURN": _always(phrase.NOT_OFFERED),
    "AUTH": _always(phrase.NOT_OFFERED),
}


def _unknown(verb: str) -> Reply:
    # What speaks another protocol must not be talked into this one.
    if verb in _HTTP or verb.startswith("SSH-") or verb.endswith(":"):
        return NOT_SMTP
    return phrase.UNKNOWN
