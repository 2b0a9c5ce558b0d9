"""
The JSON API: one line for each thing that can be asked.

C{docs/api.yaml} describes it; a test holds the two together.  GET never acts.
"""

from smfd.console.fields import FLAG, NEEDED, NUMBER, PAGE, SOME, TEXT, TEXTS, Field
from smfd.console.router import Route
from smfd.console.routes_dkim import ROUTES as DKIM
from smfd.console.routes_policies import ROUTES as POLICIES
from smfd.console.routes_queue import ROUTES as QUEUE
from smfd.console.routes_reputation import ROUTES as REPUTATION
from smfd.console.routes_route import ROUTES as ROUTE
from smfd.control import (
    accounts,
    aliases,
    app_passwords,
    audit,
    domains,
    excerpts,
    forwards,
    grants,
    held,
    holds,
    limits,
    lists,
    recipients,
    sources,
    status,
    tracking,
)
from smfd.control.release import release

_FORCE = {"force": FLAG}
_SEARCH = {"search": TEXT, **PAGE}
_PLACE = {
    "kind": TEXT,
    "next_hop": TEXT,
    "tls": TEXT,
    "verify": TEXT,
    "catch_all": TEXT,
}
_DOMAIN = {
    "threshold": NUMBER,
    "default_threshold": FLAG,
    "allow_unauthenticated": FLAG,
    "scan_outbound": FLAG,
    **_PLACE,
}
_OF_DOMAIN = {"domain": TEXT, **_SEARCH}
_LEADS = {"address": NEEDED, "targets": TEXTS}
_ENTRY = {
    "scope": NEEDED,
    "allow": Field("boolean", required=True),
    "pattern": NEEDED,
    "expires": TEXT,
    "note": TEXT,
    "locked": FLAG,
}
_TRACE = {
    "recipient": TEXT,
    "sender": TEXT,
    "account": TEXT,
    "subject": TEXT,
    "client": TEXT,
    "verdict": TEXT,
    "since": TEXT,
    "until": TEXT,
    **PAGE,
}
_HELD = {"domain": TEXT, "recipient": TEXT, "category": TEXT, **_SEARCH}
_USER = {"address": NEEDED, "password": TEXT, "hash": TEXT}
_APP = {"name": NEEDED, "services": SOME, "networks": SOME}

ROUTES = (
    Route("GET", "/v1/status", status.status),
    Route("POST", "/v1/pulse", status.pulse),
    Route("GET", "/v1/domains", domains.page, query=_SEARCH),
    Route(
        "POST",
        "/v1/domains",
        domains.add,
        body={"name": NEEDED, "threshold": NUMBER, **_PLACE},
    ),
    Route("GET", "/v1/domains/{name}", domains.show),
    Route("PATCH", "/v1/domains/{name}", domains.change, body=_DOMAIN),
    Route("DELETE", "/v1/domains/{name}", domains.remove, query=_FORCE),
    Route("GET", "/v1/users", accounts.page, query=_OF_DOMAIN),
    Route("POST", "/v1/users", accounts.add, body=_USER),
    Route("GET", "/v1/users/{address}", accounts.show),
    Route("DELETE", "/v1/users/{address}", accounts.remove),
    Route(
        "POST",
        "/v1/users/{address}/password",
        accounts.set_password,
        body={"password": TEXT, "revoke_apps": FLAG},
    ),
    Route("GET", "/v1/users/{address}/app-passwords", app_passwords.page, query=PAGE),
    Route("POST", "/v1/users/{address}/app-passwords", app_passwords.add, body=_APP),
    Route("DELETE", "/v1/users/{address}/app-passwords/{name}", app_passwords.remove),
    Route("GET", "/v1/users/{address}/identities", grants.show, query=PAGE),
    Route(
        "GET",
        "/v1/grants",
        grants.page,
        query={"account": TEXT, "address": TEXT, **_SEARCH},
    ),
    Route(
        "POST",
        "/v1/grants",
        grants.add,
        body={"account": NEEDED, "address": NEEDED},
    ),
    Route("DELETE", "/v1/grants/{account}/{address}", grants.remove),
    Route("GET", "/v1/aliases", aliases.page, query=_OF_DOMAIN),
    Route("POST", "/v1/aliases", aliases.add, body=_LEADS),
    Route("DELETE", "/v1/aliases/{address}", aliases.remove),
    Route("GET", "/v1/forwards", forwards.page, query=_OF_DOMAIN),
    Route("POST", "/v1/forwards", forwards.add, body={**_LEADS, "keep": FLAG}),
    Route("DELETE", "/v1/forwards/{address}", forwards.remove),
    Route("GET", "/v1/recipients", recipients.page, query=_OF_DOMAIN),
    Route("POST", "/v1/recipients", recipients.add, body={"addresses": TEXTS}),
    Route("DELETE", "/v1/recipients/{address}", recipients.remove),
    Route(
        "GET",
        "/v1/lists",
        lists.page,
        query={"scope": TEXT, "pattern": TEXT, **_SEARCH},
    ),
    Route("POST", "/v1/lists", lists.add, body=_ENTRY),
    Route("DELETE", "/v1/lists/{id}", lists.remove),
    Route("GET", "/v1/trace", tracking.search, query=_TRACE),
    Route("GET", "/v1/trace/{id}", tracking.show),
    Route("GET", "/v1/trace/account/{name}", tracking.account),
    Route("GET", "/v1/quarantine", held.page, query=_HELD),
    Route("GET", "/v1/quarantine/{id}", held.show),
    Route("DELETE", "/v1/quarantine/{id}", held.delete, query={"approver": TEXT}),
    Route(
        "POST",
        "/v1/quarantine/{id}/release",
        release,
        body={"force": FLAG, "reason": TEXT, "approver": TEXT},
    ),
    Route("POST", "/v1/quarantine/{id}/text", excerpts.text, body={"approver": TEXT}),
    Route("GET", "/v1/limits/{scope}", limits.show),
    Route("PATCH", "/v1/limits/{scope}", limits.change, body={"limits": TEXTS}),
    Route("GET", "/v1/held", holds.page, query=_SEARCH),
    Route("POST", "/v1/held", holds.add, body={"address": NEEDED, "reason": NEEDED}),
    Route("GET", "/v1/held/{address}", holds.show),
    Route("POST", "/v1/held/{address}/release", holds.release, body={"reason": TEXT}),
    Route("POST", "/v1/held/{address}/purge", holds.purge, body={"reason": TEXT}),
    Route("POST", "/v1/held/{address}/reset", holds.reset),
    Route("GET", "/v1/sources/{address}", sources.show),
    Route("DELETE", "/v1/sources/{address}", sources.forget),
    Route(
        "GET",
        "/v1/acts",
        audit.page,
        query={"subject": TEXT, "by": TEXT, "until": TEXT, **PAGE},
    ),
    *POLICIES,
    *REPUTATION,
    *QUEUE,
    *DKIM,
    *ROUTE,
)
