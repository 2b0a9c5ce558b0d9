"""The mailboxes that programs of ours read, and who reads them."""

from collections.abc import Callable
from typing import Any

from attrs import frozen

from smfd.control.report_mail import Act, ReportMail
from smfd.scan.pool import Pool
from smfd.store.letters import Letters
from smfd.store.reputation_file import ReputationFile
from smfd.store.threads import Threads


@frozen
class Mailboxes:
    """
    Where reports come to.

    @ivar root: the folder of all mailboxes.
    @ivar reports_to: the address for DMARC reports, or "".
    @ivar complaints_to: that for complaints, or "".
    """

    file: ReputationFile
    root: str
    hostname: str
    reports_to: str
    complaints_to: str
    reactor: Any

    def reader(
        self, address: str, workers: Pool, job: str, made: Callable[[Letters], Act]
    ) -> ReportMail:
        """
        Who reads one of them; a service, not yet started.

        @param job: the worker's.
        @param made: what is done with the worker's words.
        """
        hands = Threads(self.reactor, job)
        letters = Letters(self.file, hands, self.root, address)
        return ReportMail(
            letters,
            hands,
            workers,
            job,
            {"hostname": self.hostname},
            made(letters),
            self.reactor,
        )
