"""
Servers of strangers that do their worst, all at once (R45, R87).

Each row is a server that is the best of its domain, what it says, and what
becomes of the mail for that domain.  All rows are tried in one batch, with mail
for somebody who is well: whatever they do costs him nothing.
"""

import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen
from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
from zope.interface import provider

from smfd.model.entry import NOTHING, Asked, Consignment, Outcome, State
from smfd.model.said import parse_said
from smfd.model.transaction import Body
from smfd.net.dns import Resolver
from smfd.net.smtp_client import Patience
from tests.authority import Speaker, authority
from tests.delivery.next_hop import EHLO, Cut, Deaf, Drip, Early, Flood
from tests.delivery.world import WorldCase, letter
from tests.store.making import REACTOR

#: Nobody may hold us up for longer.
PATIENCE = Patience(connect=10, reply=6, piece=6, end=6, message=18, recipient=1)

#: Messages for somebody who is well.
LIVE = 5

MIB = 1_048_576

#: With whom TLS is spoken, where it is.
SPEAKER = Speaker([authority("mx.test")])

#: By the first digit of an enhanced status code.
STATES = {"2": State.DELIVERED, "4": State.DUE, "5": State.FAILED}

#: Too much for the buffers of the system.
LARGE = b"Subject: large\r\n\r\n" + (b"x" * 78 + b"\r\n") * 200_000

_NOBODY = {"RCPT": b"550 5.1.1 nobody\r\n"}
_ALONE = b"250-hop.example\r\n250 8BITMIME\r\n"
_TLS = b"250-hop.example\r\n250-STARTTLS\r\n250 8BITMIME\r\n"
_CHUNKS = b"250-hop.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
_MANY = b"".join(b"250-X-KEYWORD-%d\r\n" % n for n in range(10_000)) + b"250 X\r\n"
_LONG = b"".join(b"250-X-%d %b\r\n" % (n, b"y" * 300) for n in range(90)) + b"250 X\r\n"
_TERMINAL = b"550-5.7.1 \x1b]0;owned\x07\x1b[2J\x9b31m\xe2\x80\xaemoc.live\r\n"
_TERMINAL += b"550 5.7.1 see http://192.0.2.1/?q={0}%s$(id) \0\r\n"


@frozen
class Row:
    """
    A server, and what comes of it.

    @ivar says: as in L{Hop <tests.delivery.next_hop.Hop>}.
    @ivar ends: the status of each recipient in turn: 2 is taken, 4 waits and 5
        is told to the sender; or "next": the second server has it.
    @ivar words: in the last word on each.
    @ivar waits: it keeps us for as long as we let it.
    @ivar alone: the domain has no second server.
    """

    name: str
    says: Mapping[str, Any]
    ends: Sequence[str]
    words: str = ""
    waits: bool = False
    alone: bool = False
    body: bytes = b"Subject: Hello\r\n\r\nHi.\r\n"
    asked: Asked = NOTHING


def odd(what: str, reply: bytes, words: str, waits: bool = False) -> Iterator[Row]:
    """
    One that says that at each step: until it is sent the message, the next
    server gets it; then nobody knows who has it, and it waits.
    """
    for verb in ("220", "EHLO", "MAIL", "RCPT", "DATA", ".", "RSET"):
        # One question after the other: each answer is to one.
        row = Row(f"{what}: {verb}", {"EHLO": _ALONE, verb: reply}, ["next"])
        if verb == ".":
            row = evolve(row, ends=["4.4.2"], words=words)
        elif verb == "RSET":
            row = evolve(row, ends=["5.1.1"], says={**row.says, **_NOBODY})
        yield evolve(row, waits=waits)


def under_tls(row: Row) -> Row:
    """The same, where it comes to TLS."""
    says = {"EHLO": _TLS, "STARTTLS": b"220 go\r\n", **row.says}
    if says["EHLO"] == _ALONE:
        says["EHLO"] = _TLS
    return evolve(row, says=says)


