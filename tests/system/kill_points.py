"""
kill -9 at every write-class system call between the client's dot and the end.

strace ends the daemon, or its annex, as it enters the n-th call of a kind,
n = 1 and on until the message is through without it.  Then the daemon is
started again (the annex it starts itself), and every message ever acknowledged
must be there exactly once, the others at most once, and whole.  Only what goes
on to another server may be there again, when we die between its 250 and our
note of it (RFC 1047): that is counted, and nothing else.
C{python -m benchmarks.kill_points} tries all points and prints the
figures; the test takes a sample.
"""

import random
import re
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from smtplib import SMTP, SMTPException

from attrs import define, field, frozen

from smfd.store.ledger import FILE
from tests.system.counting_hop import CountingHop
from tests.system.house import PATIENCE, House

CALLS = (
    *("openat", "write", "pwrite64", "writev", "sendto", "sendmsg"),
    *("fsync", "fdatasync", "rename", "link", "unlink", "mkdir", "ftruncate"),
    *("copy_file_range", "sendfile", "fchmod", "syncfs"),
)

#: Ordinary people, and one who blocks the sender.
_NAMES = ("user", "ann", "bob", "cy", "di", "ed", "flo")
PEOPLE = tuple(f"{name}@example.test" for name in _NAMES)
BLOCKER = "blocker@example.test"
USERS = (*PEOPLE, BLOCKER)

#: Somebody whose mailbox is behind another server.
FAR = "user@far.test"

#: Somebody of the world, behind the same server, and the way to him.
WORLD = "user@world.test"
_ROUTE = """
[[relay.route]]
domain = "world.test"
to = "smtp://127.0.0.1:{port}"
"""

#: Calls of one kind that are tried at most.
MOST = 400


@frozen
class Shape:
    """
    A message to try.

    @ivar own: one of our users sends it.
    """

    name: str
    octets: int
    recipients: tuple[str, ...] = PEOPLE[:1]
    spam: bool = False
    own: bool = False


SHAPES = (
    Shape("small", 2_000),
    Shape("three recipients", 2_000, PEOPLE[:3]),
    Shape("large", 400_000),
    Shape("quarantined", 2_000, PEOPLE[:2], spam=True),
    Shape("delivered and held", 2_000, (PEOPLE[0], BLOCKER)),
    Shape("large, delivered and held", 400_000, (PEOPLE[0], BLOCKER)),
    Shape("large, quarantined", 400_000, spam=True),
    Shape("seven recipients", 60_000, PEOPLE),
    Shape("ten megabytes", 10_000_000),
    Shape("nearly empty", 0),
    Shape("relayed", 2_000, (FAR,)),
    Shape("delivered and relayed", 2_000, (PEOPLE[0], FAR)),
    Shape("large, relayed", 400_000, (FAR,)),
    Shape("to the world", 2_000, (WORLD,), own=True),
    Shape("large, to the world", 400_000, (WORLD,), own=True),
)


@define
class Tally:
    """
    What came of it.

    @ivar again: copies at another server of what it had taken just before we
        died.
    """

    points: Counter[str] = field(factory=Counter)
    lost: int = 0
    partial: int = 0
    doubled: int = 0
    again: int = 0
    acknowledged: int = 0


@frozen
class Copy:
    """
    A message as the other server got it.

    @ivar life: how often the daemon had been started.
    @ivar late: nothing was due of it any more.
    """

    life: int
    late: bool
    message: bytes


