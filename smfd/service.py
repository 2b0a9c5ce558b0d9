"""
Settings in, services out.

The only module that knows every other; nothing imports it but twistd's plug-in
and smfdctl.
"""

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from smfd.config.schema import Config
from smfd.console.api import API
from smfd.control.facts import facts
from smfd.control.house import House
from smfd.control.housekeeping import Housekeeping
from smfd.control.passwords import Passwords
from smfd.control.pulse import Pulse
from smfd.control.selftest import SelfTest
from smfd.control.stock import Stock, stock
from smfd.net.descriptors import raise_limit
from smfd.net.dns_afresh import Afresh
from smfd.net.hangup import Hangup, read_again
from smfd.net.systemd import READY, STOPPING, notify
from smfd.scan.stages import Scan, stages
from smfd.scan.virus import VirusStage
from smfd.smtpd.accept import Acceptance
from smfd.smtpd.counting import stress_limits
from smfd.smtpd.entrance import acceptance, back, front
from smfd.smtpd.guarded import Guarded
from smfd.smtpd.mx import MX
from smfd.smtpd.opening import Doors, make_doors
from smfd.smtpd.tls_reports import reports
from smfd.smtpd.users import submission
from smfd.store.history import Shelf
from smfd.store.history_file import FILE as SOURCES
from smfd.store.history_file import HistoryFile
from smfd.store.homes import Homes
from smfd.store.ids import new_id
from smfd.store.ledger import AlreadyRunning, LedgerTrouble
from smfd.store.phased import Phased
from smfd.store.schema import WrongVersion

log = Logger()


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
    kept = stock(config, reactor)
    hands = kept.annex.desk("clamd", config.virus.connections)
    scan = stages(config, kept.directory, hands, reactor)
    stress, ids = stress_limits(config, raise_limit()), partial(_new_id, reactor)
    behind = acceptance(config, kept, scan, ids, reactor)
    world = front(config, behind, ids, stress.capacity)
    passwords = Passwords(reactor, config.login.threads, config.login.waiting)
    homes = Homes(Shelf(config.login.remembered))
    doors = make_doors(
        config,
        Guarded(world, behind.gates),
        back(config, world, behind),
        submission(
            config, world, behind, kept.quota, passwords, homes, kept.reputation
        ),
        stress,
        ids,
        reactor,
    )
    house = _house(config, kept, scan, doors, passwords, behind, world)
    reception = doors.reception(config)
    shelves = {**scan.sources.shelves, "homes": homes.shelf}
    services = (
        *kept.services(),
        world.recorder.repeats,
        *reports(config, behind, kept, ids, reactor),
        HistoryFile(config.home / SOURCES, reactor, reactor, shelves),
        *scan.services,
        *house.services(),
        Housekeeping(kept.retention, kept.search, reactor, config.store.retention_days),
        API(house, config.resolve(config.control.socket), reactor),
        Hangup(reactor, partial(read_again, doors.tls)),
        reception,
    )
    root = Daemon(services, reception, kept.keepers())
    reactor.callWhenRunning(_ready)
    return root


def _new_id(reactor: Any) -> str:
    return new_id(reactor.seconds())


def _check(directory: Path) -> None:
    """An empty one in its place would refuse everybody's mail, for good."""
    if not directory.exists():
        raise SystemExit(
            f"smfd: cannot start: {directory} is missing. Restore it from a backup, "
            "or make a new home with smfdctl init."
        )


def _house(
    config: Config,
    kept: Stock,
    scan: Scan,
    doors: Doors,
    passwords: Passwords,
    behind: Acceptance,
    world: MX,
) -> House:
    virus = scan.stages.get("virus")
    tested = SelfTest(virus, world.clock) if isinstance(virus, VirusStage) else None
    return House(
        home=str(config.home),
        directory=kept.directory,
        ledger=kept.ledger,
        reader=kept.reader,
        search=kept.search,
        spool=kept.spool,
        passwords=passwords,
        take=kept.runner.take,
        virus=scan.virus,
        clock=world.clock,
        ids=world.ids,
        facts=facts(config, config.virus.engine if virus else ""),
        pulse=Pulse(world.clock),
        self_test=tested,
        load=doors.front.stress,
        log_out=doors.users.connections.log_out,
        write=behind.policed.notices.send,
        sources=scan.sources,
        quota=kept.quota,
        workers=scan.workers,
        queue=kept.runner.queue,
        signer=kept.signer,
        resolver=Afresh(scan.resolver),
        https=kept.onward.tls.https,
        rehearsal=kept.onward.rehearsal,
        reputation=kept.reputation,
    )


class Daemon(Phased):
    """Everything; what keeps it from starting is said in a sentence."""

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

    def stopService(self) -> "Deferred[None]":
        """Finish what is under way, then stop all that it needs."""
        notify(STOPPING)
        return super().stopService()


def _ready() -> None:
    log.info("smfd ready")
    notify(READY)
