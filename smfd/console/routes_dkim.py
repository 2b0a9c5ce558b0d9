"""What can be asked of signatures and of the DNS."""

from smfd.console.fields import FLAG, NEEDED, PAGE, TEXT
from smfd.console.router import Route
from smfd.control import dkim, dns

_OF = "/v1/domains/{name}/dkim"

ROUTES = (
    Route(
        "GET",
        "/v1/dkim",
        dkim.page,
        query={"domain": TEXT, "search": TEXT, **PAGE},
    ),
    Route("GET", _OF, dkim.show),
    Route("POST", _OF, dkim.add),
    Route("POST", f"{_OF}/rotate", dkim.rotate, body={"force": FLAG}),
    Route(
        "POST",
        f"{_OF}/import",
        dkim.take,
        body={"selector": NEEDED, "key": NEEDED, "force": FLAG},
    ),
    Route("GET", "/v1/domains/{name}/dns", dns.show, query={"check": FLAG}),
    Route("DELETE", f"{_OF}/{{selector}}", dkim.retire),
)
