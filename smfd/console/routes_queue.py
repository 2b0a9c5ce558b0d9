"""What can be asked of mail that waits, and done to it."""

from smfd.console.fields import FLAG, NEEDED, PAGE, TEXT
from smfd.console.router import Route
from smfd.control import queue, queue_sites

_WHICH = {
    "site": TEXT,
    "sender": TEXT,
    "recipient": TEXT,
    "account": TEXT,
    "older": TEXT,
}
_LIMIT = {"limit": PAGE["limit"]}
_ALL = {"yes": FLAG, "reason": TEXT}
_ACT = {"id": TEXT, **_WHICH, "everything": FLAG, **_ALL}

ROUTES = (
    Route(
        "GET",
        "/v1/queue",
        queue.page,
        query={**_WHICH, "state": TEXT, "after": TEXT, **_LIMIT},
    ),
    Route("GET", "/v1/queue/{id}", queue.show),
    Route("POST", "/v1/queue/retry", queue.retry, body=_ACT),
    Route("POST", "/v1/queue/hold", queue.hold, body=_ACT),
    Route("POST", "/v1/queue/resume", queue.resume, body=_ACT),
    Route("POST", "/v1/queue/fail", queue.fail, body=_ACT),
    Route("POST", "/v1/queue/drop", queue.drop, body=_ACT),
    Route("GET", "/v1/sites", queue_sites.page, query=_LIMIT),
    Route("POST", "/v1/sites/{site}/hold", queue_sites.hold, body=_ALL),
    Route("POST", "/v1/sites/{site}/resume", queue_sites.resume, body=_ALL),
    Route(
        "POST",
        "/v1/sites/{site}/reroute",
        queue_sites.reroute,
        body={"to": NEEDED, **_ALL},
    ),
)
