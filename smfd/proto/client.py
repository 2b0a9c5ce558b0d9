"""
The other side of the conversation: how we hand mail on, without a network.

A L{Script} is what we mean to say: it yields what to send and is sent the
replies.  A L{Talk} runs one after another over the same connection, and holds
one law: a reply that comes before its question is a lie, and ends it.

Standards: RFC 5321 §3, §4.1, RFC 2033 (LMTP), RFC 2920 (pipelining), RFC 3030,
RFC 3207, RFC 3461, RFC 4954, RFC 6152, RFC 6531.
"""

from binascii import b2a_base64
from collections.abc import Generator, Sequence
from typing import Any

from attrs import frozen

from smfd.proto.answers import AnswerReader, Garbled, countable, expected, words
from smfd.proto.parcel import Parcel, Skills, impossible, mail, rcpts
from smfd.proto.reply import Reply, reply
from smfd.proto.stuffing import Chunk, Framing, Stuffing

__all__ = [
    "Envelope",
    "Parcel",
    "Say",
    "Script",
    "Skills",
    "Talk",
    "Unsafe",
    "Unwilling",
    "envelope",
    "farewell",
    "hello",
    "login",
    "opening",
    "question",
    "reset",
    "verdicts",
]


@frozen
class Say:
    """
    Something to send.

    @ivar replies: how many are awaited; the script goes on with all of them.
    """

    octets: bytes
    replies: int = 1


class Unwilling(Exception):
    """
    The other server does not serve us now; nobody knows anything yet.

    @ivar answer: how it said so; None when it did not.
    """

    def __init__(self, why: str, answer: Reply | None = None) -> None:
        super().__init__(why)
        self.answer = answer


class Unsafe(Unwilling):
    """It does not speak TLS, and must."""


@frozen
class Envelope:
    """
    How far a transaction came.

    @ivar answers: what was said to each recipient: the last word for those
        refused, a 2yz for those who wait for the message.
    @ivar go: the message may come.
    @ivar stuck: it waits for a message and must not get one: hang up.
    @ivar chunk: the octets of the message, which comes by BDAT; 0 for DATA.
    """

    answers: tuple[Reply, ...]
    go: bool
    stuck: bool = False
    chunk: int = 0

    def framing(self) -> Framing:
        """How the message has to come."""
        return Chunk(self.chunk) if self.chunk else Stuffing()


_DATA = b"DATA\r\n"

Script = Generator[Say, Sequence[Reply], Any]


class Talk:
    """
    Runs scripts over one connection, one at a time.

    @ivar idle: no script is under way.
    @ivar result: what the last script returned.
    @ivar broken: why nothing more can be said here, or "".
    """

    def __init__(self) -> None:
        self.idle = True
        self.result: Any = None
        self.broken = ""
        self._reader = AnswerReader()
        self._script: Script | None = None
        self._replies: list[Reply] = []
        self._awaited = 0

    def begin(self, script: Script) -> bytes:
        """
        Start one; what to send now.

        @raise Garbled: something has been said that nobody asked for.
        """
        if self.broken:
            raise Garbled(self.broken)
        self.idle, self.result, self._script = False, None, script
        return self._step()

    def receive(self, octets: bytes) -> bytes:
        """
        Take what came; what to send now.

        @raise Garbled: it is no answer; the script has ended.
        @raise Unwilling: the script says that it makes no sense to go on.
        """
        said = b""
        try:
            for answer in self._reader.read(octets):
                said += self._take(answer)
            if len(self._reader) and self._unasked:
                self._break("something was said that nobody asked for")
        except Garbled as error:
            self.broken = self.broken or str(error)
            self._reader.clear()
            if not self.idle:
                self._end()
                raise
        return said

    @property
    def _unasked(self) -> bool:
        return not self._awaited

    def _take(self, answer: Reply) -> bytes:
        if self._unasked:
            self._break(f"said without being asked: {words(answer)}")
        self._replies.append(answer)
        if answer.code == 421:
            # RFC 5321 §3.8: it hangs up, and the other answers never come; what
            # it said before stands.
            self.broken = words(answer)
            self._replies += [answer] * (self._awaited - len(self._replies))
        if len(self._replies) < self._awaited:
            return b""
        return self._step()

    def _step(self) -> bytes:
        """Go on with the replies that were awaited."""
        assert self._script is not None
        replies, self._replies, self._awaited = self._replies, [], 0
        said = b""
        try:
            while not self._awaited:
                # The first step of a generator takes nothing.
                step = self._script.send(replies) if replies else next(self._script)
                said += step.octets
                self._awaited = step.replies
                replies = []
        except StopIteration as stop:
            self.result = stop.value
            self._end()
        except Unwilling:
            self._end()
            raise
        if not self.idle and len(self._reader):
            self._break("answers came before the questions")
        return said

    def _end(self) -> None:
        self.idle, self._script, self._replies, self._awaited = True, None, [], 0

    def _break(self, why: str) -> None:
        self.broken = why
        raise Garbled(why)


