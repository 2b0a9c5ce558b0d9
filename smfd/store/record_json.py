"""
Decision records as JSON.

Enums go by their value; every finding names its class.
"""

import json
from typing import Any

from smfd.model.finding import Finding, Listed
from smfd.model.record import Record
from smfd.model.verdict import Fate

_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


def record_document(record: Record) -> dict[str, Any]:
    """A record as plain values."""
    document = _plain(record)
    document["recipients"] = list(record.recipients)
    document["named"] = list(record.named)
    document["findings"] = [_finding_document(f) for f in record.findings]
    document["fates"] = [_fate_document(f) for f in record.fates]
    return document


def record_json(record: Record) -> str:
    """A record as JSON text, ASCII only."""
    return _ENCODE(record_document(record))


def _plain(value: Any) -> dict[str, Any]:
    """The fields of a slotted value; attrs.asdict is twenty times slower."""
    return {name: getattr(value, name) for name in value.__match_args__}


def _finding_document(finding: Finding) -> dict[str, Any]:
    document = _plain(finding)
    document["result"] = finding.result.value
    document["class"] = "Listed" if isinstance(finding, Listed) else "Finding"
    return document


def _fate_document(fate: Fate) -> dict[str, Any]:
    document = _plain(fate)
    document["disposition"] = fate.disposition.value
    return document