NO_REPLIES = [
    *odd("a line without end", Flood(b"x" * 64), "too long"),
    *odd("lines without end", Flood(b"250-x\r\n"), "endless"),
    *odd("nothing but line ends", Flood(b"\n"), "is no reply"),
    *odd("a line in drips", Drip(b"250-" + b"x" * 2000), "no answer", True),
    *odd("lines in drips", Drip(b"250-x\r\n" * 200), "no answer", True),
    *odd("half a reply", b"250-wait\r\n", "no answer", True),
    *odd("an end in the middle", Cut(b"250-x\r\n25"), ""),
    *odd("an end", b"", ""),
    *odd("words", b"hello\r\n", "is no reply"),
    *odd("a number too high", b"999 x\r\n", "is no reply"),
    *odd("a number too low", b"150 wait\r\n", "is no reply"),
    *odd("NUL before a reply", b"\0" + b"250 x\r\n", "is no reply"),
    *odd("all octets", bytes(range(256)) + b"\r\n", "is no reply"),
    *odd("TLS", b"\x15\x03\x01\0\x02\x02\x46\n", "is no reply"),
    *odd("two codes", b"250-x\r\n550 y\r\n", "changes from 250 to 550"),
    *odd("10,000 keywords", _MANY, "endless"),
]

_HALF = {"RCPT TO:<B": b"550 5.1.1 nobody\r\n"}
_GO = b"354 go\r\n"
_SLOW = Drip(b"250 2.0.0 x\r\n")
_BYE = b"421 4.3.2 bye\r\n"

DEAF = [
    Row(
        "deaf",
        {"EHLO": _ALONE, "DATA": Deaf(_GO)},
        ["4.4.2"],
        "does not take the message",
        waits=True,
        body=LARGE,
    ),
    Row("deaf at the end", {"DATA": Deaf(_GO)}, ["4.4.2"], "no answer", waits=True),
]

