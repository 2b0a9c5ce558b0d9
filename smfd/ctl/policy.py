"""C{smfdctl policy}: who may send what to whom, and when."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import Face, verb
from smfd.ctl.noun import Noun
from smfd.ctl.rules_toml import rules_toml
from smfd.model.rule import ACTIONS, DIRECTIONS

_PATH = "/v1/policies"
_WHO = "ADDRESS|DOMAIN|*.DOMAIN|group:NAME"

#: Each condition: its value, and what it is about.
_CONDITIONS = {
    "direction": ("|".join(DIRECTIONS), "Where mail goes."),
    "from": (_WHO, "Who sends; <> is the sender of bounces."),
    "to": (_WHO, "Who gets it; an alias or whom it leads to."),
    "network": ("NETWORK", "Where the client is."),
    "authenticated": ("yes|no", "Whether it is known who sends."),
    "verdict": ("WORD", "What was thought of it: clean, spam, ..."),
    "time": ("WHEN", "mon-fri 08:00-18:00 Europe/Berlin, or parts of it."),
    "subject": ("WORDS", "In the subject; * and ? are wildcards."),
    "header": ("NAME:WORDS", "In a header field."),
    "size_over": ("SIZE", "Larger than 500K, 10M, ..."),
    "recipients_over": ("NUMBER", "More recipients than that."),
    "attachment": ("NAME", "The whole name of a file, like *.exe."),
    "attachment_type": (
        "TYPE",
        "application/zip, zip by its octets, encrypted, ...",
    ),
}

Command = Callable[..., None]


def _conditions(command: Command) -> Command:
    """Give a verb all conditions, and what must not be so."""
    for name, (metavar, sentence) in reversed(_CONDITIONS.items()):
        option = name.replace("_", "-")
        command = click.option(
            f"--not-{option}",
            f"not_{name}",
            multiple=True,
            metavar=metavar,
            help=f"Not so: --{option}.",
        )(command)
        command = click.option(
            f"--{option}",
            name if name != "from" else "from_",
            multiple=True,
            metavar=metavar,
            help=sentence,
        )(command)
    return command


_ACTION = (
    click.option("--text", help="What the sender of a rejected message reads."),
    click.option("--redirect", metavar="ADDRESS", help="Who gets it instead."),
    click.option(
        "--approver",
        "approvers",
        multiple=True,
        metavar="ADDRESS",
        help="Who may let a held message through.",
    ),
    click.option("--add-header", metavar="NAME:VALUE", help="A line to put on top."),
    click.option(
        "--notify",
        multiple=True,
        metavar="ADDRESS",
        help="Who is told, whatever is done.",
    ),
    click.option("--note", help="What the rule is for."),
    click.option("--enable/--disable", "enabled", default=None, help="In force."),
)


def _action(command: Command) -> Command:
    """Give a verb what actions need."""
    for option in reversed(_ACTION):
        command = option(command)
    return command


@click.group()
def policy() -> None:
    """
    Mail policies: the first rule that matches decides.

    All conditions of a rule must be met; of the values of one, any.
    """


Noun(_PATH, ("position", "name", "enabled", "action", "matches")).lists(
    policy, "Show the rules in their order."
)


@policy.command("show")
@click.argument("name")
@verb
def show(face: Face, name: str) -> None:
    """Show one rule, as a file for apply would have it."""
    with asking(face) as client:
        found = client.get(_one(name))
    face.show(found, rules_toml([found["rule"]]))


@policy.command("add")
@click.argument("name")
@click.option("--action", required=True, type=click.Choice(ACTIONS))
@click.option("--before", default="", help="The rule that it stands before.")
@_conditions
@_action
@verb
def add(face: Face, /, name: str, before: str, **said: Any) -> None:
    """Add a rule, at the end or before another."""
    body = {"rule": {"name": name, **_rule(said)}, "before": before}
    with asking(face) as client:
        made = client.post(_PATH, body)
    face.show(made, _said(made))


@policy.command("edit")
@click.argument("name")
@click.option("--action", type=click.Choice(ACTIONS))
@click.option("--name", "new_name", help="What it is called from now on.")
@click.option(
    "--drop", multiple=True, metavar="KEY", help="Forget this: not-from, text, ..."
)
@_conditions
@_action
@verb
def edit(
    face: Face,
    /,
    name: str,
    new_name: str | None,
    drop: tuple[str, ...],
    **said: Any,
) -> None:
    """Change what is named of a rule; a condition is replaced as a whole."""
    changes = _rule(said)
    if new_name:
        changes["name"] = new_name
    changes |= dict.fromkeys(one.replace("-", "_") for one in drop)
    if not changes:
        raise click.UsageError("Nothing to change was named.")
    with asking(face) as client:
        changed = client.patch(_one(name), {"rule": changes})
    face.show(changed, _said(changed))


@policy.command("move")
@click.argument("name")
@click.option("--before", default="", help="The rule that it stands before.")
@click.option("--last", is_flag=True, help="At the end.")
@verb
def move(face: Face, name: str, before: str, last: bool) -> None:
    """Put a rule somewhere else."""
    if bool(before) == last:
        raise click.UsageError("Say --before RULE, or --last.")
    with asking(face) as client:
        moved = client.post(f"{_one(name)}/move", {"before": before})
    face.show(moved, _said(moved))


@policy.command("remove")
@click.argument("name")
@verb
def remove(face: Face, name: str) -> None:
    """Take a rule away."""
    with asking(face) as client:
        gone = client.delete(_one(name))
    face.show(gone, [f"{gone['name']} is no rule any more."])


@policy.command("export")
@verb
def export(face: Face) -> None:
    """Print all rules as TOML, for apply."""
    with asking(face) as client:
        page = client.get(_PATH, {"limit": 1000})
    rules = [one["rule"] for one in page["items"] if one["rule"] is not None]
    face.show({"rule": rules}, rules_toml(rules))


@policy.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--empty", is_flag=True, help="Even if there is no rule in it.")
@verb
def apply(face: Face, file: Path, empty: bool) -> None:
    """Have the rules of a TOML file, and no others; all of them or none."""
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        face.refuse(f"{file}: {wrong}")
    rules = found.pop("rule", [])
    if found or not isinstance(rules, list):
        face.refuse(f"{file}: it has [[rule]] tables and nothing else.")
    with asking(face) as client:
        done = client.put(_PATH, {"rules": rules, "empty": empty})
    face.show(done, [f"{len(done['applied'])} rules are in force."])


@policy.command("test")
@click.option("--from", "sender", required=True, help="Who sends; <> for a bounce.")
@click.option("--to", multiple=True, required=True, help="Or group:NAME.")
@click.option(
    "--authenticated/--unauthenticated",
    default=None,
    help="Whether he is who he says; hosted senders are, unless you say no.",
)
@click.option("--author", default="", help="The address in From, if it is another.")
@click.option("--subject", default="")
@click.option("--header", multiple=True, metavar="NAME:VALUE")
@click.option("--size", help="500K, 10M, ...")
@click.option("--attachment", multiple=True, metavar="NAME")
@click.option("--attachment-type", multiple=True, metavar="TYPE")
@click.option("--client", default="", help="An IP address.")
@click.option("--at", default="", help="2026-12-24T20:00:00Z, or 3h for in 3 hours.")
@click.option("--verdict", default="", help="What was thought of it before.")
@verb
def test(face: Face, /, size: str | None, **said: Any) -> None:
    """Say which rule decides about a message, without sending one."""
    body = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in said.items()
    }
    with asking(face) as client:
        found = client.post(f"{_PATH}/test", {**body, "size": size})
    face.show(found, _decisions(found))


def _decisions(found: Mapping[str, Any]) -> Iterator[str]:
    for one in found["items"]:
        text = one["text"]
        if text and one["action"] == "allow":
            text = f"({text})"
        words = (text, one["redirect"], *one["approvers"])
        how = " ".join(filter(None, words))
        more = f", with {one['add_header']!r} on top" if one["add_header"] else ""
        if one["notify"]:
            more += f", and writes to {' '.join(one['notify'])}"
        yield (
            f"{one['recipient']} ({one['direction']}): {one['action']}"
            f"{f' {how}' if how else ''}{more},"
            f" by the rule {one['rule']}: {one['matches']}"
        )


def _rule(said: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a rule, as its document."""
    return {
        name.rstrip("_"): list(value) if isinstance(value, tuple) else value
        for name, value in said.items()
        if value not in ((), None)
    }


def _one(name: str) -> str:
    return f"{_PATH}/{segment(name)}"


def _said(rule: Mapping[str, Any]) -> Iterator[str]:
    off = "" if rule["enabled"] else " (disabled)"
    name = f"{rule['position']}. {rule['name']}{off}"
    yield f"{name}: {rule['action']} ({rule['matches']})"
    if rule["unknown"]:
        names = " ".join(rule["unknown"][:10])
        yield f"There is nobody here with the address {names}; is it misspelt?"
