"""
The same record for different eyes.

The sender learns that it was refused; the user what it was taken for; the
administrator which rules spoke; the operator everything.
"""

from collections.abc import Mapping
from typing import Any

#: What a recipient is told, by the category of his copy.
SENTENCES = {
    "clean": "It looked clean and went to the inbox.",
    "allowed": "The sender is on an allow list; it went to the inbox.",
    "blocked": "The sender is on a block list.",
    "spam": "It looks like spam.",
    "virus": "It carries a virus.",
    "unscanned": "It could not be scanned for viruses.",
    "released": "It was released from the quarantine.",
    "refused": "It was refused.",
    "deferred": "The sender was asked to try again later.",
}

_FOR_OPERATORS = ("evidence", "ms")
_FOR_USERS = ("id", "time", "flow", "sender", "header_from", "subject", "size")
_FATE = ("address", "category", "state", "decided")


def sentence(category: str) -> str:
    """What a recipient is told about a category."""
    return SENTENCES.get(category, "It was handled by the rules of its domain.")


def for_sender(record_id: str) -> str:
    """What a sender is told when the content was the reason."""
    return f"Message refused; the recipient's postmaster can look up {record_id}"


def for_administrator(trace: Mapping[str, Any]) -> dict[str, Any]:
    """Rules and scores, without what they saw and how long it took."""
    record = dict(trace["record"])
    record["findings"] = [
        {key: value for key, value in finding.items() if key not in _FOR_OPERATORS}
        for finding in record.get("findings", ())
    ]
    record.pop("ms", None)
    return {**trace, "record": record}


def for_user(trace: Mapping[str, Any], address: str) -> dict[str, Any]:
    """One recipient's own share: what it was taken for, in a sentence."""
    record = trace["record"]
    wanted = address.lower()
    own = [
        {key: row.get(key) for key in _FATE} | {"reason": sentence(row["category"])}
        for row in trace.get("recipients", ())
        if row["address"].lower() == wanted
    ]
    return {
        "record": {key: record.get(key) for key in _FOR_USERS},
        "recipients": own,
        "acts": [],
    }
