"""C{smfdctl user limits} and C{smfdctl user held}: what users may send."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.excerpt import excerpt
from smfd.ctl.face import Face, verb
from smfd.ctl.noun import Noun
from smfd.ctl.quarantine import read
from smfd.ctl.table import table
from smfd.model.quota import LIMITS


@click.command("limits", epilog=f"NAME is one of {', '.join(LIMITS)}.")
@click.argument("scope", metavar="ADDRESS|DOMAIN|group:NAME")
@click.argument("limits", nargs=-1, metavar="[NAME=NUMBER|none|inherit]...")
@verb
def limits(face: Face, scope: str, limits: tuple[str, ...]) -> None:
    """
    Show what may be sent, and set it.

    An account has its own limits, else those of its groups, else those of its
    domain, else those of the settings ([quota]).
    """
    path = f"/v1/limits/{segment(scope)}"
    with asking(face) as client:
        found = (
            client.patch(path, {"limits": list(limits)}) if limits else client.get(path)
        )
    face.show(found, _limits(found))


def _limits(found: dict[str, Any]) -> Iterator[str]:
    said, counts, used = found["says"], found.get("limits", {}), found.get("used", {})
    yield found["scope"]
    rows = [
        (
            name,
            said.get(name, "inherited") or "none",
            *((counts[name] or "none", used.get(_meter(name), "")) if counts else ()),
        )
        for name in LIMITS
    ]
    names = ("limit", "says", "counts", "used in 24 hours")
    yield from table(names if counts else names[:2], rows)


def _meter(limit: str) -> str:
    """What counts towards a limit."""
    return limit.removeprefix("hold_")


@click.group("held")
def held() -> None:
    """Users whose mail is held back."""


_HELD = Noun("/v1/held", ("address", "since", "actor", "reason"))
_HELD.lists(held, "Show held users, the latest first.")


@held.command("show")
@click.argument("address")
@click.option(
    "--text", is_flag=True, help="What the message says, too; that is written down."
)
@verb
def held_show(face: Face, address: str, text: bool) -> None:
    """Show why a user is held, and a message to look at."""
    with asking(face) as client:
        found = client.get(_HELD.one(address))
        said = [read(client, item) for item in found["sample"]] if text else []
    if text:
        found["text"] = said
    lines = (_shown(found, face.command), *map(excerpt, said))
    face.show(found, chain.from_iterable(lines))


def _shown(found: dict[str, Any], command: str) -> Iterator[str]:
    address = found["address"]
    if found["since"]:
        yield f"{address} is held since {found['since']} by {found['actor']}:"
        yield f"  {found['reason']}"
    else:
        yield f"{address} is not held."
    yield f"Messages held, by recipient: {found['held']}"
    yield f"Held on their way out:       {found['queued']}"
    if not found["since"] and not found["held"] and not found["queued"]:
        return
    for item in found["sample"]:
        yield f"Look at one:     {command} quarantine show {item} --text"
    yield f"It is all right: {command} user held release {address}"
    yield f"It is a thief:   {command} user password {address} --generate --revoke-apps"
    yield f"                 {command} user held purge {address}"
    yield f"                 {command} user held reset {address}"


@held.command("add")
@click.argument("address")
@click.option("--reason", required=True, help="Why; it is written down.")
@verb
def held_add(face: Face, address: str, reason: str) -> None:
    """Hold all that a user sends from now on."""
    with asking(face) as client:
        made = client.post(_HELD.path, {"address": address, "reason": reason})
    face.show(made, [f"{made['address']} is held since {made['since']}."])


@held.command("reset")
@click.argument("address")
@verb
def held_reset(face: Face, address: str) -> None:
    """Hold a user no more and count anew; what is held stays in the quarantine."""
    with asking(face) as client:
        done = client.post(f"{_HELD.one(address)}/reset")
    how = "is held no more" if done["was_held"] else "was not held"
    face.show(done, [f"{done['address']} {how}; its counters are empty."])


def _with_each(act: str, sentence: str, word: str) -> None:
    """Give it a verb that does something to each held message."""

    @verb
    def command(face: Face, address: str, reason: str) -> None:
        # Each request works for a while, until nothing is left to be done.
        done = queued = 0
        with asking(face) as client:
            while True:
                said = client.post(f"{_HELD.one(address)}/{act}", {"reason": reason})
                done += said["done"]
                queued += said["queued"]
                if not said["done"] or said["left"] <= said["stayed"]:
                    break
        lines = [f"{word}: {done}. Left: {said['left']}.", *said["why"]]
        if queued:
            lines.append(f"{word} of what was on its way already: {queued}.")
        face.show({**said, "done": done, "queued": queued}, lines)

    reason = click.option("--reason", default="", help="Why; it is written down.")
    held.command(act, help=sentence)(click.argument("address")(reason(command)))


_with_each(
    "release", "Send what is held, after a fresh look for viruses; count anew.", "Sent"
)
_with_each("purge", "Throw away what is held; the user stays held.", "Thrown away")