@define
class Trial:
    """
    A daemon that is killed again and again, and what it owes.

    @ivar at_rest: words of messages that nothing is due of any more.
    @ivar hop: the other server.
    """

    house: House
    tally: Tally = field(factory=Tally)
    sent: dict[str, tuple[Shape, bool]] = field(factory=dict)
    at_rest: set[str] = field(factory=set)
    hop: CountingHop = field(init=False)
    _lives: int = 0
    _copies: "defaultdict[str, list[Copy]]" = field(factory=lambda: defaultdict(list))

    def __attrs_post_init__(self) -> None:
        self.hop = CountingHop(self.taken)
        with self.house.config.open("a") as file:
            file.write(_ROUTE.format(port=self.hop.port))

    def remove(self) -> None:
        """End it and remove everything."""
        self.house.remove()
        self.hop.close()

    def taken(self, message: bytes) -> None:
        """The other server has one more."""
        word = _subject(message)
        copy = Copy(self._lives, word in self.at_rest, message)
        self._copies[word].append(copy)

    def message(self, shape: Shape, word: str) -> bytes:
        """Unlike any other, and recognizable to its last octet."""
        draw = random.Random(word)
        lines = [draw.randbytes(30).hex() for _ in range(shape.octets // 62)]
        gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*"
        gtube += "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
        sender = PEOPLE[0] if shape.own else "alice@sender.test"
        head = (
            f"From: Alice <{sender}>\r\nTo: <user@example.test>\r\n"
            f"Subject: {word}\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{word}@sender.test>\r\n\r\n"
        )
        body = [gtube] if shape.spam else []
        return (head + "\r\n".join([*body, *lines, f"end of {word}"]) + "\r\n").encode()

    def send(self, shape: Shape, word: str) -> bool:
        """Whether it was acknowledged."""
        try:
            with self._client(shape) as client:
                client.mail(PEOPLE[0] if shape.own else "alice@sender.test")
                for recipient in shape.recipients:
                    client.rcpt(recipient)
                code, _ = client.data(self.message(shape, word))
                return code == 250
        except (SMTPException, OSError):
            return False

    def _client(self, shape: Shape) -> SMTP:
        """At the front door, or logged in."""
        house = self.house
        if not shape.own:
            client = SMTP("127.0.0.1", house.port, timeout=20)
            client.ehlo("mail.sender.test")
            return client
        return house.login(PEOPLE[0])

    def point(
        self,
        shape: Shape,
        call: str,
        number: int,
        annex: bool = False,
        ledger: bool = False,
    ) -> bool:
        """
        One kill; returns whether it came to it.

        @param annex: of the process that fills mailboxes.
        @param ledger: only calls on the ledger count.
        """
        house = self.house
        self.serve()
        whose = "-annex" if annex else "-ledger" if ledger else ""
        word = f"{shape.name.replace(',', '').replace(' ', '-')}-{call}-{number}{whose}"
        victim = house.annex() if annex else house.pid
        path = house.home / f"{FILE}-wal" if ledger else None
        tracer = attach(victim, call, f"signal=KILL:when={number}", path)
        acknowledged = self.send(shape, word)
        self.sent[word] = (shape, acknowledged)
        fired = died(house) or (annex and house.annex() != victim)
        tracer.terminate()
        tracer.wait(10)
        if fired:
            self.tally.points[f"{call}{whose}"] += 1
            if not annex:
                house.kill()
        else:
            self.at_rest |= set(self.sent)
        return fired

    def serve(self) -> None:
        """The daemon runs, and knows whom the blocker blocks."""
        house = self.house
        if house.process is None or house.process.poll() is not None:
            house.kill()
            self._lives += 1
            house.start()
        if not self.sent:
            house.ctl("list", "add", "--scope", BLOCKER, "--block", "sender.test")
            hop = ("--next-hop", f"smtp://127.0.0.1:{self.hop.port}")
            words = ("domain", "add", "far.test", "--kind", "relay", *hop)
            house.ctl(*words, "--verify", "none")

    def points(self, shape: Shape, step: int = 1) -> None:
        """Every so many-th call of each kind."""
        for annex, call in product((False, True), CALLS):
            for number in range(1, MOST, step):
                if not self.point(shape, call, number, annex):
                    break
        # Each commit: the first of them, other threads come to their n-th before.
        for call in ("fdatasync", "pwrite64"):
            for number in range(1, MOST):
                if not self.point(shape, call, number, ledger=True):
                    break

    def settle(self) -> Tally:
        """Start once more, let everything come to rest, and count."""
        house = self.house
        self.serve()
        house.until(lambda: house.rests)
        time.sleep(0.3)
        boxes = {user: _by_subject(house.mailbox(user)) for user in USERS}
        held = _by_subject(house.held())
        for word, (shape, acknowledged) in self.sent.items():
            self.tally.acknowledged += acknowledged
            for place in _places(shape, boxes, held):
                self._count(self.message(shape, word), acknowledged, place[word])
            if {FAR, WORLD} & set(shape.recipients):
                self._count_far(self.message(shape, word), acknowledged, word)
        return self.tally

    def _count_far(self, message: bytes, acknowledged: bool, word: str) -> None:
        copies = self._copies[word]
        lives = len({copy.life for copy in copies})
        late = sum(copy.late for copy in copies)
        self.tally.partial += sum(not c.message.endswith(message) for c in copies)
        self.tally.doubled += len(copies) - lives + late
        self.tally.again += max(0, lives - 1 - late)
        self.tally.lost += acknowledged and not copies

    def _count(self, message: bytes, acknowledged: bool, found: list[bytes]) -> None:
        self.tally.partial += sum(not m.endswith(message) for m in found)
        self.tally.doubled += max(0, len(found) - 1)
        self.tally.lost += acknowledged and not found


Place = defaultdict[str, list[bytes]]


def _by_subject(messages: list[bytes]) -> Place:
    found: Place = defaultdict(list)
    for message in messages:
        found[_subject(message)].append(message)
    return found


def _subject(message: bytes) -> str:
    found = re.search(rb"^Subject: (.*)\r$", message, re.MULTILINE)
    return found[1].decode() if found else ""


def _places(shape: Shape, boxes: dict[str, Place], held: Place) -> Iterator[Place]:
    """Where a message should be, once in each."""
    if shape.spam or BLOCKER in shape.recipients:
        yield held
    if not shape.spam:
        yield from (boxes[user] for user in shape.recipients if user in PEOPLE)


def attach(
    pid: int, call: str, fault: str, path: Path | None = None
) -> "subprocess.Popen[bytes]":
    """
    strace with a fault for a system call, once it holds every thread.

    The n-th call is that of whichever thread comes to its n-th first.

    @param path: only calls on this file count.
    """
    only = () if path is None else ("-P", str(path))
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(pid), "-e", f"trace={call}", "-o", "/dev/null"]
        + [*only, "-e", f"inject={call}:{fault}"],
        stderr=subprocess.PIPE,
    )
    assert tracer.stderr is not None
    if b"attached" not in tracer.stderr.readline():
        raise RuntimeError("strace cannot attach")
    time.sleep(0.05)
    return tracer


def died(house: House) -> bool:
    """Whether the daemon was killed, now or while it finished its work."""
    assert house.process is not None
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if house.process.poll() is not None:
            return True
        if house.rests:
            # The record of the end rides a later commit.
            time.sleep(0.3)
            return house.process.poll() is not None
        time.sleep(0.05)
    raise AssertionError("it never came to rest")