ANSWERS = [
    # What comes before its question.
    Row("two greetings", {"220": b"220 a\r\n220 b\r\n"}, ["next"]),
    Row("EHLO is answered early", {"220": b"220 a\r\n250 b\r\n"}, ["next"]),
    Row("MAIL is answered early", {"EHLO": EHLO + b"250 a\r\n"}, ["next"]),
    Row("RCPT is early", {"EHLO": _ALONE, "MAIL": b"250 a\r\n250 b\r\n"}, ["next"]),
    Row("the end is early", {"DATA": _GO + b"250 c\r\n"}, ["4.4.2"], "without being"),
    Row("all is early", {"EHLO": EHLO + b"250 a\r\n" * 3 + _GO}, ["next"]),
    Row("none but early", {"EHLO": EHLO + b"250 a\r\n"}, ["4.4.2"], alone=True),
    Row("said twice", {".": b"250 2.0.0 a\r\n550 5.0.0 b\r\n"}, ["2.0.0"]),
    Row("nothing but yes", {"DATA": Flood(b"250 x\r\n")}, ["4.5.0"], "DATA was"),
    Row("yes without end", {".": Flood(b"250 2.0.0 x\r\n")}, ["2.0.0"]),
    # Answers that are none to that question.
    Row("354 to MAIL", {"MAIL": _GO}, ["4.5.0"], "MAIL was answered by 354"),
    Row("354 to RCPT", {"RCPT TO:<B": _GO}, ["2.0.0", "4.5.0"], ""),
    Row("354 to nobody", _NOBODY, ["5.1.1", "5.1.1"], "nobody"),
    Row("354 to all", {"RCPT": _GO}, ["4.5.0"], "RCPT was answered by 354"),
    Row("354 to the end", {".": _GO}, ["4.5.0"], "The message was answered"),
    Row("250 to DATA", {"DATA": b"250 x\r\n"}, ["4.5.0"], "DATA was answered"),
    Row("334 to DATA", {"DATA": b"334 x\r\n"}, ["4.5.0"], "DATA was answered"),
    # Yes to half of it.
    Row("half are known", _HALF, ["2.0.0", "5.1.1", "2.0.0"]),
    Row("half, then no", {**_HALF, "DATA": b"554 5.3.0 x\r\n"}, ["5.3.0", "5.1.1"]),
    Row("half, then 4", {**_HALF, "DATA": b"451 4.3.0 x\r\n"}, ["4.3.0", "5.1.1"]),
    Row("half, no message", {**_HALF, ".": b"554 5.6.0 x\r\n"}, ["5.6.0", "5.1.1"]),
    Row("half, then an end", {**_HALF, ".": Cut(b"2")}, ["4.4.2", "4.4.2"]),
    Row("later for ever", {"RCPT": b"450 4.2.1 x\r\n"}, ["4.2.1"]),
    # It leaves in the middle.
    Row("421 to MAIL", {"MAIL": _BYE}, ["4.4.2"], "421 4.3.2 bye"),
    Row("421 to B", {"RCPT TO:<B": _BYE}, ["4.3.2"] * 3, "bye"),
    Row(
        "421 to B, one by one",
        {"EHLO": _ALONE, "RCPT TO:<A": b"550 5.1.1 x\r\n", "RCPT TO:<C": _BYE},
        ["5.1.1", "4.3.2", "4.3.2", "4.3.2"],
    ),
    Row("421 to DATA", {"DATA": _BYE}, ["4.3.2"], "bye"),
    Row("421 to the end", {".": _BYE}, ["4.3.2"], "bye"),
    # By chunks.
    Row("a chunk", {"EHLO": _CHUNKS}, ["2.0.0"]),
    Row("no chunk", {"EHLO": _CHUNKS, "BDAT": b"552 5.3.4 x\r\n"}, ["5.3.4"]),
    Row("354 to a chunk", {"EHLO": _CHUNKS, "BDAT": _GO}, ["4.5.0"], "was answered"),
    Row(
        "an end in the middle of a chunk",
        {"EHLO": _CHUNKS, "BDAT": Early()},
        ["4.4.2"],
        body=LARGE,
    ),
    Row("chunks, 421", {"EHLO": _CHUNKS, "RCPT TO:<B": _BYE}, ["4.3.2"] * 2, "bye"),
    Row(
        "no in the middle of a chunk",
        {"EHLO": _CHUNKS, "BDAT": Early(b"552 5.3.4 x\r\n")},
        ["4.4.2"],
        "said without being asked: 552 5.3.4 x",
        body=LARGE,
    ),
    # It takes nothing.
    *DEAF,
    # It is merely slow, or old, or says odd things politely.
    Row(
        "octet by octet",
        {"EHLO": _ALONE, "RCPT": _SLOW, ".": _SLOW},
        ["2.0.0"],
    ),
    Row(
        "eight bits", {"220": b"220 \xff\0\x1b\r\n", ".": b"250 \xe9\0\r\n"}, ["2.0.0"]
    ),
    Row("line feeds", {"220": b"220 x\n", "MAIL": b"250 \rx\r\r\n"}, ["2.0.0"]),
    Row(
        "bare codes", dict.fromkeys(("220", "MAIL", "RCPT", "."), b"250\r\n"), ["2.0.0"]
    ),
    Row("HELO only", {"EHLO": b"500 what?\r\n"}, ["2.0.0"]),
    Row("long keywords", {"EHLO": _LONG}, ["2.0.0"]),
    # What it says that it takes.
    Row("SIZE 0", {"EHLO": b"250-x\r\n250 SIZE 0\r\n"}, ["2.0.0"]),
    Row("SIZE 1", {"EHLO": b"250-x\r\n250 SIZE 1\r\n"}, ["5.3.4"]),
    Row("SIZE -1", {"EHLO": b"250-x\r\n250 SIZE -1\r\n"}, ["2.0.0"]),
    Row("SIZE huge", {"EHLO": b"250-x\r\n250 SIZE 1%b\r\n" % (b"0" * 900)}, ["2.0.0"]),
    Row("SIZE words", {"EHLO": b"250-x\r\n250 SIZE 1e3 or so\r\n"}, ["2.0.0"]),
    Row("no SMTPUTF8", {}, ["5.6.7"], asked=Asked(smtputf8=True)),
    Row("no 8BITMIME", {"EHLO": b"250 x\r\n"}, ["2.0.0"], body=b"\r\n\xc3\xa9\r\n"),
    # What it says that gets into logs, reports and terminals.
    Row("words for a terminal", {"RCPT": _TERMINAL}, ["5.7.1"], "http://192.0.2.1/"),
    Row("a second report", {".": b"550-5.0.0 a\r\n550 5.0.0 Action: x\r\n"}, ["5.0.0"]),
]


