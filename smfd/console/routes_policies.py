"""What can be asked of groups and mail policies."""

from smfd.console.fields import (
    FLAG,
    NEEDED,
    PAGE,
    SOME,
    TABLE,
    TABLES,
    TEXT,
    TEXTS,
)
from smfd.console.router import Route
from smfd.control import groups, members, policies
from smfd.control.policy_test import test

_SEARCH = {"search": TEXT, **PAGE}
_TEST = {
    "sender": NEEDED,
    "to": TEXTS,
    "authenticated": FLAG,
    "author": TEXT,
    "subject": TEXT,
    "header": SOME,
    "size": TEXT,
    "attachment": SOME,
    "attachment_type": SOME,
    "client": TEXT,
    "at": TEXT,
    "verdict": TEXT,
}

ROUTES = (
    Route(
        "GET",
        "/v1/groups",
        groups.page,
        query={"domain": TEXT, "unprotected": FLAG, **_SEARCH},
    ),
    Route(
        "POST",
        "/v1/groups",
        groups.add,
        body={"name": NEEDED, "members": SOME, "note": TEXT},
    ),
    Route("GET", "/v1/groups/{name}", groups.show),
    Route(
        "PATCH", "/v1/groups/{name}", groups.change, body={"join": SOME, "leave": SOME}
    ),
    Route("DELETE", "/v1/groups/{name}", groups.remove),
    Route("GET", "/v1/groups/{name}/members", members.page, query=PAGE),
    Route("GET", "/v1/policies", policies.page, query=_SEARCH),
    Route("POST", "/v1/policies", policies.add, body={"rule": TABLE, "before": TEXT}),
    Route(
        "PUT",
        "/v1/policies",
        policies.apply,
        body={"rules": TABLES, "empty": FLAG},
    ),
    Route("POST", "/v1/policies/test", test, body=_TEST),
    Route("GET", "/v1/policies/{name}", policies.show),
    Route("PATCH", "/v1/policies/{name}", policies.change, body={"rule": TABLE}),
    Route("DELETE", "/v1/policies/{name}", policies.remove),
    Route("POST", "/v1/policies/{name}/move", policies.move, body={"before": TEXT}),
)
