"""
The story of one message, for people.

Who sent it, what each stage saw, what was decided for whom, and where it is.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from smfd.ctl.face import Faint

#: How what we know of a message is called here, in the order of the telling.
_LABELS = {
    "account": "account",
    "sender": "sender",
    "to": "to",
    "header_from": "from",
    "subject": "subject",
    "message_id": "message",
    "size": "size",
    "verdict": "verdict",
    "reply": "reply",
    "count": "times",
}

#: The longest symbol and stage that do not push the columns aside.
_WIDE = 30


def story(found: dict[str, Any], release: str) -> Iterator[str]:
    """
    Tell it, a line at a time.

    @param found: the document of C{/v1/trace/ID}.
    @param release: the command that lets an item out, without the item.
    """
    record = found["record"]
    yield f"{record['id']}  {record['time']}  {record.get('flow', '')}".rstrip()
    yield from _head(record)
    yield ""
    yield from _findings(record)
    yield from _fates(found, release)
    if found["acts"]:
        yield ""
    for act in found["acts"]:
        told = (act["time"], act["actor"], act["act"], act["detail"])
        yield "  ".join(text for text in told if text)


def _head(record: dict[str, Any]) -> Iterator[str]:
    tls = record.get("tls") or "in the clear"
    helo = f" ({record['helo']})" if record.get("helo") else ""
    # What smfd wrote itself came from nobody.
    if record["client"]:
        yield f"  client   {record['client']}{helo}, {tls}"
    facts = {
        **record,
        "sender": f"<{record['sender']}>",
        # Who got it is told at the end, if anybody did.
        "to": "" if record.get("fates") else " ".join(record["recipients"]),
        "size": f"{record['size']} octets" if record.get("size") else "",
        "verdict": _verdict(record),
        "count": count if (count := record.get("count", 1)) > 1 else "",
    }
    for name, label in _LABELS.items():
        if facts.get(name):
            yield f"  {label:<8} {facts[name]}"


def _verdict(record: dict[str, Any]) -> str:
    score, ms = record.get("score"), record.get("ms")
    total = "" if score is None else f", score {score:g}"
    return f"{record['verdict']}{total}{f', judged in {ms:g} ms' if ms else ''}"


def _findings(record: dict[str, Any]) -> Iterator[str]:
    """A line for each finding under its stage, its evidence below."""
    findings = record.get("findings") or []
    if not findings:
        yield "No stage looked at it."
        return
    stage, symbol = (_width(findings, name) for name in ("stage", "symbol"))
    line = f"{{:<{stage}}}  {{:<{symbol}}}  {{:<7}}  {{:>7}}  {{:>7}}  {{}}"
    margin = " " * (stage + 2)
    yield line.format("STAGE", "SYMBOL", "RESULT", "SCORE", "MS", "FINDING")
    for name, group in groupby(findings, key=lambda finding: finding["stage"]):
        for finding in group:
            score, ms = _points(finding["score"]), f"{finding['ms']:.2f}"
            row = (finding["symbol"], finding["result"], score, ms, _why(finding))
            yield line.format(name, *row)
            name = ""  # noqa: PLW2901 - once is enough
            if finding.get("evidence"):
                yield Faint(f"{margin}  {finding['evidence']}")
    if any(finding["score"] for finding in findings):
        yield line.format("", "", "sum", f"{record['score']:g}", "", "").rstrip()


def _width(findings: list[dict[str, Any]], name: str) -> int:
    longest = max(len(finding[name]) for finding in findings)
    return max(len(name), min(longest, _WIDE))


def _points(score: float | None) -> str:
    return f"{score:+g}" if score else ""


def _why(finding: dict[str, Any]) -> str:
    who = f"{finding['recipient']}: " if finding.get("recipient") else ""
    return f"{who}{finding['reason']}"


def _fates(found: dict[str, Any], release: str) -> Iterator[str]:
    """What was decided for each recipient, and where his copy is now."""
    now = {one["address"]: one for one in found["recipients"]}
    for fate in found["record"].get("fates") or []:
        recipient = now.pop(fate["recipient"], {})
        yield ""
        yield f"{fate['recipient']}: {fate['disposition']}, {fate['category']}"
        yield f"  because {fate['reason']}"
        yield from _place(recipient, f"{release} {found['record']['id']}")
    # Whom nobody judged: a copy that was released, for one.
    for address, recipient in now.items():
        yield ""
        yield f"{address}: {recipient['category']}"
        yield from _place(recipient, f"{release} {found['record']['id']}")


def _place(recipient: dict[str, Any], release: str) -> Iterator[str]:
    if not recipient:
        return
    state, detail = recipient["state"], recipient.get("detail")
    yield f"  now {state}{f', {detail}' if detail else ''}"
    if recipient.get("next_try"):
        yield f"  tried again {recipient['next_try']}"
    if recipient.get("decided") and recipient.get("actor"):
        yield f"  {state} {recipient['decided']} by {recipient['actor']}"
    if state == "held" and recipient["category"] != "virus":
        yield Faint(f"  let it in: {release}-{recipient['number']}")
