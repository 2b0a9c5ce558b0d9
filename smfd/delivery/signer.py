"""
Puts DKIM signatures on what leaves the house, once, when it is accepted.

Nothing is changed afterwards: a retry and a copy have the signature they were
given.  Only what was held is signed anew when it is let go: see L{Renewal
<smfd.delivery.renewal.Renewal>}.  The arithmetic is done in a thread; whoever
comes while it is busy is served with all others who wait, at one go.

Standards: RFC 6376 §5, RFC 7489 §3.1 (d= is the domain of From).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from attrs import evolve, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from smfd.content.arc_seal import Seal
from smfd.content.canonical import Fields
from smfd.content.dkim_key import make_keys
from smfd.content.dkim_sign import Draft, body_hash, fields_of
from smfd.format.header import Header, read_header
from smfd.model.dkim import NewKey, SigningKey
from smfd.model.entry import REMOTE, Entry
from smfd.model.transaction import Body
from smfd.policy.lists import parse_domain
from smfd.store.directory_dkim import DKIMKeys
from smfd.store.threads import Threads

T = TypeVar("T")

#: Octets of a large body that are read at a time.
_PIECE = 262_144

#: Where mail ends that does not leave.
_HERE = "maildir"

Keys = Sequence[SigningKey]


@frozen
class _Job:
    """
    One message to be signed.

    @ivar results: what its seal says, if it is to be sealed; else "".
    """

    entry: Entry
    header: Header
    keys: Keys
    at: float
    results: str = ""

    def signatures(self) -> bytes:
        """The fields; blocks."""
        entry = self.entry
        fields = Fields(fields_of(entry.top, self.header, entry.cuts))
        if self.results:
            key, digest = self.keys[0], self._body_hash()
            return Seal(fields, self.results, digest, key, self.at).made()
        return Draft(fields, self._body_hash(), self.at).sign(self.keys)

    def _body_hash(self) -> bytes:
        return body_hash(_pieces(self.entry.body, self.header.size))


class Signer(Service):
    """
    Signs for the domains that have keys.

    @ivar signs: whether anything is signed.
    """

    def __init__(self, keys: DKIMKeys, reactor: Any, signs: bool = True) -> None:
        """
        @param reactor: its time is the time of signatures.
        """
        self.signs = signs
        self._keys = keys
        self._reactor = reactor
        # Two: a large message takes as long as a thousand small ones.
        self._hands = Threads(reactor, "dkim", most=2)
        self._makers = Threads(reactor, "dkim-keys")
        self._waiting: list[tuple[_Job, Deferred[bytes]]] = []
        self._busy = False

    def startService(self) -> None:
        """Begin."""
        self._hands.start()
        self._makers.start()
        super().startService()

    def stopService(self) -> None:
        """Finish what is under way."""
        super().stopService()
        self._hands.stop()
        self._makers.stop()

    def make(self) -> Deferred[tuple[NewKey, ...]]:
        """A pair of new keys."""
        return self._makers.run(make_keys)

    def beside(self, function: Callable[..., T], *args: object) -> Deferred[T]:
        """Call what blocks for a moment, where keys are made."""
        return self._makers.run(function, *args)

    async def signed(self, entry: Entry, header: Header | None = None) -> Entry:
        """
        The same with signatures on top, if it leaves and its author's domain
        has keys.

        @param header: that of its body; needed if that is a file.
        """
        if not self.signs or not _leaves(entry):
            return entry
        if header is None:
            header = read_header(entry.body.data or b"")
        keys = await self._keys_of(header)
        if not keys:
            return entry
        job = _Job(entry, header, keys, self._reactor.seconds())
        return evolve(entry, top=await self._signatures(job) + entry.top)

    async def sealed(self, entry: Entry, header: Header, results: str) -> Entry:
        """
        The same with a seal on top of it, for those to whom it is forwarded.

        @param results: what we found, as Authentication-Results has it; "" when
            we have nothing to say.
        """
        domain = _forwards(entry)
        if not (self.signs and domain and results):
            return entry
        keys = [key for key in await self._keys.signing(domain) if key.is_rsa]
        if not keys:
            return entry
        job = _Job(entry, header, keys, self._reactor.seconds(), results)
        return evolve(entry, top=await self._signatures(job) + entry.top)

    async def _keys_of(self, header: Header) -> Keys:
        name = _domain(header)
        return await self._keys.signing(name) if name else ()

    def _signatures(self, job: _Job) -> Deferred[bytes]:
        if job.entry.body.data is None:
            return self._hands.run(job.signatures)
        d: Deferred[bytes] = Deferred()
        self._waiting.append((job, d))
        if not self._busy:
            self._begin()
        return d

    def _begin(self) -> None:
        """Sign for all who wait."""
        self._busy = True
        batch, self._waiting = self._waiting, []
        d = self._hands.run(_all, [job.signatures for job, _ in batch])
        d.addBoth(self._done, [waiting for _, waiting in batch])

    def _done(
        self, said: "list[bytes | Failure] | Failure", batch: list[Deferred[bytes]]
    ) -> None:
        self._busy = False
        if self._waiting:
            self._begin()
        answers = [said] * len(batch) if isinstance(said, Failure) else said
        for answer, waiting in zip(answers, batch, strict=True):
            waiting.callback(answer)


def _all(acts: Sequence[Callable[[], bytes]]) -> "list[bytes | Failure]":
    """What each comes to; one that fails is no other's trouble."""
    found: list[bytes | Failure] = []
    for act in acts:
        try:
            found.append(act())
        except Exception:
            found.append(Failure())
    return found


def _leaves(entry: Entry) -> bool:
    """Whether some of it goes to others, or is held and may."""
    return any(recipient.destination != _HERE for recipient in entry.recipients)


def _forwards(entry: Entry) -> str:
    """The domain that forwards it to the world; or ""."""
    return next(
        (one.keeper for one in entry.recipients if one.destination == REMOTE), ""
    )


def _domain(header: Header) -> str:
    """Whose mail it says it is, as the directory has names; or ""."""
    name = (header.author or "").rpartition("@")[2].lower()
    if name.isascii():
        return name
    try:
        return parse_domain(name)
    except ValueError:
        return ""


def _pieces(body: Body, start: int) -> Iterator[bytes]:
    """
    A body behind its header; blocks.

    @raise OSError: it cannot be read, or is shorter than it was.
    """
    if body.data is not None:
        yield body.data[start:]
        return
    left = body.size - start
    with open(body.path, "rb", buffering=0) as file:
        file.seek(start, os.SEEK_SET)
        while left > 0:
            piece = file.read(min(_PIECE, left))
            if not piece:
                raise OSError(f"{body.path} is shorter than it was")
            left -= len(piece)
            yield piece