def opening(name: str, lmtp: bool = False, tls: str = "none") -> Script:
    """
    Await the greeting and say who we are; returns L{Skills}.

    @param tls: "none", "opportunistic", "required" or "verify".  When the
        skills are then secure, TLS is to be begun, and after it L{hello}.
    """
    (greeting,) = yield Say(b"")
    _willing(greeting)
    skills: Skills = yield from hello(name, lmtp)
    if tls == "none":
        return skills
    if "STARTTLS" in skills.words:
        (answer,) = yield Say(b"STARTTLS\r\n")
        if answer.code == 220:
            return Skills(skills.words, secure=True)
    if tls != "opportunistic":
        raise Unsafe("it does not offer TLS, which is required")
    return skills


def hello(name: str, lmtp: bool = False, secure: bool = False) -> Script:
    """
    EHLO, or HELO for those who do not know it; returns L{Skills}.

    @param secure: TLS is on.
    """
    verb = b"LHLO " if lmtp else b"EHLO "
    (answer,) = yield Say(verb + name.encode() + b"\r\n")
    if answer.code == 250:
        return Skills(_extensions(answer), secure)
    if lmtp or answer.code not in (500, 502):
        _willing(answer)
    # RFC 5321 §3.2: older servers know HELO only.
    (answer,) = yield Say(b"HELO " + name.encode() + b"\r\n")
    _willing(answer)
    return Skills({}, secure)


def login(name: str, password: str, skills: Skills) -> Script:
    """
    Say who we are to a server that relays for those it knows.

    @raise Unsafe: others could hear it, or it offers no way that we know.
    @raise Unwilling: it does not let us in.  Its words are left out, for they
        may be ours.
    """
    if not skills.secure:
        # RFC 4954 §4: a password is never said in the clear.
        raise Unsafe("it is to be logged in to, and does not speak TLS")
    if "PLAIN" in skills.logins:
        # RFC 4616 §2: nobody acts as another.
        said = _base64(f"\0{name}\0{password}")
        (answer,) = yield Say(b"AUTH PLAIN " + said + b"\r\n")
    elif "LOGIN" in skills.logins:
        (answer,) = yield Say(b"AUTH LOGIN\r\n")
        for word in (name, password):
            if answer.code == 334:
                (answer,) = yield Say(_base64(word) + b"\r\n")
    else:
        raise Unsafe("it offers neither AUTH PLAIN nor AUTH LOGIN")
    if answer.code != 235:
        answered = f"{answer.code} {answer.status}".rstrip()
        raise Unwilling(f"it does not take our name and password: {answered}")
    return skills


def _base64(text: str) -> bytes:
    return b2a_base64(text.encode(), newline=False)


