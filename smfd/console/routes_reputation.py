"""What can be asked of our reputation."""

from smfd.console.fields import PAGE, TEXT, Field
from smfd.console.router import Route
from smfd.control import dmarc, reputation, suppressions, tls

ROUTES = (
    Route(
        "GET",
        "/v1/reputation",
        reputation.show,
        query={"domain": TEXT, "days": Field("integer")},
    ),
    Route(
        "GET",
        "/v1/dmarc/{name}",
        dmarc.show,
        query={"days": Field("integer"), **PAGE},
    ),
    Route(
        "GET",
        "/v1/tls/{name}",
        tls.show,
        query={"days": Field("integer"), **PAGE},
    ),
    Route(
        "GET",
        "/v1/suppressions",
        suppressions.page,
        query={"domain": TEXT, "search": TEXT, **PAGE},
    ),
    Route("DELETE", "/v1/suppressions/{domain}/{recipient}", suppressions.remove),
)
