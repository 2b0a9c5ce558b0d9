"""What the use cases work with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen
from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime

from smfd.control.passwords import Passwords
from smfd.control.pulse import Pulse
from smfd.control.quota import Quota
from smfd.control.reputation_settings import Reputation
from smfd.control.rotation import Rotation, Terms
from smfd.control.selftest import SelfTest
from smfd.delivery.rehearsal import Rehearsal
from smfd.delivery.signer import Signer
from smfd.interfaces import IStage
from smfd.model.entry import Entry
from smfd.net.dns import Lookup
from smfd.net.https import HTTPS
from smfd.policy.dns_site import Service
from smfd.scan.pool import Pool
from smfd.scan.source_known import Sources
from smfd.store.directory import Directory
from smfd.store.directory_dkim import DKIMKeys
from smfd.store.directory_entries import Lists
from smfd.store.directory_groups import Groups
from smfd.store.directory_passwords import Keys
from smfd.store.directory_policies import Policies
from smfd.store.ledger import Ledger
from smfd.store.queue import Queue
from smfd.store.reader import Reader
from smfd.store.search import Search
from smfd.store.spool import Spool

#: Writes to addresses: about what, in a word and a name; subject; text.
Letters = Callable[[Sequence[str], str, str, str], object]


@frozen
class Actor:
    """
    Who asks.

    @ivar name: C{uid:NAME} for an owner of the control socket, else an
        address.
    @ivar role: "operator": the only one so far.
    """

    name: str
    role: str = "operator"


class Load(Protocol):
    """
    How near the front door is to its limits.

    @ivar on: so near that the slow make room.
    @ivar times: how often that began.
    """

    on: bool
    times: int

    @property
    def connected(self) -> int:
        """How many connections there are."""

    def look(self) -> None:
        """See how it stands."""


@frozen
class Facts:
    """
    What does not change while the daemon runs.

    @ivar engine: the virus engine: "clamd", "builtin" or "" for none.
    @ivar off: everything protective that is switched off, a sentence each.
    @ivar started: seconds since the epoch.
    @ivar certificate: the file of the certificate of STARTTLS, or "".
    @ivar sources: the addresses that mail goes out from, where they are named,
        and what we call ourselves there, or "".
    @ivar reports_to: the address that others' reports are read at, or "".
    @ivar reporters: the settings that name whom our reports to others come
        from, each with the address.
    @ivar threshold: the score at which mail is spam, where a domain says none.
    @ivar keys: how old the keys become that mail is signed with.
    @ivar services: what mail programs find, here and elsewhere.
    """

    hostname: str
    version: str
    started: float
    engine: str
    off: tuple[str, ...] = ()
    threshold: float = 5.0
    certificate: str = ""
    sources: tuple[tuple[str, str], ...] = ()
    reports_to: str = ""
    reporters: tuple[tuple[str, str], ...] = ()
    keys: Terms = Terms()
    services: tuple[Service, ...] = ()


@frozen
class House:
    """
    Everything a use case may need.

    @ivar take: gives a committed entry to the runner.
    @ivar virus: the virus stage; None when the settings leave it out.
    @ivar self_test: tests it; None likewise.
    @ivar load: of the front door.
    @ivar sources: what is known of those who connect.
    @ivar quota: what our users may send, and who is held.
    @ivar workers: look into messages; None when nobody does.
    @ivar signer: signs what leaves, and makes keys; None: nobody does.
    @ivar resolver: looks things up.
    @ivar https: asks web servers.
    @ivar rehearsal: goes the way of mail to others; None: none leaves.
    @ivar reputation: what others think of our mail.
    @ivar queue: of mail that waits, as operators touch it.
    @ivar keys: what people log in with.
    @ivar dkim: the keys that mail is signed with.
    @ivar lists: who is allowed, and who blocked.
    @ivar rotation: looks after them; None where nothing is signed or looked up.
    @ivar log_out: ends the sessions of an account; how many there were.
    @ivar write: writes to people of ours; see
        L{Notices.send <smfd.smtpd.notices.Notices.send>}.
    @ivar home: the folder that paths in the ledger are relative to.
    """

    home: str
    directory: Directory
    ledger: Ledger
    reader: Reader
    search: Search
    spool: Spool
    passwords: Passwords
    take: Callable[[Entry], object]
    virus: IStage | None
    clock: IReactorTime
    ids: Callable[[], str]
    facts: Facts
    pulse: Pulse | None = None
    self_test: SelfTest | None = None
    load: Load | None = None
    log_out: Callable[[str], int] = lambda account: 0
    write: Letters = lambda to, matter, subject, text: None
    sources: Sources | None = None
    quota: Quota | None = None
    reputation: Reputation | None = None
    workers: Pool | None = None
    queue: Queue | None = None
    signer: Signer | None = None
    resolver: Lookup | None = None
    https: HTTPS | None = None
    rehearsal: Rehearsal | None = None
    groups: Groups = field(init=False)
    policies: Policies = field(init=False)
    keys: Keys = field(init=False)
    dkim: DKIMKeys = field(init=False)
    lists: Lists = field(init=False)
    rotation: Rotation | None = field(init=False)

    @groups.default
    def _its_groups(self) -> Groups:
        return Groups(self.directory)

    @policies.default
    def _its_policies(self) -> Policies:
        return Policies(self.directory)

    @keys.default
    def _its_keys(self) -> Keys:
        return Keys(self.directory)

    @lists.default
    def _its_lists(self) -> Lists:
        return Lists(self.directory)

    @dkim.default
    def _its_signatures(self) -> DKIMKeys:
        return DKIMKeys(self.directory)

    @rotation.default
    def _their_turn(self) -> Rotation | None:
        if self.signer is None or self.resolver is None:
            return None
        terms = self.facts.keys
        return Rotation(self.dkim, self.signer, self.resolver, self.clock, terms)

    def services(self) -> Iterator[IService]:
        """Those that only the use cases need, not started."""
        yield self.passwords
        if self.pulse is not None:
            yield self.pulse
        if self.self_test is not None:
            yield self.self_test
        if self.rotation is not None:
            yield self.rotation
        if self.reputation and self.workers and self.quota:
            yield from self.reputation.readers(
                self.workers,
                self.directory.is_hosted,
                self.reader.record,
                self.quota.complained,
            )


Document = Mapping[str, Any]
