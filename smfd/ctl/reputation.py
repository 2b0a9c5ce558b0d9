"""C{smfdctl reputation} and C{smfdctl suppression}: what others think of our mail."""

from collections.abc import Iterator
from typing import Any

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import Face, verb
from smfd.ctl.noun import Noun
from smfd.ctl.table import table
from smfd.ctl.wrapped import wrapped

#: Characters of a bar.
_BAR = 24


@click.command()
@click.option("--domain", default="", help="Only what was sent in its name.")
@click.option(
    "--days",
    type=click.IntRange(1, 400),
    default=7,
    show_default=True,
    help="So many, with today.",
)
@verb
def reputation(face: Face, domain: str, days: int) -> None:
    """
    Show why others reject our mail, and what to do.

    The bars: # is what was sent, - what was put off, x what was rejected.
    """
    query: dict[str, Any] = {"days": days}
    if domain:
        query["domain"] = domain
    with asking(face) as client:
        found = client.get("/v1/reputation", query)
    face.show(found, _page(found))


def _page(found: dict[str, Any]) -> Iterator[str]:
    of = f" of {found['domain']}" if found["domain"] else ""
    yield f"Mail{of} to the world, {found['days']} days"
    yield ""
    for sentence in found["answer"]:
        yield from wrapped(sentence)
    yield ""
    yield from _providers(found["providers"])
    yield from _causes(found["providers"])
    yield from _sources(found["sources"])
    yield from _dns(found["dns"])
    yield from _accounts(found["accounts"])
    yield from _days(found["by_day"])
    if found["suppressed"]:
        yield f"Addresses that do not exist and get no mail: {found['suppressed']}"


def _providers(providers: list[dict[str, Any]]) -> Iterator[str]:
    rows = [
        (
            one["provider"],
            one["sent"],
            one["deferred"],
            one["rejected"],
            f"{one['rejected_share']:.1%}",
            f"{one['slowed_to']:g} a minute" if one["slowed_to"] else "",
            _bar(one),
        )
        for one in providers
    ]
    if rows:
        names = ("provider", "sent", "deferred", "rejected", "share", "slowed to", "")
        yield from table(names, rows)
        yield ""


def _causes(providers: list[dict[str, Any]]) -> Iterator[str]:
    for one in providers:
        for cause in one["causes"]:
            yield f"{one['provider']}: {cause['what']}, {cause['number']}"
            yield from wrapped(cause["advice"], "  ")
            if cause["sample"]:
                yield f"  {cause['time']} {cause['host']}"
                yield from wrapped(f"said: {cause['sample']}", "  ")
            yield ""


def _sources(sources: list[dict[str, Any]]) -> Iterator[str]:
    for one in sources:
        sent, failed = one["sent"], one["deferred"] + one["rejected"]
        yield f"From {one['address']}: {sent} sent, {failed} not"
        name = one["names"][0] if one["names"] else "unknown"
        yield f"  name      {name}{': ' + one['fault'] if one['fault'] else ''}"
        for listed in one["listed"]:
            since = f"since {listed['since']}"
            yield f"  LISTED    {listed['zone']}: {listed['meaning']}, {since}"
        for label, key in (("clean", "not_listed"), ("unsure", "unsure")):
            if one[key]:
                yield f"  {label:<8}  {', '.join(one[key])}"
        if one["warm_up"] is not None:
            yield f"  warm-up   {one['warm_up']} to each provider today"
        yield ""


def _dns(checks: list[dict[str, Any]]) -> Iterator[str]:
    for one in checks:
        yield f"{one['verdict']:<5} {one['what']} {one['name']}"
        yield from wrapped(one["fix"], "      ")
    if checks:
        yield ""


def _accounts(accounts: list[dict[str, Any]]) -> Iterator[str]:
    rows = [
        (
            a["account"],
            a["sent"],
            a["deferred"],
            a["rejected"],
            a["complaints"],
            _bar(a),
        )
        for a in accounts
    ]
    if rows:
        names = ("worst accounts", "sent", "deferred", "rejected", "complaints", "")
        yield from table(names, rows)
        yield ""


def _days(days: list[dict[str, Any]]) -> Iterator[str]:
    if len(days) > 1:
        rows = [
            (d["day"], d["sent"], d["deferred"], d["rejected"], _bar(d)) for d in days
        ]
        yield from table(("day", "sent", "deferred", "rejected", ""), rows)
        yield ""


def _bar(one: dict[str, Any]) -> str:
    """What was sent, put off and rejected, side by side."""
    parts = (("#", one["sent"]), ("-", one["deferred"]), ("x", one["rejected"]))
    tries = sum(number for _, number in parts)
    if not tries:
        return ""
    # What there is at all is seen, however little it is.
    return "".join(
        mark * max(1, round(_BAR * number / tries)) for mark, number in parts if number
    )


@click.group()
def suppression() -> None:
    """Addresses whose server said that they do not exist: no mail goes there."""


_SUPPRESSED = Noun(
    "/v1/suppressions", ("domain", "recipient", "times", "last", "until", "why")
)
_SUPPRESSED.lists(
    suppression,
    "Show them, the latest first.",
    click.option("--domain", default="", help="Only what this domain learned."),
)


@suppression.command()
@click.argument("domain")
@click.argument("recipient")
@verb
def remove(face: Face, domain: str, recipient: str) -> None:
    """Let DOMAIN write to RECIPIENT again."""
    path = f"{_SUPPRESSED.path}/{segment(domain)}/{segment(recipient)}"
    with asking(face) as client:
        gone = client.delete(path)
    face.show(gone, [f"{gone['domain']} may write to {gone['recipient']} again."])
