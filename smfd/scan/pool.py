"""What a stage needs of the worker processes."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from smfd.model.transaction import Body


class Pool(Protocol):
    """Whoever does the jobs: L{Workers <smfd.scan.workers.Workers>}."""

    def submit(self, job: str, body: Body, arguments: dict[str, Any]) -> Deferred[Any]:
        """Have a job done; fires with what it answers."""
