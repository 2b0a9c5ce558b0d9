"""C{smfdctl route}: how the mail for a domain of others would go."""

from collections.abc import Iterator
from typing import Any

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import REFUSED, Face, Faint, verb


@click.command()
@click.argument("domain")
@click.option("--try", "live", is_flag=True, help="Greet each server; send nothing.")
@verb
def route(face: Face, domain: str, live: bool) -> None:
    """
    Show where the mail for DOMAIN would go, and how safe it must be.

    With --try each server is greeted, as mail would do it: how far we get,
    after how many milliseconds.  Exit 1 when there is no way.
    """
    path = f"/v1/route/{segment(domain)}"
    with asking(face) as client:
        found = client.post(path) if live else client.get(path)
    face.show(found, _lines(found))
    if found["refusal"] or all(server["trouble"] for server in found["servers"]):
        raise SystemExit(REFUSED)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    if found["refusal"]:
        then = "comes back to its sender" if found["permanent"] else "waits"
        yield f"Mail for {found['domain']} {then}: {found['refusal']}"
        return
    yield f"Mail for {found['domain']} goes by {found['by']}: {_policy(found)}"
    for server in found["servers"]:
        yield ""
        yield from _server(server)


def _policy(found: dict[str, Any]) -> str:
    parts = [
        f"the settings ask for {found['override']}" if found["override"] else "",
        f"MTA-STS {found['mta_sts']}" if found["mta_sts"] else "",
        "DNSSEC" if found["dnssec"] else "",
        "no DNSSEC" if found["by"] == "MX" and not found["dnssec"] else "",
    ]
    return ", ".join(part for part in parts if part)


def _server(server: dict[str, Any]) -> Iterator[str]:
    address = f" [{server['address']}]" if server["address"] else ""
    origin = f" from {server['from']}" if server["from"] else ""
    hello = f" as {server['hello']}" if server["hello"] else ""
    yield f"{server['host']}{address}:{server['port']}{origin}{hello}"
    yield f"  TLS must be: {server['must']}"
    for record in server["tlsa"]:
        yield Faint(f"    TLSA {record}")
    for step in server["steps"]:
        yield f"  {step['ms']:>8.1f} ms  {step['name']}"
    if server["tls_fault"]:
        yield f"  TLS proves nothing: {server['tls_fault']}"
    if server["trouble"]:
        yield f"  NO: {server['trouble']}"
    elif server["steps"]:
        offers = ", ".join(server["offers"])
        yield f"  ready: {server['tls'] or 'in the clear'}"
        yield Faint(f"    offers {offers or 'nothing'}")
