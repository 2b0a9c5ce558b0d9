"""
A user of a real smfd writes to strangers, it is killed, and all is counted.

What was acknowledged must arrive, or be in one report that names exactly who
did not get it.  Twice may arrive only what the strangers had taken, and we had
not noted, when we were killed (RFC 1047): the ledger says so, which is read
after each kill and before the next start.
"""

import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from email import message_from_bytes
from pathlib import Path
from smtplib import SMTP_SSL, SMTPException
from threading import Lock
from typing import Any

from attrs import define, field, frozen

from smfd.store.ledger import FILE
from tests.signed_zones import Unbound, Zone
from tests.system.house import PATIENCE, UNLIMITED, House, reading
from tests.system.strangers import ZONE, Manners, Strangers

ANN = "ann@example.test"

#: What is not taken is tried again after a second.
SETTINGS = """
[virus]
engine = "builtin"
[scan]
stages = ["lists"]
[dns]
servers = ["127.0.0.1:{dns}"]
[relay]
port = {port}
networks_allowed = ["127.0.0.0/8"]
[queue]
retry_first = 1
retry_last = 2
[bounce]
gather = 0.2
per_hour = 10000
[reputation]
slow_down = false
"""

_FAILED = re.compile(rb"(?im)^Final-Recipient: rfc822; (\S+)\r\nAction: failed\r$")


