"""C{smfdctl trace}: what became of a message, and why."""

from collections.abc import Iterator
from typing import Any

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import Face, verb
from smfd.ctl.table import table
from smfd.model.verdict import VERDICTS


@click.group()
def trace() -> None:
    """What became of a message, and why."""


@trace.command()
@click.option("--recipient", default="", help="user@domain, @domain, or a beginning.")
@click.option("--sender", default="", help="Likewise; <> for bounces.")
@click.option("--subject", default="", help="Words that are all in it.")
@click.option("--client", "address", default="", help="An IP address, or 192.0.2.*")
@click.option("--since", default="", help="2026-03-30, 2026-03-30T12:00:00Z, 2h, 3d.")
@click.option("--until", default="", help="Likewise.")
@click.option("--verdict", default="", help=", ".join(VERDICTS))
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@verb
def search(face: Face, /, address: str, **wanted: Any) -> None:
    """Find messages and refusals, the newest first."""
    with asking(face) as client:
        found = client.get("/v1/trace", {"client": address, **wanted})
    face.show(found, _found(found))


@trace.command()
@click.argument("id")
@verb
def show(face: Face, id: str) -> None:  # noqa: A002
    """Show everything about one: stages, findings, and where it is."""
    with asking(face) as client:
        found = client.get(f"/v1/trace/{segment(id)}")
    face.show(found, _trace(found, face.command))


def _found(found: dict[str, Any]) -> Iterator[str]:
    names = ("time", "id", "verdict", "score", "sender", "recipients", "subject")
    rows = []
    for item in found["items"]:
        recipients = item["recipients"]
        more = f" +{len(recipients) - 1}" if len(recipients) > 1 else ""
        first = f"{recipients[0]}{more}" if recipients else ""
        rows.append([item[n] if n != "recipients" else first for n in names])
    yield from table(names, rows)
    yield f"Complete up to {found['complete_up_to']}."


def _trace(found: dict[str, Any], command: str) -> Iterator[str]:
    record = found["record"]
    yield from _head(record)
    yield ""
    yield from _findings(record)
    yield ""
    yield from _fates(found, command)
    for act in found["acts"]:
        yield f"{act['time']}  {act['actor']}  {act['act']}  {act['detail']}"


def _head(record: dict[str, Any]) -> Iterator[str]:
    tls = record.get("tls") or "in the clear"
    yield f"{record['id']}  {record['time']}  {record.get('flow', '')}"
    yield f"  client   {record['client']} ({record['helo']}), {tls}"
    yield f"  sender   <{record['sender']}>"
    for name in ("header_from", "subject", "message_id"):
        if record.get(name):
            label = {"header_from": "from", "message_id": "message"}.get(name, name)
            yield f"  {label:<8} {record[name]}"
    score = record.get("score")
    total = "" if score is None else f", score {score:g}"
    ms = f", judged in {record['ms']:g} ms" if record.get("ms") else ""
    yield f"  verdict  {record['verdict']}{total}{ms}"
    if record.get("size"):
        yield f"  size     {record['size']} octets"
    if record.get("reply"):
        yield f"  reply    {record['reply']}"


def _findings(record: dict[str, Any]) -> Iterator[str]:
    findings = record.get("findings") or []
    if not findings:
        yield "No stage looked at it."
        return
    rows = [
        [f["stage"], f["symbol"], f["result"], _points(f["score"]), f["ms"], _why(f)]
        for f in findings
    ]
    names = ("stage", "symbol", "result", "score", "ms", "reason")
    yield from table(names, rows)


def _points(score: float | None) -> str:
    return "" if score is None else f"{score:+g}"


def _why(finding: dict[str, Any]) -> str:
    who = f"{finding['recipient']}: " if finding.get("recipient") else ""
    seen = f"  [{finding['evidence']}]" if finding.get("evidence") else ""
    return f"{who}{finding['reason']}{seen}"


def _fates(found: dict[str, Any], command: str) -> Iterator[str]:
    """What was decided for each, and where it is now."""
    id_ = found["record"]["id"]
    now = {r["address"]: r for r in found["recipients"]}
    for fate in found["record"].get("fates") or []:
        yield f"{fate['recipient']}: {fate['disposition']}, {fate['category']}"
        yield f"  because {fate['reason']}"
        recipient = now.pop(fate["recipient"], None)
        if recipient is not None:
            yield from _place(f"{command} quarantine release {id_}", recipient)
    for address, recipient in now.items():
        yield f"{address}: {recipient['category']}"
        yield from _place(f"{command} quarantine release {id_}", recipient)


def _place(release: str, recipient: dict[str, Any]) -> Iterator[str]:
    state, detail = recipient["state"], recipient.get("detail")
    yield f"  now {state}{f', {detail}' if detail else ''}"
    if recipient.get("decided") and recipient.get("actor"):
        yield f"  {state} {recipient['decided']} by {recipient['actor']}"
    if state == "held":
        yield f"  let it in with: {release}-{recipient['number']}"
