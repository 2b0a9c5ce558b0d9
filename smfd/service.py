"""
Settings in, services out.

The only module that knows every other; nothing imports it but twistd's plug-in
and smfdctl.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger

from smfd.config.schema import Config
from smfd.console.api import API
from smfd.control.counters import quota
from smfd.control.facts import facts
from smfd.control.house import House
from smfd.control.housekeeping import Housekeeping
from smfd.control.passwords import Passwords
from smfd.control.pulse import Pulse
from smfd.control.quota import Quota
from smfd.control.reputation_settings import Reputation, reputation
from smfd.control.selftest import SelfTest
from smfd.delivery.ageing import Ageing, ageing, paced
from smfd.delivery.leftovers import Leftovers
from smfd.delivery.maildir import MaildirDestination
from smfd.delivery.onward import Onward, onward
from smfd.delivery.quarantine import QuarantineDestination
from smfd.delivery.retention import Retention
from smfd.delivery.runner import Runner
from smfd.delivery.signer import Signer
from smfd.net.descriptors import raise_limit
from smfd.net.dns_afresh import Afresh
from smfd.net.hangup import Hangup, read_again
from smfd.net.systemd import READY, STOPPING, notify
from smfd.policy.networks import networks
from smfd.scan.stages import Scan, chain, policy, stages
from smfd.scan.virus import VirusStage
from smfd.smtpd.accept import Acceptance
from smfd.smtpd.counting import limits_gate, stress_limits
from smfd.smtpd.custody import Custody
from smfd.smtpd.guarded import Gates, Guarded
from smfd.smtpd.lmtp import LMTP
from smfd.smtpd.mx import MX
from smfd.smtpd.opening import Doors, make_doors
from smfd.smtpd.policed import Policed
from smfd.smtpd.reception import Reception
from smfd.smtpd.recipients import recipients
from smfd.smtpd.recorder import Recorder
from smfd.smtpd.repeats import Repeats
from smfd.smtpd.source_gate import source_gate
from smfd.smtpd.tls_reports import reports
from smfd.smtpd.trace import Tracer
from smfd.smtpd.users import submission
from smfd.store.annex import Annex
from smfd.store.directory import Directory
from smfd.store.directory_dkim import DKIMKeys
from smfd.store.history import Shelf
from smfd.store.history_file import FILE as SOURCES
from smfd.store.history_file import HistoryFile
from smfd.store.homes import Homes
from smfd.store.ids import new_id
from smfd.store.ledger import FILE, AlreadyRunning, Ledger, LedgerTrouble
from smfd.store.maillog import MailLog
from smfd.store.queue import Queue
from smfd.store.reader import Reader
from smfd.store.schema import WrongVersion
from smfd.store.search import Search
from smfd.store.search_index import LedgerRecords
from smfd.store.spool import Spool

log = Logger()


@frozen
class Stock:
    """What is on the disk, and who serves it."""

    annex: Annex
    ledger: Ledger
    reader: Reader
    directory: Directory
    spool: Spool
    runner: Runner
    retention: Retention
    search: Search
    maillog: MailLog
    destinations: tuple[Any, ...]
    onward: Onward
    ageing: Ageing
    repeats: Repeats
    quota: Quota
    signer: Signer
    reputation: Reputation

    def __attrs_post_init__(self) -> None:
        self.onward.heed(self.runner.queue)

    def services(self) -> Iterator[IService]:
        """In the order in which they start."""
        yield self.maillog
        yield self.ledger
        yield self.annex
        yield self.reader
        yield self.directory
        yield IService(self.quota.counters)
        yield self.signer
        yield self.spool
        yield from self.destinations
        yield self.onward
        yield self.search
        yield self.runner
        yield self.ageing
        yield self.repeats
        yield from self.reputation.services()

    def recorder(self, clock: Any, gates: Gates) -> Recorder:
        """Writes down what comes in."""
        return Recorder(self.ledger, self.maillog, clock, gates, self.repeats)


def _stock(config: Config, reactor: Any) -> Stock:
    home = config.home
    ledger = Ledger(home, reactor, reactor)
    reader = Reader(home, reactor)
    inline, free = config.store.inline, config.store.minimum_free
    spool = Spool(home / "spool", reactor, reactor, inline=inline, minimum_free=free)
    annex = Annex(reactor, home / "annex.lock")
    maildir = MaildirDestination(home, config.hostname, annex.desk("maildir"))
    quarantine = QuarantineDestination(home, annex.desk("quarantine"))
    destinations = (maildir, quarantine)
    tag = config.recipients.delimiter
    directory = Directory(home / "directory.db", reactor, delimiter=tag)
    maillog, queue = _maillog(config, reactor), Queue(ledger)
    counted = quota(config, directory, queue, reactor)
    opinion = reputation(config, counted.bounced, reactor)
    tell, paces = (opinion.deliverability.note,), opinion.deliverability.paces
    asked = tell, paces, queue.route_of, ledger.settle
    beyond = onward(config, directory, reactor, maillog, *asked)
    others = beyond.destinations
    far = partial(paced(config), elsewhere=others, queue=queue)
    runner = far(ledger, spool, destinations, Leftovers(spool, quarantine), reactor)
    return Stock(
        annex,
        ledger,
        reader,
        directory,
        spool,
        runner,
        Retention(ledger, quarantine),
        _search(config, annex, reactor),
        maillog,
        destinations,
        beyond,
        ageing(config, runner, others, reactor),
        Repeats(reactor),
        counted,
        Signer(DKIMKeys(directory), reactor, config.dkim.sign),
        opinion,
    )


def _search(config: Config, annex: Annex, reactor: Any) -> Search:
    home, days = config.home, config.store.retention_days
    records, desk = LedgerRecords(home / FILE), annex.desk("search")
    return Search(home, records, desk, reactor, retention=days)


def _maillog(config: Config, reactor: Any) -> MailLog:
    mail = config.log.mail
    return MailLog(None if mail == "-" else config.resolve(mail), reactor)


def _front(
    config: Config, stock: Stock, scan: Scan, reactor: Any, capacity: int
) -> tuple[MX, Acceptance]:
    """The front door, and what lies behind it and the back door."""
    settings = config.mx
    spf = scan.stages.get("spf")
    gates = Gates(
        (
            limits_gate(config, reactor),
            source_gate(config.source, scan.sources, reactor, spf),
        )
    )
    recorder = stock.recorder(reactor, gates)
    acceptance = _acceptance(config, stock, scan, recorder, reactor)
    door = MX(
        config.hostname,
        stock.spool,
        recorder,
        acceptance,
        reactor,
        partial(_new_id, reactor),
        capacity,
        settings.connections_per_address,
        networks(settings.exempt),
    )
    return door, acceptance


def _acceptance(
    config: Config, stock: Stock, scan: Scan, recorder: Recorder, reactor: Any
) -> Acceptance:
    custody = Custody(
        stock.spool,
        stock.ledger,
        stock.runner,
        recorder,
        config.mx.header_size,
        config.mx.header_fields,
        stock.signer,
    )
    whose = recipients(config, stock.directory, reactor)
    ids = partial(_new_id, reactor)
    policed = Policed.of(custody, whose, config.hostname, ids, scan.workers)
    return Acceptance(
        custody,
        chain(config, scan, reactor),
        policy(config),
        stock.directory,
        whose,
        Tracer(config.hostname),
        reactor,
        recorder.gates,
        policed,
    )


def _back(config: Config, front: MX, acceptance: Acceptance) -> LMTP:
    """The same house from behind, where no gates stand."""
    recorder = evolve(front.recorder, gates=Gates())
    custody = evolve(acceptance.custody, recorder=recorder)
    return LMTP(
        config.hostname,
        front.spool,
        recorder,
        evolve(acceptance, custody=custody, gates=Gates()),
        front.clock,
        front.ids,
        connections=config.lmtp.connections,
        per_address=config.lmtp.connections,
        networks=networks(config.lmtp.networks),
    )


def _new_id(reactor: Any) -> str:
    return new_id(reactor.seconds())


def _house(
    config: Config,
    stock: Stock,
    scan: Scan,
    reactor: Any,
    doors: Doors,
    passwords: Passwords,
    acceptance: Acceptance,
) -> House:
    assert acceptance.policed is not None
    virus = scan.stages.get("virus")
    return House(
        home=str(config.home),
        directory=stock.directory,
        ledger=stock.ledger,
        reader=stock.reader,
        search=stock.search,
        spool=stock.spool,
        passwords=passwords,
        take=stock.runner.take,
        virus=scan.virus,
        clock=reactor,
        ids=partial(_new_id, reactor),
        facts=facts(config, config.virus.engine if virus else ""),
        pulse=Pulse(reactor),
        self_test=SelfTest(virus, reactor) if isinstance(virus, VirusStage) else None,
        load=doors.front.stress,
        log_out=doors.users.connections.log_out,
        write=acceptance.policed.notices.send,
        sources=scan.sources,
        quota=stock.quota,
        workers=scan.workers,
        queue=stock.runner.queue,
        signer=stock.signer,
        resolver=Afresh(scan.resolver),
        https=stock.onward.tls.https,
        rehearsal=stock.onward.rehearsal,
        reputation=stock.reputation,
    )


class Daemon(MultiService):
    """Everything; what keeps it from starting is said in a sentence."""

    def __init__(self, reception: Reception, services: Iterable[IService]) -> None:
        """
        @param reception: who is let in last and sent away first.
        @param services: in the order in which they start; it is one of them.
        """
        super().__init__()
        self._reception = reception
        for service in services:
            service.setServiceParent(self)

    def startService(self) -> None:
        """
        Start all.

        @raise SystemExit: somebody else serves this home, or its disk or
            databases cannot be used.
        """
        try:
            super().startService()
        except _TROUBLE as trouble:
            raise SystemExit(f"smfd: cannot start: {trouble}") from None

    def stopService(self) -> "Deferred[Any]":
        """Finish what is under way, then stop all that it needs."""
        notify(STOPPING)
        d = maybeDeferred(self._reception.stopService)
        d.addErrback(lambda failure: log.failure("the doors do not close", failure))
        return d.addCallback(lambda _: super(Daemon, self).stopService())


#: What keeps a home from being served.
_TROUBLE = (AlreadyRunning, LedgerTrouble, WrongVersion, sqlite3.Error, OSError)


def make_service(config: Config, reactor: Any) -> IService:
    """
    The whole daemon, not yet started.

    Services start in this order and stop in the other: what is on the disk
    outlives what writes to it.

    @raise SystemExit: there are no mailboxes, or the certificate cannot be used.
    """
    _check(config.home / "directory.db")
    stock = _stock(config, reactor)
    hands = stock.annex.desk("clamd", config.virus.connections)
    scan = stages(config, stock.directory, hands, reactor)
    stress = stress_limits(config, raise_limit())
    front, acceptance = _front(config, stock, scan, reactor, stress.capacity)
    passwords = Passwords(reactor, config.login.threads, config.login.waiting)
    homes = Homes(Shelf(config.login.remembered))
    doors = make_doors(
        config,
        Guarded(front, front.recorder.gates),
        _back(config, front, acceptance),
        submission(
            config, front, acceptance, stock.quota, passwords, homes, stock.reputation
        ),
        stress,
        front.ids,
        reactor,
    )
    house = _house(config, stock, scan, reactor, doors, passwords, acceptance)
    reception = doors.reception(config)
    shelves = {**scan.sources.shelves, "homes": homes.shelf}
    services = (
        *stock.services(),
        *reports(config, acceptance, stock, front.ids, reactor),
        HistoryFile(config.home / SOURCES, reactor, reactor, shelves),
        *scan.services,
        *house.services(),
        Housekeeping(
            stock.retention, stock.search, reactor, config.store.retention_days
        ),
        API(house, config.resolve(config.control.socket), reactor),
        Hangup(reactor, partial(read_again, doors.tls)),
        reception,
    )
    root = Daemon(reception, services)
    reactor.callWhenRunning(_ready)
    return root


def _check(directory: Path) -> None:
    """An empty one in its place would refuse everybody's mail, for good."""
    if not directory.exists():
        raise SystemExit(
            f"smfd: cannot start: {directory} is missing. Restore it from a backup, "
            "or make a new home with smfdctl init."
        )


def _ready() -> None:
    log.info("smfd ready")
    notify(READY)