@frozen
class Letter:
    """
    A message to strangers.

    @ivar word: in no other.
    """

    word: str
    octets: int
    recipients: tuple[str, ...]

    @property
    def message(self) -> bytes:
        """Recognizable to its last octet."""
        head = (
            f"From: {ANN}\r\nTo: you: ;\r\nSubject: {self.word}\r\n"
            "Date: Sun, 22 Nov 2026 08:00:00 +0000\r\n"
            f"Message-ID: <{self.word}@example.test>\r\n\r\n"
        )
        line = f"{self.word} once more\r\n"
        return (head + line * (self.octets // len(line)) + f"end of {line}").encode()


@frozen
class Account:
    """
    What came of all letters.

    @ivar acknowledged: recipients for whom we said 250.
    @ivar arrived: recipients to whom a stranger said 250.
    @ivar reported: recipients whom a report names.
    @ivar lost: acknowledged, and neither.
    @ivar both: arrived, and reported as failed.
    @ivar partial: copies that are not what was sent, and broken reports.
    @ivar in_window: recipients taken by strangers and not noted, at a kill.
    @ivar repeats: further copies for which a stranger said 250.
    @ivar doubled: those of them without a window.
    @ivar reported_twice: reports too many.
    @ivar misnoted: recipients that the ledger tells another end of.
    """

    acknowledged: int
    arrived: int
    reported: int
    lost: int
    both: int
    partial: int
    in_window: int
    repeats: int
    doubled: int
    reported_twice: int
    misnoted: int

    @property
    def faults(self) -> dict[str, int]:
        """What must be zero."""
        names = ("lost", "both", "partial", "doubled", "reported_twice", "misnoted")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


@define
class Outward:
    """
    smfd, its resolver, and the strangers.

    @ivar sent: every letter, and whether it was acknowledged.
    @ivar windows: whose message was taken and not noted, at some kill.
    """

    house: House
    strangers: Strangers
    resolver: Unbound
    _folder: Path
    sent: list[tuple[Letter, bool]] = field(factory=list)
    windows: Counter[str] = field(factory=Counter)
    _lock: Any = field(factory=Lock)

    @classmethod
    def made(cls, manners: Manners, settings: str = "") -> "Outward":
        """All of them; smfd is not started yet."""
        folder = Path(tempfile.mkdtemp(prefix="smfd-out-"))
        zone = Zone(ZONE, signed=False)
        resolver = Unbound(folder / "unbound", {"test.": zone})
        resolver.start()
        strangers = Strangers(manners)
        filled = SETTINGS.format(dns=resolver.port, port=strangers.port) + UNLIMITED
        house = House((ANN,), filled + settings)
        return cls(house, strangers, resolver, folder)

    def remove(self) -> None:
        """End and remove all."""
        self.house.remove()
        self.strangers.close()
        self.resolver.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def serve(self) -> None:
        """It runs."""
        house = self.house
        if house.process is None or house.process.poll() is not None:
            self.kill()
            house.start()

    def kill(self) -> None:
        """It ends at once; what strangers took and we did not note is written down."""
        self.house.kill()
        self.strangers.alone()
        fresh, self.strangers.fresh = self.strangers.fresh, set()
        if fresh:
            self.windows.update(fresh & set(self._due()))

    def _due(self) -> list[str]:
        """Who is due by a ledger that nobody serves; it stays as it is."""
        for end in "", "-wal":
            with suppress(FileNotFoundError):
                shutil.copy(f"{self.ledger}{end}", self._folder / f"ledger{end}")
        wanted = "SELECT address FROM recipients WHERE state = 'due' AND site <> ''"
        with reading(self._folder / "ledger") as ledger:
            return [address for (address,) in ledger.execute(wanted)]

    def envelope(self, client: SMTP_SSL, letter: Letter) -> None:
        """Sender and recipients, all of whom are taken."""
        codes = [client.mail(ANN)[0]]
        codes += [client.rcpt(recipient)[0] for recipient in letter.recipients]
        if set(codes) != {250}:
            raise SMTPException(f"{codes}")

    def message(self, client: SMTP_SSL, letter: Letter) -> bool:
        """The message; whether it was acknowledged."""
        acknowledged = False
        try:
            acknowledged = client.data(letter.message)[0] == 250
        except (SMTPException, OSError):
            pass
        finally:
            with self._lock:
                self.sent.append((letter, acknowledged))
        return acknowledged

    @property
    def ledger(self) -> Path:
        """Its file."""
        return self.house.home / FILE

    @property
    def letters(self) -> int:
        """How many were acknowledged."""
        with self._lock:
            return sum(acknowledged for _, acknowledged in self.sent)

    def settle(self, seconds: float = PATIENCE) -> Account:
        """Let everything come to rest, and count."""
        self.serve()
        self.house.until(lambda: self.house.rests, seconds)
        time.sleep(0.3)
        return self.account()

    def account(self) -> Account:
        """What came of all letters until now."""
        reports, broken = self._reports()
        promised, states = self.strangers.promised, self._states()
        acknowledged = {
            a for letter, yes in self.sent if yes for a in letter.recipients
        }
        arrived, named = set(promised), set(reports)
        failed = {a for a, state in states.items() if state == "failed"}
        noted = {a for a, state in states.items() if state == "delivered"}
        again = {a: count - 1 for a, count in promised.items()}
        doubled = (max(0, count - self.windows[a]) for a, count in again.items())
        return Account(
            acknowledged=len(acknowledged),
            arrived=len(arrived),
            reported=len(named),
            lost=len(acknowledged - arrived - named),
            both=len(arrived & named),
            partial=broken + self._partial(),
            in_window=self.windows.total(),
            repeats=sum(again.values()),
            doubled=sum(doubled),
            reported_twice=reports.total() - len(named),
            misnoted=len(arrived ^ noted) + len(named ^ failed),
        )

    def _partial(self) -> int:
        """Copies that are not what was sent."""
        wanted = {a: one for one, _ in self.sent for a in one.recipients}
        return sum(
            not copy.endswith(b"\r\n" + wanted[address].message)
            for address, copies in self.strangers.taken.items()
            for copy in copies
        )

    def _reports(self) -> tuple[Counter[str], int]:
        """How often each recipient was reported, and how many reports are broken."""
        found, broken = Counter[str](), 0
        for report in self.house.mailbox(ANN):
            found.update(_named(report))
            made = message_from_bytes(report)
            end = f"--{made.get_boundary()}--".encode()
            broken += not report.rstrip().endswith(end)
        return found, broken

    def _states(self) -> dict[str, str]:
        """What the ledger says of each."""
        wanted = "SELECT address, state FROM recipients WHERE destination = 'remote'"
        with reading(self.ledger) as ledger:
            return dict(ledger.execute(wanted).fetchall())


def _named(report: bytes) -> Iterable[str]:
    """Whom a report says to have failed."""
    return (name.decode() for name in _FAILED.findall(report))


def addresses(word: str, domain: str, count: int) -> tuple[str, ...]:
    """So many people, whose addresses nobody else has."""
    return tuple(f"{name}.{word}@{domain}.test" for name in "abcdefgh"[:count])
