"""
Complaints that come by mail: who called a message of ours spam (S26).

A complaint is a stranger's.  It counts once for each message, and only when it
shows our own name for one that a user of ours sent: whoever makes one up has
to have got such a message.
"""

import re
from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from smfd.control.report_mail import proven_sender

#: RFC 5965 §7.3: what a person, or his filter, called our mail.
_BAD = ("abuse", "fraud", "virus")

_ID = re.compile("[0-9a-z]{16}")


@frozen
class Complaints:
    """
    Takes what a worker read.

    @ivar record: finds the record of a message.
    @ivar first: whether a message is complained of for the first time.
    @ivar tell: is told the sender, the account and who complains.
    @ivar held: counts towards the hold of the account (D5).
    """

    record: Callable[[str], Deferred[dict[str, Any] | None]]
    first: Callable[[str], Deferred[bool]]
    tell: Callable[[str, str, str], object]
    held: Callable[[str], Deferred[Any]]

    async def take(self, said: Any) -> None:
        """
        Count a complaint.

        @raise ValueError: it is none, or about nothing of ours.
        """
        words = said if isinstance(said, dict) else {}
        name = words.get("id")
        if not isinstance(name, str) or not _ID.fullmatch(name):
            raise ValueError("it does not say which message of ours it is about")
        found = await self.record(name)
        account = str(found["record"].get("account") or "") if found else ""
        if not found or not account:
            raise ValueError("it is about no message that a user of ours sent")
        if words.get("kind") not in _BAD or not await self.first(name):
            return
        sender = str(found["record"].get("sender") or "")
        self.tell(sender, account, proven_sender(words))
        await self.held(account)
