"""What others think of our mail, as the settings have it."""

from collections.abc import Callable, Iterator
from datetime import date
from ipaddress import ip_address
from typing import Any

from attrs import frozen
from twisted.application.service import IService
from twisted.internet.defer import Deferred

from smfd.config.reputation import Reputation as Settings
from smfd.config.schema import Config
from smfd.control.complaints import Complaints
from smfd.control.deliverability import Deliverability, Terms
from smfd.control.listings import Listings
from smfd.control.mailboxes import Mailboxes
from smfd.control.received_reports import ReceivedReports
from smfd.control.report_mail import Act
from smfd.net.dns import resolver
from smfd.policy.paces import Paces
from smfd.policy.providers import PROVIDERS, Provider, Providers
from smfd.policy.warm_up import WarmUp
from smfd.scan.pool import Pool
from smfd.store.deliveries import Deliveries
from smfd.store.dmarc_reports import DMARCReports
from smfd.store.letters import Letters
from smfd.store.reputation_file import FILE, ReputationFile
from smfd.store.suppressions import Suppressions
from smfd.store.tls_received import TLSReceived


@frozen
class Reputation:
    """
    All that knows what others think of us.

    @ivar deliverability: told of each try (C{note}), asked before one
        (C{paces.pause}, C{refusal}).
    @ivar listings: look our addresses up.
    @ivar reports: the DMARC reports that came; C{tls}: those on TLS.
    """

    file: ReputationFile
    deliverability: Deliverability
    listings: Listings
    reports: DMARCReports
    tls: TLSReceived
    mail: Mailboxes

    def services(self) -> Iterator[IService]:
        """In the order in which they start."""
        yield self.file
        yield self.deliverability
        yield self.listings

    def readers(
        self,
        workers: Pool,
        is_hosted: Callable[[str], Deferred[bool]],
        record: Callable[[str], Deferred[dict[str, Any] | None]],
        held: Callable[[str], Deferred[Any]],
    ) -> Iterator[IService]:
        """
        Who reads the reports that come by mail.

        @param is_hosted: whether a domain is ours.
        @param record: finds the record of a message.
        @param held: counts a complaint of what an account sent.
        """
        mail, tell = self.mail, self.deliverability.complained

        def dmarc(letters: Letters) -> Act:
            kept = self.reports, self.tls
            hands = letters.hands
            return ReceivedReports(*kept, is_hosted, mail.reactor, hands).take

        def complaint(letters: Letters) -> Act:
            return Complaints(record, letters.first, tell, held).take

        if mail.reports_to:
            yield mail.reader(mail.reports_to, workers, "dmarc", dmarc)
        if mail.complaints_to:
            yield mail.reader(mail.complaints_to, workers, "complaint", complaint)


def reputation(
    config: Config,
    bounced: Callable[[str, int], Deferred[Any]],
    reactor: Any,
) -> Reputation:
    """
    Everything of it, not yet started.

    @param bounced: see L{Deliverability}.
    """
    settings, home = config.reputation, config.home
    file = ReputationFile(home / FILE, reactor)
    return Reputation(
        file,
        Deliverability(
            Deliveries(file, settings.keep_days),
            Suppressions(file),
            _paces(settings, reactor),
            reactor,
            Terms(settings.suppress, settings.suppress_days * 86_400.0),
            bounced,
        ),
        Listings(
            resolver(config.dns, reactor),
            reactor,
            config.hostname,
            _addresses(config),
            tuple(zone.rstrip(".").lower() for zone in settings.lists),
        ),
        DMARCReports(file),
        TLSReceived(file),
        Mailboxes(
            file,
            str(home / "mail"),
            config.hostname,
            settings.reports_to.lower(),
            settings.complaints_to.lower(),
            reactor,
        ),
    )


def _addresses(config: Config) -> dict[str, str]:
    """Ours, and what we call ourselves there."""
    hellos = {
        one.address: one.hello.rstrip(".").lower() or config.hostname
        for one in config.relay.source
    }
    named = config.reputation.addresses or hellos
    return {address: hellos.get(address, config.hostname) for address in named}


def _paces(settings: Settings, reactor: Any) -> Paces:
    own = tuple(
        Provider(
            one.name,
            tuple(host.rstrip(".").lower() for host in one.hosts),
            one.connections,
            one.per_minute,
        )
        for one in settings.provider
    )
    epoch = date(1970, 1, 1)
    since = {
        str(ip_address(one.address)): (date.fromisoformat(one.since) - epoch).days
        for one in settings.warm_up
    }
    return Paces(
        reactor.seconds,
        Providers((*PROVIDERS, *own)),
        WarmUp(since, settings.warm_up_first),
        settings.slow_down,
    )