class HostileTests(WorldCase):
    """All of them at once, and one who is well."""

    def setUp(self) -> None:
        super().setUp()
        self.hops = self.connections(patience=PATIENCE)
        # Floods keep the name server busy that they share a process with.
        servers = [f"127.0.0.1:{self.dns.port}"]
        self.resolver = Resolver(REACTOR, servers, timeout=10.0, lifetime=20.0)
        self.where = evolve(self.where, resolver=self.resolver)
        self.logged: list[str] = []

        @provider(ILogObserver)
        def note(event: Any) -> None:
            self.logged.append(formatEvent(event))

        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)

    def batch(self, rows: Sequence[Row]) -> list[Consignment]:
        """The servers, and a message for each of their domains."""
        self.next = self.server(2, "next.mx")
        found: list[Consignment] = []
        for n, row in enumerate(rows, 10):
            server = self.server(n, f"{n}.mx", **row.says)
            server.context = SPEAKER
            self.mx(f"{n}.test", f"10 {n}.mx", *["20 next.mx"] * (not row.alone))
            to = [f"{name}@{n}.test" for name in "abcdefgh"[: len(row.ends)]]
            body = Body(len(row.body), row.body)
            some = letter(*to, asked=row.asked)
            found += [evolve(one, body=body) for one in some]
        self.server(3, "live.mx")
        self.mx("live.test", "10 live.mx")
        return found + [c for _ in range(LIVE) for c in letter("u@live.test")]

    async def rows(self, rows: Sequence[Row]) -> None:
        """Each ends as it must, and nobody is delayed by another."""
        batch = self.batch(rows)
        tracemalloc.start()
        told = await self.send(batch)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        left = iter(told)
        failed = []
        for n, row in enumerate(rows, 10):
            for end in row.ends:
                got = self.end(next(left), f"{n}.mx", row)
                if got != end:
                    failed.append((row.name, end, got))
        self.assertEqual([], failed)
        self.assertEqual({State.DELIVERED}, {outcome.state for outcome in left})
        self.assertOvertaken(rows)
        # Theirs and ours together.
        self.assertLess(peak, 12 * MIB)
        self.hops.hang_up()
        self.assertEqual([], [one for one in self.hops._clients if one.alive])
        self.assertLess(max(s.poured for s in self.servers), 10 * MIB)
        self.assertEqual([], [line for line in self.logged if not line.isprintable()])

    def end(self, outcome: Outcome, host: str, row: Row) -> str:
        """What became of one recipient, as a row has it."""
        said = parse_said(outcome.detail)
        if not outcome.detail.isprintable() or len(outcome.detail) > 1200:
            return f"hostile: {outcome.detail!r}"
        if outcome.state is State.DELIVERED and said.host == "next.mx":
            return "next"
        if said.host != host or STATES[said.status[0]] is not outcome.state:
            return f"{outcome}"
        return said.status if row.words in said.text else outcome.detail

    def assertOvertaken(self, rows: Sequence[Row]) -> None:
        """Who is well is done before those who keep us."""
        slow = {f"{n}.test" for n, row in enumerate(rows, 10) if row.waits}
        order = [a.consignment.recipient.address.partition("@")[2] for a in self.told]
        last = max(n for n, domain in enumerate(order) if domain == "live.test")
        self.assertEqual(set(), slow & set(order[:last]))

    async def test_no_replies(self) -> None:
        """Who says what is no reply, too much of it, or nothing, is passed over."""
        await self.rows(NO_REPLIES)

    async def test_under_tls(self) -> None:
        """TLS is no better: it is only that nobody else hears them."""
        await self.rows([under_tls(row) for row in (*NO_REPLIES, *DEAF)])
        self.assertGreater(sum(bool(attempt.tls) for attempt in self.told), 20)

    async def test_answers(self) -> None:
        """Who answers what was not asked, or not all, gets what he can be given."""
        await self.rows(ANSWERS)
