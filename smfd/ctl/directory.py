"""C{smfdctl domain}, C{user} and C{list}."""

import sys
from collections.abc import Callable
from typing import Any

import click

from smfd.ctl.app_password import app_password
from smfd.ctl.client import asking
from smfd.ctl.face import Face, verb
from smfd.ctl.noun import Noun
from smfd.ctl.quota import held, limits


@click.group()
def domain() -> None:
    """Hosted domains."""


def _threshold(domain: dict[str, Any]) -> dict[str, Any]:
    """A domain's document for reading: whose threshold it is, in one word."""
    shown = dict(domain)
    whose = " (default)" if shown.pop("default_threshold", False) else ""
    shown["threshold"] = f"{domain['threshold']:g}{whose}"
    risks = " ".join(shown.pop("risks", ()))
    said = {name: value for name, value in shown.items() if value is not None}
    return {**said, "risk": risks} if risks else said


_DOMAINS = Noun(
    "/v1/domains",
    ("name", "kind", "next_hop", "verify", "threshold", "allow_unauthenticated"),
    _threshold,
)
_DOMAINS.lists(domain, "Show hosted domains.")
_DOMAINS.shows(domain, "Show one domain.")


_PLACE = (
    click.option("--kind", default="", help="local, lmtp or relay."),
    click.option(
        "--next-hop",
        default="",
        help="smtp://HOST:PORT, lmtp://HOST:PORT or lmtp:unix:/PATH.",
    ),
    click.option("--tls", default="", help="none, opportunistic, required or verify."),
    click.option(
        "--verify",
        default="",
        help="How recipients are known: directory, list, callout or none.",
    ),
    click.option(
        "--catch-all",
        default="",
        help='Who gets mail for addresses that do not exist; "off" for nobody.',
    ),
)


def _placed(command: Callable[..., None]) -> Callable[..., None]:
    """Give a verb what says where a domain's mailboxes are."""
    for option in reversed(_PLACE):
        command = option(command)
    return command


@domain.command("add")
@click.argument("name")
@click.option("--threshold", type=float, help="The score at which mail is spam.")
@_placed
@verb
def domain_add(face: Face, /, name: str, threshold: float | None, **place: str) -> None:
    """Host a domain."""
    body = {"name": name, "threshold": threshold, **place}
    with asking(face) as client:
        made = client.post(_DOMAINS.path, body)
    lines = [f"{made['name']} is hosted; postmaster@{made['name']} exists."]
    face.show(made, [*lines, *(f"RISK: {risk}" for risk in made["risks"])])


class _Threshold(click.ParamType[float | str]):
    """A score, or the word "default"."""

    name = "score|default"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """A number, or the word as it is."""
        return value if value == "default" else click.FLOAT.convert(value, param, ctx)


@domain.command("set")
@click.argument("name")
@click.option(
    "--threshold",
    type=_Threshold(),
    help='The score at which mail is spam; "default" for that of the settings.',
)
@click.option(
    "--allow-unauthenticated/--allow-authenticated-only",
    default=None,
    help="Whether allow entries count for senders that proved nothing.",
)
@click.option(
    "--scan-outbound/--no-scan-outbound",
    default=None,
    help="Whether what its users send to the world is scanned for viruses.",
)
@_placed
@verb
def domain_set(
    face: Face,
    /,
    name: str,
    threshold: float | str | None,
    allow_unauthenticated: bool | None,
    scan_outbound: bool | None,
    **place: str,
) -> None:
    """Change a domain."""
    default = threshold == "default"
    with asking(face) as client:
        changed = client.patch(
            _DOMAINS.one(name),
            {
                "threshold": None if default else threshold,
                "default_threshold": True if default else None,
                "allow_unauthenticated": allow_unauthenticated,
                "scan_outbound": scan_outbound,
                **place,
            },
        )
    _DOMAINS.show(face, changed)


@domain.command("remove")
@click.argument("name")
@click.option("--force", is_flag=True, help="Even if it has users.")
@verb
def domain_remove(face: Face, name: str, force: bool) -> None:
    """Host a domain no longer; its mail stays on the disk."""
    with asking(face) as client:
        gone = client.delete(_DOMAINS.one(name), {"force": force})
    face.show(gone, [f"{gone['name']} is not hosted any more."])


@click.group()
def user() -> None:
    """Mailboxes and their passwords."""


user.add_command(limits)
user.add_command(held)


def _portrait(user: dict[str, Any]) -> dict[str, Any]:
    """A user's document for reading: limits that are some, with what is used."""
    shown = dict(user)
    used, hold = shown.pop("used", {}), shown.pop("hold", None)
    if "limits" in shown:
        shown["limits"] = " ".join(
            f"{name}={most}" + (f" ({used[name]:g} used)" if name in used else "")
            for name, most in shown["limits"].items()
            if most
        )
        shown["sending_is"] = (
            f"held since {hold['since']} by {hold['actor']}: {hold['reason']}"
            if hold
            else "not held"
        )
    return {
        name: " ".join(value) or "none" if isinstance(value, list) else value
        for name, value in shown.items()
    }


