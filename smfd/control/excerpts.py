"""
Somebody's held mail, read by who has to judge it: a beginning, made harmless.

A worker process reads the message; what it says is not believed either: each
text is cut, and written so that it steers no terminal and cannot be clicked.
"""

import os
import re
from typing import Any

from twisted.internet import defer

from smfd.control.approvals import acting
from smfd.control.held import existing
from smfd.control.house import Actor, Document, House
from smfd.format.words import printable
from smfd.model.directory import Refused
from smfd.model.excerpt import ATTACHED, FIELDS, FILES, LINE, LINES, LINKS, VALUE
from smfd.model.transaction import Body
from smfd.scan.workers import Busy, JobFailed, Overdue, WorkerDied

#: Octets of a message that are looked at.
LOOKED_AT = 4 << 20

#: Seconds for a turn of a worker, and its look.
_PATIENCE = 30.0

_HOST = re.compile(r"(?<=://)[^/?#\s]*|\bwww\.[^/?#\s]*", re.IGNORECASE)
_AGAIN = "Try again."


async def text(
    house: House,
    actor: Actor,
    *,
    id: str,  # noqa: A002
    approver: str = "",
) -> Document:
    """
    The beginning of a held message; that somebody read it is noted first.

    @param approver: who has to approve of it, and reads.
    """
    item = await existing(house, id)
    actor = await acting(house, actor, item, approver)
    if house.workers is None:
        raise Refused(
            "conflict",
            "Nobody is there to look into a message.",
            "A stage that has workers must be on: content, dkim or virus.",
        )
    path = os.path.join(house.home, item["path"])
    data = await house.spool.head(Body(0, path=path), LOOKED_AT)
    said = await _looked(house, Body(len(data), data))
    await house.ledger.audit(actor.name, "read", id, "looked at the text")
    return {"id": id, **_harmless(said), "whole": len(data) < LOOKED_AT}


async def _looked(house: House, body: Body) -> Any:
    assert house.workers is not None
    d = house.workers.submit("excerpt", body, {})
    try:
        return await d.addTimeout(_PATIENCE, house.clock)
    except (Overdue, JobFailed) as failed:
        raise Refused("conflict", "It cannot be read, or not in time.") from failed
    except (Busy, WorkerDied, defer.TimeoutError) as failed:
        raise Refused("conflict", "It cannot be read just now.", _AGAIN) from failed


def _harmless(said: Any) -> Document:
    """What a worker says, whatever it says."""
    said = _members(said)
    header = _members(said.get("header"))
    return {
        "header": {name: _line(header.get(name), 4 * VALUE) for name in FIELDS},
        "texts": [_text(one) for one in _list(said.get("texts"), 2)],
        "hidden": _count(said.get("hidden")),
        "links": [_link(one) for one in _list(said.get("links"), LINKS)],
        "link_count": _count(said.get("link_count")),
        "attachments": [
            _attachment(one) for one in _list(said.get("attachments"), ATTACHED)
        ],
        "attachment_count": _count(said.get("attachment_count")),
    }


def _text(said: Any) -> Document:
    said = _members(said)
    return {
        "type": _line(said.get("type"), VALUE),
        "lines": [_line(line, LINE) for line in _list(said.get("lines"), LINES)],
        "more": said.get("more") is True,
    }


def _link(said: Any) -> Document:
    said = _members(said)
    return {name: _line(said.get(name), VALUE) for name in ("target", "says")}


def _attachment(said: Any) -> Document:
    said = _members(said)
    return {
        "name": _line(said.get("name"), VALUE),
        "type": _line(said.get("type"), VALUE),
        "size": _count(said.get("size")),
        "marks": [_line(mark, VALUE) for mark in _list(said.get("marks"), LINKS)],
        "files": [_line(name, VALUE) for name in _list(said.get("files"), FILES)],
    }


def _line(value: Any, most: int) -> str:
    """Text that steers nothing and leads nowhere."""
    text = printable(value[:most]) if isinstance(value, str) else ""
    return _HOST.sub(_unclickable, text).replace("://", "[:]//")


def _unclickable(host: re.Match[str]) -> str:
    return host[0].replace(".", "[.]")


def _members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any, most: int) -> list[Any]:
    return value[:most] if isinstance(value, list) else []


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0