def envelope(parcel: Parcel, skills: Skills) -> Script:
    """
    MAIL, RCPT, and DATA where there is no BDAT; returns an L{Envelope}.

    What is refused of it alone is no fault of the others.

    @raise Unwilling: it hangs up, and has said nothing of anybody.
    """
    refusal = impossible(parcel, skills)
    if refusal is not None:
        return Envelope((refusal,) * len(parcel.recipients), False)
    # RFC 3030 §2: all of it is one chunk, for its length is known.
    chunk = parcel.size if "CHUNKING" in skills.words else 0
    commands = [mail(parcel, skills), *rcpts(parcel, skills)]
    turn = _at_once if "PIPELINING" in skills.words else _step_by_step
    first, answers, data = yield from turn(commands, not chunk)
    first = expected(first, "MAIL")
    answers = [countable(answer) if first.positive else first for answer in answers]
    if all(answer.code == 421 for answer in answers):
        raise Unwilling(words(answers[0]))
    taken = any(answer.positive for answer in answers)
    if answers[-1].code == 421:
        # It hangs up: nobody gets the message, however it was to come.
        data = answers[-1]
    if data is None:
        return Envelope(tuple(answers), taken, chunk=chunk)
    if data.code == 354:
        # It may wait for a message that has nobody to go to.  RFC 2920 §3.1
        # would have us send a dot; one that refused MAIL and took RCPT would
        # deliver an empty message then.
        return Envelope(tuple(answers), taken, stuck=not taken)
    if data.positive:
        data = reply(451, "4.5.0", f"DATA was answered by {words(data)}")
    answers = [data if answer.positive else answer for answer in answers]
    return Envelope(tuple(answers), False)


def _at_once(commands: Sequence[bytes], by_data: bool) -> Script:
    """RFC 2920 §3.1: in one turn; DATA ends the group."""
    last = [_DATA] if by_data else []
    group = [*commands, *last]
    first, *answers = yield Say(b"".join(group), len(group))
    data = answers.pop() if by_data else None
    return first, answers, data


def _step_by_step(commands: Sequence[bytes], by_data: bool) -> Script:
    """RFC 5321 §3.3, for those who cannot take all of it at once."""
    answers: list[Reply] = []
    data = None
    for command in commands:
        (answer,) = yield Say(command)
        answers.append(answer)
        if answer.code == 421 or answers[0].code >= 300:
            # What more could be asked is answered by this.
            answers += [answer] * (len(commands) - len(answers))
            break
    else:
        if by_data and any(answer.code < 300 for answer in answers[1:]):
            (data,) = yield Say(_DATA)
    first, *rest = answers
    return first, rest, data


def verdicts(sent: Envelope, lmtp: bool = False) -> Script:
    """
    Await what becomes of the message; returns the last word for each recipient.

    The last octets of the message were sent just now.
    """
    taken = [n for n, answer in enumerate(sent.answers) if answer.positive]
    # RFC 2033 §4.2: one reply for each recipient that was taken, in order.
    replies = yield Say(b"", len(taken) if lmtp else 1)
    last = list(sent.answers)
    for n, answer in zip(
        taken, replies if lmtp else [*replies] * len(taken), strict=True
    ):
        last[n] = expected(answer, "The message")
    return tuple(last)


def reset() -> Script:
    """Forget the transaction; returns whether the other server did."""
    (answer,) = yield Say(b"RSET\r\n")
    return answer.code == 250


def farewell() -> Script:
    """Say good-bye."""
    (answer,) = yield Say(b"QUIT\r\n")
    return answer


def question(address: str, skills: Skills) -> Script:
    """
    Ask whether there is a recipient, and send nothing; returns the answer.

    @raise Unwilling: it does not say.
    """
    parcel = Parcel("", (address,), 0)
    refusal = impossible(parcel, skills)
    if refusal is not None:
        return refusal
    (first,) = yield Say(mail(parcel, skills))
    _willing(first)
    (answer,) = yield Say(rcpts(parcel, skills)[0])
    return answer


def _willing(answer: Reply) -> None:
    """
    Go on only after a 2yz.

    Also 5yz here says nothing about the message: a next hop that is set up
    wrongly must cost nobody his mail.
    """
    if not 200 <= answer.code < 300:
        raise Unwilling(words(answer), answer)


def _extensions(answer: Reply) -> dict[str, str]:
    """RFC 5321 §4.1.1.1: the lines after the first name one each."""
    found = {}
    for line in answer.lines[1:]:
        word, _, rest = line.strip().upper().partition(" ")
        if word:
            found[word] = rest.strip()
    return found
