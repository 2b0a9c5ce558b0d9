"""
Look for viruses.

The one stage whose failure can never mean "go on": it raises, and the policy
defers.  Found, clean and too large are findings; everything else is not known.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from smfd.content.specimen import test_virus
from smfd.format.authres import evidence
from smfd.format.header import Header
from smfd.format.parameters import read_parameters
from smfd.interfaces import IStage
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Body, Transaction
from smfd.net.clamd import CouldNotScan
from smfd.policy.standing import ENCRYPTED
from smfd.scan.poison import Poison
from smfd.scan.pool import Pool


class Unscannable(Exception):
    """It cannot be looked into, now or later, for the reason given."""


class Encrypted(Unscannable):
    """Not without a password."""


class Scanner(Protocol):
    """Whoever can tell."""

    def scan(self, body: Body) -> Deferred[str]:
        """
        Fires with the name of what was found, or "" when it is clean.

        Fails with L{Unscannable} when it can never tell (L{Encrypted} for want
        of a password), with
        L{CouldNotScan} or anything else when it cannot tell now.
        """


@define
class BuiltinScanner:
    """
    The engine of a box without clamd: it knows the EICAR test string.

    @ivar workers: do the looking.
    """

    workers: Pool

    def scan(self, body: Body) -> Deferred[str]:
        """Have a worker look into every part and archive."""
        return self.workers.submit("virus", body, {}).addCallback(_builtin)


def _builtin(said: Mapping[str, str]) -> str:
    answer = said.get("answer")
    if answer == "clean":
        return ""
    if answer == "found" and said.get("name"):
        return said["name"]
    if answer == "encrypted":
        raise Encrypted(said.get("why", "it is encrypted"))
    if answer == "unknown":
        raise Unscannable(said.get("why", "it cannot be looked into"))
    raise CouldNotScan(f"the engine said {answer!r}")


@implementer(IStage)
@define(eq=False)
class VirusStage:
    """
    Has every message scanned, once (S4 to S6).

    @ivar max_size: octets; a larger message is not sent to the scanner, which
        would not take it, but is reported as unscanned.
    @ivar proven: the scanner found the test virus; as long as it did not, it
        is tested before a message, and "clean" is not believed.
    @ivar poison: the messages that it fails on although it works; they are
        reported as unscanned after some tries, so that somebody sees them.
    """

    name: ClassVar[str] = "virus"

    scanner: Scanner
    max_size: int = 26_214_400
    proven: bool = False
    poison: Poison = field(factory=Poison)
    _waiting: "list[Deferred[bool]]" = field(factory=list, init=False)

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Report VIRUS_CLEAN, VIRUS_FOUND or VIRUS_UNSCANNED; else fail."""
        size = transaction.body.size
        if size > self.max_size:
            why = f"{size} octets, larger than the scanner takes ({self.max_size})"
            return succeed(_unscanned(why))
        if self.proven:
            return self._scan(transaction)
        return self._proof().addCallback(self._proved, transaction)

    def _scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        if self.poison.hopeless(transaction):
            return succeed(_unscanned("the scanner failed on it, each time"))
        said = self.scanner.scan(transaction.body)
        found = said.addCallbacks(
            _report, _unscannable, callbackArgs=(_doubt(transaction.header),)
        )
        return found.addErrback(self.blame, transaction)

    def blame(self, failure: Failure, transaction: Transaction) -> Failure:
        """Was it the scanner or the message?  Whoever waits does not for this."""
        self._proof().addCallback(self._blamed, transaction)
        return failure

    def _blamed(self, proven: bool, transaction: Transaction) -> None:
        if proven:
            self.poison.failed(transaction)

    def _proved(
        self, proven: bool, transaction: Transaction
    ) -> Deferred[Sequence[Finding]]:
        if not proven:
            raise CouldNotScan("the scanner does not find the test virus")
        return self._scan(transaction)

    def _proof(self) -> Deferred[bool]:
        """One test for all who wait for it."""
        waiter: Deferred[bool] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        if len(self._waiting) == 1:
            self.self_test().addBoth(self._tell)
        return waiter

    def _tell(self, passed: "bool | Failure") -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(passed is True)

    def self_test(self) -> Deferred[bool]:
        """
        Whether the test virus is found and a clean message is not.

        A scanner without its signatures, or without a folder for its
        temporary files, finds nothing and says so nowhere.
        """
        return Deferred.fromCoroutine(self._self_test())

    async def _self_test(self) -> bool:
        try:
            found = await self.scanner.scan(_message(test_virus()))
            clean = await self.scanner.scan(_message(b"Nothing to see here."))
        except (CouldNotScan, Unscannable, OSError):
            # It says of every message that it cannot, too: nothing is passed.
            return False
        self.proven = bool(found) and not clean
        return self.proven


def _message(content: bytes) -> Body:
    """A message with one attachment, as a scanner meets it in life."""
    data = (
        b"From: <>\r\nSubject: self-test\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n"
    )
    return Body(len(data), data)


#: RFC 2046 §5.2.2 and §5.2.3: the rest of it is elsewhere.
_PIECES = ("message/partial", "message/external-body")

#: What tells a reader how to read the body.
_HOW = ("content-type", "content-transfer-encoding")


def _doubt(header: Header) -> str:
    """
    Why a scanner that finds nothing has not seen what a reader would see.

    A piece of a message is put together behind it, and of two types or two
    encodings it believed one.
    """
    kind = header.first("content-type")[:1000]
    if b"message" in kind.lower() and read_parameters(kind).word in _PIECES:
        return "it is not all of a message"
    for name in _HOW:
        if f"duplicate-{name}" not in header.defects:
            continue
        if len({field.value.strip().lower() for field in header.all(name)}) > 1:
            return f"it has more than one {name}"
    return ""


def _report(name: str, doubt: str = "") -> Sequence[Finding]:
    if not name and doubt:
        return _unscanned(doubt)
    if not name:
        return (Finding("virus", "VIRUS_CLEAN", Result.PASS, reason="no virus found"),)
    return infected(name)


def infected(name: str) -> Sequence[Finding]:
    """A virus of that name was found."""
    why = "contains a virus"
    found = evidence(name=name[:200])
    return (Finding("virus", "VIRUS_FOUND", Result.FAIL, None, why, found),)


def encrypted(what: str) -> Sequence[Finding]:
    """Nobody can look into it without a password."""
    why = f"not known: encrypted ({what[:200]})"
    return (Finding("virus", ENCRYPTED, Result.SUSPECT, None, why),)


def _unscanned(why: str) -> Sequence[Finding]:
    return (Finding("virus", "VIRUS_UNSCANNED", Result.SUSPECT, None, why),)


def _unscannable(failure: Failure) -> Sequence[Finding]:
    failure.trap(Unscannable)
    why = failure.getErrorMessage()[:200]
    return _unscanned(why) if failure.check(Encrypted) is None else encrypted(why)
