"""
The public archives, sent through a running server, and the account of it.

What was accepted must be there: a row and a file for every recipient, and no
file more.  What was refused has its reason counted.  One letter in three goes to
three recipients, one of whom allows the sender, one blocks him, one is neutral.
"""

import re
import sqlite3
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from attrs import define, evolve, field, frozen

import smfd
from benchmarks.load import Letter, Load, run
from smfd.ctl.client import Client
from smfd.proto.address import parse_path
from smfd.proto.reply import Malformed
from tests.clamd import RealClamd
from tests.system.house import House

ARCHIVES = Path(smfd.__file__).parents[1].parent / "shared" / "corpora"

NEUTRAL, ALLOWS, BLOCKS = "user@example.test", "ann@example.test", "bob@example.test"
LISTED = "letters@sender.test"

#: The listed sender is authenticated, nobody else has a record.
SETTINGS = """
[dns]
offline = true
[[dns.record]]
name = "sender.test"
type = "TXT"
value = "v=spf1 ip4:127.0.0.0/8 -all"
"""

_VERDICT = re.compile(
    rb"^(?:x-spam|x-bogosity|x-virus|x-ms-exchange-organization-scl|x-ironport"
    rb"|x-microsoft-antispam|x-sid-result|x-forefront|authentication-results)"
    rb"[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)
_MARK = re.compile(rb"^(Subject: )\{Spam\?\} ", re.MULTILINE)
_RETURN_PATH = re.compile(rb"^return-path:[ \t]*<([^>\n]*)>", re.I | re.M)


@frozen
class Sample:
    """
    One message of an archive.

    @ivar kind: "ham", "hard" (ham that looks like spam) or "spam".
    @ivar data: as a server would meet it: CRLF, no verdicts of other filters.
    """

    archive: str
    kind: str
    name: str
    data: bytes
    recipients: tuple[str, ...] = (NEUTRAL,)

    def letter(self) -> Letter:
        """The message in its envelope."""
        sender = LISTED if len(self.recipients) > 1 else self._sender()
        return Letter(sender, self.recipients, _dotted(self.data), self.name)

    def _sender(self) -> str:
        found = _RETURN_PATH.search(self.data.partition(b"\r\n\r\n")[0])
        try:
            return (
                str(parse_path(found.group(1).decode("ascii")) or "") if found else ""
            )
        except (Malformed, UnicodeDecodeError):
            return ""


def _dotted(data: bytes) -> bytes:
    """As DATA carries it; what is wrong with it stays wrong."""
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    return (b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


def cleaned(data: bytes) -> bytes:
    """
    A message as a server would meet it, with CRLF.

    The mbox line and the verdicts of other filters are gone; a bare CR stays.
    """
    data = data.replace(b"\r\n", b"\n")
    if data.startswith(b"From "):
        data = data.partition(b"\n")[2]
    header, empty, body = data.partition(b"\n\n")
    header = _MARK.sub(rb"\1", _VERDICT.sub(b"", header + b"\n"))
    return (header + empty[1:] + body).replace(b"\n", b"\r\n")


def samples(every: int = 1) -> Iterator[Sample]:
    """Every n-th message of each archive."""
    for path in sorted(ARCHIVES.glob("*.tar.xz")):
        number = 0
        with tarfile.open(path, "r:xz") as archive:
            for member in archive:
                words = member.name.split("/")
                if not member.isfile() or words[1] not in ("ham", "spam"):
                    continue
                number += 1
                file = archive.extractfile(member)
                if number % every or file is None:
                    continue
                hard = words[2].startswith("hard-ham")
                yield Sample(
                    words[0],
                    "hard" if hard else words[1],
                    member.name,
                    cleaned(file.read()),
                    (NEUTRAL,) if number // every % 3 else (NEUTRAL, ALLOWS, BLOCKS),
                )


@define
class Account:
    """
    What became of the messages.

    @ivar copies: recipients of accepted messages, as the client counts them.
    @ivar delivered: those of them whose rows say so, and whose file is there.
    @ivar quarantined: the same.
    @ivar stray: files that no row names, and rows that nobody was told of.
    @ivar refused: the names of messages by the reply they got, its id left out.
    @ivar judged: what the neutral recipient's copies were held for, by archive
        and kind.
    @ivar stall: the reactor's worst, milliseconds.
    """

    sent: int = 0
    copies: int = 0
    delivered: int = 0
    quarantined: int = 0
    stray: int = 0
    refused: dict[str, list[str]] = field(factory=dict)
    judged: dict[tuple[str, str], Counter[str]] = field(factory=dict)
    load: Load = field(factory=Load)
    stall: float = 0.0
    tracebacks: int = 0

    @property
    def difference(self) -> int:
        """What is missing and what is too much; 0 is the only good answer."""
        return abs(self.copies - self.delivered - self.quarantined) + self.stray

    def heard(self, known: Mapping[str, Sample]) -> dict[str, Sample]:
        """Sort the replies; the accepted messages by their ids."""
        accepted = {}
        for name, reply in self.load.answers:
            text, _, entry = reply.partition(" id=")
            if text.startswith("250 "):
                accepted[entry] = known[name]
            else:
                self.refused.setdefault(text, []).append(name)
        return accepted

    def found(self, home: Path, accepted: Mapping[str, Sample]) -> None:
        """Compare the ledger's rows with the files, and both with the replies."""
        files = {*home.glob("mail/*/*/new/*"), *home.glob("quarantine/*/*/*")}
        named: set[Path] = set()
        for entry, address, state, category, detail in _rows(home):
            named.add(home / detail)
            if entry not in accepted or home / detail not in files:
                self.stray += 1
            elif state == "delivered":
                self.delivered += 1
            elif state == "held":
                self.quarantined += 1
            if address == NEUTRAL and entry in accepted:
                sample = accepted[entry]
                key = (sample.archive, sample.kind)
                self.judged.setdefault(key, Counter())[category] += 1
        self.stray += len(files - named)


def send(house: House, chosen: Iterable[Sample], limit: float = 300.0) -> Account:
    """Send all, wait until all is settled, count."""
    house.ctl("list", "add", "--scope", ALLOWS, "--allow", "sender.test")
    house.ctl("list", "add", "--scope", BLOCKS, "--block", "sender.test")
    client = Client(house.config)
    client.post("/v1/pulse", {})
    account, known = Account(), dict[str, Sample]()

    def letters() -> Iterator[Letter]:
        for sample in chosen:
            known[sample.name] = evolve(sample, data=b"")
            account.sent += 1
            yield sample.letter()

    account.load = run(house.port, letters(), limit=limit)
    account.stall = client.post("/v1/pulse", {})["worst_ms"]
    accepted = account.heard(known)
    account.copies = sum(len(s.recipients) for s in accepted.values())
    house.until(lambda: not _unsettled(house.home), 120)
    account.found(house.home, accepted)
    account.tracebacks = house.log.read_text(errors="replace").count("Traceback")
    return account


def _ledger(home: Path) -> sqlite3.Connection:
    path = (home / "ledger.db").absolute().as_uri()
    return sqlite3.connect(f"{path}?mode=ro", uri=True)


def _unsettled(home: Path) -> bool:
    with closing(_ledger(home)) as ledger:
        return ledger.execute("SELECT 1 FROM entries").fetchone() is not None


def _rows(home: Path) -> list[tuple[str, str, str, str, str]]:
    with closing(_ledger(home)) as ledger:
        return ledger.execute(
            "SELECT entry, address, state, category, detail FROM recipients"
        ).fetchall()


def with_clamd(clamd: RealClamd) -> str:
    """The settings that name a real scanner."""
    return SETTINGS + (
        f'[virus]\nengine = "clamd"\nclamd = ["unix:{clamd.path}"]\n'
        f"max_size = {clamd.limit}\n"
    )
