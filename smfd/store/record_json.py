"""
Decision records as JSON, and back.

Enums go by their value; every finding names its class.  A field that an older
version did not know comes back with its default, one that a newer version
wrote is passed over.
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from smfd.model.finding import Finding, Listed, Result
from smfd.model.record import Record
from smfd.model.verdict import Disposition, Fate

_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


def record_document(record: Record) -> dict[str, Any]:
    """A record as plain values."""
    document = _plain(record)
    document["recipients"] = list(record.recipients)
    document["findings"] = [_finding_document(f) for f in record.findings]
    document["fates"] = [_fate_document(f) for f in record.fates]
    return document


def record_json(record: Record) -> str:
    """A record as JSON text, ASCII only."""
    return _ENCODE(record_document(record))


def record_from(document: Mapping[str, Any]) -> Record:
    """
    A record from plain values.

    @raise TypeError: fields that every record has are missing.
    @raise ValueError: a value is none that we know.
    """
    known = _known(Record, document)
    known["recipients"] = tuple(document.get("recipients", ()))
    known["findings"] = tuple(_finding(f) for f in document.get("findings", ()))
    known["fates"] = tuple(_fate(f) for f in document.get("fates", ()))
    return Record(**known)


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


def _known(kind: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    names = {a.name for a in attrs.fields(kind)}
    return {name: value for name, value in document.items() if name in names}


def _finding(document: Mapping[str, Any]) -> Finding:
    kind = Listed if document.get("class") == "Listed" else Finding
    known = _known(kind, document)
    known["result"] = Result(document["result"])
    return kind(**known)


def _fate(document: Mapping[str, Any]) -> Fate:
    known = _known(Fate, document)
    known["disposition"] = Disposition(document["disposition"])
    return Fate(**known)
