"""What is on the disk, and who serves it: delivery too, which begins and ends there."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from attrs import frozen
from twisted.application.service import IService

from smfd.config.schema import Config
from smfd.control.counters import quota
from smfd.control.quota import Quota
from smfd.control.reputation_settings import Reputation, reputation
from smfd.delivery.ageing import Ageing, ageing, paced
from smfd.delivery.leftovers import Leftovers
from smfd.delivery.maildir import MaildirDestination
from smfd.delivery.onward import Onward, onward
from smfd.delivery.quarantine import QuarantineDestination
from smfd.delivery.retention import Retention
from smfd.delivery.runner import Runner
from smfd.delivery.signer import Signer
from smfd.store.annex import Annex
from smfd.store.directory import Directory
from smfd.store.directory_dkim import DKIMKeys
from smfd.store.ledger import FILE, Ledger
from smfd.store.maillog import MailLog
from smfd.store.queue import Queue
from smfd.store.reader import Reader
from smfd.store.search import Search
from smfd.store.search_index import LedgerRecords
from smfd.store.spool import Spool


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
    quota: Quota
    signer: Signer
    reputation: Reputation

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
        yield from self.reputation.services()

    def keepers(self) -> Sequence[IService]:
        """Those of them that end last: they keep what the others find out."""
        opinion = self.reputation
        counters = IService(self.quota.counters)
        return self.directory, counters, opinion.file, opinion.deliverability


def stock(config: Config, reactor: Any) -> Stock:
    """As the settings have it, not yet started."""
    home, tag = config.home, config.recipients.delimiter
    ledger = Ledger(home, reactor, reactor)
    queue, maillog = Queue(ledger), _maillog(config, reactor)
    directory = Directory(home / "directory.db", reactor, delimiter=tag)
    counted = quota(config, directory, queue, reactor)
    opinion = reputation(config, counted.bounced, reactor)
    known = opinion.deliverability
    asked = known.note, known.paces, queue.route_of, ledger.settle
    beyond = onward(config, directory, reactor, maillog, *asked)
    annex = Annex(reactor, home / "annex.lock")
    maildir = MaildirDestination(home, config.hostname, annex.desk("maildir"))
    quarantine = QuarantineDestination(home, annex.desk("quarantine"))
    near, far = (maildir, quarantine), beyond.destinations
    spool = _spool(config, reactor)
    make = partial(paced(config), elsewhere=far, queue=queue)
    runner = make(ledger, spool, near, Leftovers(spool, quarantine), reactor)
    beyond.heed(queue)
    return Stock(
        annex,
        ledger,
        Reader(home, reactor),
        directory,
        spool,
        runner,
        Retention(ledger, quarantine),
        _search(config, annex, reactor),
        maillog,
        near,
        beyond,
        ageing(config, runner, far, reactor),
        counted,
        Signer(DKIMKeys(directory), reactor, config.dkim.sign),
        opinion,
    )


def _spool(config: Config, reactor: Any) -> Spool:
    home, inline = config.home / "spool", config.store.inline
    free = config.store.minimum_free
    return Spool(home, reactor, reactor, inline=inline, minimum_free=free)


def _search(config: Config, annex: Annex, reactor: Any) -> Search:
    home, days = config.home, config.store.retention_days
    records, desk = LedgerRecords(home / FILE), annex.desk("search")
    return Search(home, records, desk, reactor, retention=days)


def _maillog(config: Config, reactor: Any) -> MailLog:
    mail = config.log.mail
    return MailLog(None if mail == "-" else config.resolve(mail), reactor)