_USERS = Noun("/v1/users", ("address", "created", "can_log_in"), _portrait)
_USERS.lists(
    user,
    "Show mailboxes.",
    click.option("--domain", default="", help="Only those of this domain."),
)
_USERS.shows(user, "Show one mailbox.")


def _secret(generated: bool) -> str:
    """A password that is typed, or piped in; or "" to have one made."""
    if generated:
        return ""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    piped = sys.stdin.readline().rstrip("\r\n")
    if not piped:
        raise click.UsageError("No password was piped in.")
    return piped


@user.command("add")
@click.argument("address")
@click.option("--password", is_flag=True, help="Ask for it, or read it from a pipe.")
@click.option(
    "--hash", "hashed", is_flag=True, help="Read its hash, of another server."
)
@verb
def user_add(face: Face, address: str, password: bool, hashed: bool) -> None:
    """Make a mailbox; without --password one is made and shown once."""
    if password and hashed:
        raise click.UsageError("Say either --password or --hash.")
    said = _secret(not (password or hashed))
    body = {"address": address, "hash" if hashed else "password": said}
    with asking(face) as client:
        made = client.post(_USERS.path, body)
    face.show(made, [f"{made['address']} has a mailbox.", *_once(made)])


_USERS.removes(
    user,
    "Take no more mail for a mailbox; what is in it stays on the disk.",
    "{address} takes no more mail.",
)


user.add_command(app_password)


@user.command("password")
@click.argument("address")
@click.option("--generate", is_flag=True, help="Make one, and show it once.")
@click.option("--revoke-apps", is_flag=True, help="End all its app passwords, too.")
@verb
def user_password(face: Face, address: str, generate: bool, revoke_apps: bool) -> None:
    """Replace a password; it is asked for, or read from a pipe."""
    body = {"password": _secret(generate), "revoke_apps": revoke_apps}
    with asking(face) as client:
        changed = client.post(f"{_USERS.one(address)}/password", body)
    face.show(changed, [f"{changed['address']} has a new password.", *_once(changed)])


@click.group()
def list_() -> None:
    """Allow and block entries."""


_ENTRIES = Noun(
    "/v1/lists", ("id", "scope", "kind", "pattern", "locked", "expires", "note")
)
_ENTRIES.lists(
    list_,
    "Show entries, the newest first.",
    click.option("--scope", default="", help="An address, a domain, or operator."),
)


@list_.command("add")
@click.option("--scope", required=True, help="An address, a domain, or operator.")
@click.option("--allow", "allow", metavar="PATTERN", help="Let this sender in.")
@click.option("--block", "block", metavar="PATTERN", help="Hold this sender's mail.")
@click.option("--expires", default="", help="2026-12-31, or 30d for in 30 days.")
@click.option("--note", default="", help="Why.")
@click.option("--locked", is_flag=True, help="Operator only: nobody overrules it.")
@verb
def list_add(
    face: Face,
    scope: str,
    allow: str | None,
    block: str | None,
    expires: str,
    note: str,
    locked: bool,
) -> None:
    """
    Put a sender on a list.

    PATTERN is user@example.org, example.org (or *@example.org), or
    *.example.org for everything below it.
    """
    if (allow is None) == (block is None):
        raise click.UsageError("Say either --allow PATTERN or --block PATTERN.")
    with asking(face) as client:
        made = client.post(
            _ENTRIES.path,
            {
                "scope": scope,
                "allow": allow is not None,
                "pattern": allow if allow is not None else block,
                "expires": expires,
                "note": note,
                "locked": locked,
            },
        )
    face.show(made, [f"{_said(made)} (entry {made['id']})."])


@list_.command("remove")
@click.argument("entry")
@click.option("--scope", default="", help="Then ENTRY is the pattern on this list.")
@verb
def list_remove(face: Face, entry: str, scope: str) -> None:
    """Take an entry off its list, by its number, or by its pattern and --scope."""
    if not scope and not entry.isdecimal():
        raise click.UsageError(f"Say whose: --scope SCOPE {entry}, or its number.")
    with asking(face) as client:
        numbers = [entry]
        if scope:
            found = client.get(_ENTRIES.path, {"scope": scope, "pattern": entry})
            numbers = [str(one["id"]) for one in found["items"]]
        gone = [client.delete(_ENTRIES.one(number)) for number in numbers]
    if not gone:
        face.refuse(f"{entry} is not on the list of {scope}.")
    lines = [
        f"{one['scope']} no longer {one['kind']}s {one['pattern']}." for one in gone
    ]
    face.show({"removed": gone}, lines)


def _said(entry: dict[str, Any]) -> str:
    return f"{entry['scope']} {entry['kind']}s {entry['pattern']}"


def _once(document: dict[str, Any]) -> list[str]:
    if "password" not in document:
        return []
    return [f"Password, shown this once: {document['password']}"]
