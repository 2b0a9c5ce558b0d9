"""C{smfdctl dkim}: the keys that mail of a domain is signed with."""

import os
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import Face, verb
from smfd.ctl.noun import Noun
from smfd.policy.dns_zone import quoted

#: Octets of a file that are read: no key has more.
_LONGEST = 16_384


@click.group()
def dkim() -> None:
    """The keys that mail is signed with."""


_COLUMNS = ("domain", "selector", "state", "in_dns", "created", "activated", "due")


def _listed(key: dict[str, Any]) -> dict[str, Any]:
    """A key as a list has it: days, and no times of day."""
    late = ", LATE" if key["late"] else ""
    days = {name: (key[name] or "")[:10] for name in ("created", "activated", "due")}
    return {**key, **days, "due": days["due"] + late, "in_dns": _found(key)}


def _found(key: dict[str, Any]) -> str:
    return {True: "yes", False: "no", None: ""}[key["published"]]


_KEYS = Noun("/v1/dkim", _COLUMNS, _listed)


@dkim.command("list")
@click.argument("domain", default="")
@click.option("--search", default="", help="Only domains that contain this.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@verb
def dkim_list(face: Face, /, **query: Any) -> None:
    """Show the keys of DOMAIN, or of all domains."""
    _KEYS.page(face, query)


@dkim.command("show")
@click.argument("domain")
@verb
def dkim_show(face: Face, domain: str) -> None:
    """Show the records that DOMAIN's keys need in the DNS."""
    with asking(face) as client:
        found = client.get(_path(domain))
    face.show(found, _records(found))


@dkim.command("add")
@click.argument("domain")
@verb
def dkim_add(face: Face, domain: str) -> None:
    """Give DOMAIN what it lacks: keys that sign, and spare ones."""
    with asking(face) as client:
        found = client.post(_path(domain))
    face.show(found, _records(found))


@dkim.command("rotate")
@click.argument("domain")
@click.option("--force", is_flag=True, help="Even if others do not find them yet.")
@verb
def dkim_rotate(face: Face, domain: str, force: bool) -> None:
    """
    Sign with the spare keys from now on, and make new spare ones.

    The records of the old keys stay in the DNS for a week: what they signed
    is on its way.
    """
    with asking(face) as client:
        found = client.post(f"{_path(domain)}/rotate", {"force": force})
    face.show(found, _records(found))


@dkim.command("import")
@click.argument("domain")
@click.argument("selector")
@click.argument("file", type=click.File("rb"))
@click.option("--force", is_flag=True, help="Even if others do not find its record.")
@verb
def dkim_import(
    face: Face, domain: str, selector: str, file: BinaryIO, force: bool
) -> None:
    """
    Sign for DOMAIN with the private key in FILE from now on.

    It is what SELECTOR._domainkey.DOMAIN has the public half of: a key of
    OpenDKIM, rspamd or another server, RSA or Ed25519, in PEM. It takes the
    place of the key of its kind; the spare ones stay.
    """
    key = file.read(_LONGEST).decode("ascii", "replace")
    body = {"selector": selector, "key": key, "force": force}
    with asking(face) as client:
        found = client.post(f"{_path(domain)}/import", body)
    weak = [f"WARNING: {found['warning']}"] if found["warning"] else []
    face.show(found, [*weak, *_left_over(file), *_records(found)])


@dkim.command("retire")
@click.argument("domain")
@click.argument("selector")
@verb
def dkim_retire(face: Face, domain: str, selector: str) -> None:
    """Sign no more with a key that others may have; it does not come back."""
    with asking(face) as client:
        gone = client.delete(f"{_path(domain)}/{segment(selector)}")
    lines = [
        f"{gone['selector']} signs no more for {gone['domain']}.",
        f"If others have it, take {gone['name']} out of the DNS now.",
    ]
    face.show(gone, lines)


def _left_over(file: BinaryIO) -> Iterator[str]:
    """What is to be said of the file that a key came from; nothing of a pipe."""
    mode = os.fstat(file.fileno()).st_mode
    if not stat.S_ISREG(mode):
        return
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        yield (
            f"WARNING: Others on this machine may read {file.name}. If one of them"
            " did, let the spare keys take over soon."
        )
    yield f"directory.db has the key now; delete {file.name}."


def _path(domain: str) -> str:
    return f"/v1/domains/{segment(domain)}/dkim"


#: What is said of the keys in each state.
_STATES = {
    "active": "These sign now:",
    "spare": "These are spare; publish them before they are wanted:",
    "retired": "These sign no more; their records stay until",
}


def _records(found: dict[str, Any]) -> Iterator[str]:
    """The records, as a zone has them."""
    for state, sentence in _STATES.items():
        keys = [key for key in found["keys"] if key["state"] == state]
        if not keys:
            continue
        if state == "retired":
            sentence += f" {max(key['record_until'] for key in keys)}:"
        yield sentence
        for key in keys:
            yield from _record(key)
    if not found["signs"]:
        yield "Nothing is signed: [dkim] sign is false."


def _record(key: dict[str, Any]) -> Iterator[str]:
    yield f"  {key['name']}. TXT {quoted(key['record'])}"
    if key["published"] is False:
        yield "  ^ NOT FOUND in the DNS when it was looked for last."
    if key["late"]:
        since = key["activated"][:10]
        yield f"  ^ LATE: it signs since {since}; dkim rotate {key['domain']}."
