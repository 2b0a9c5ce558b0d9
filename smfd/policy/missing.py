"""
Domains that are not there, or take no mail, and which accounts wrote to them.

One such domain is one mistake, however many recipients it has: a letter misspelt
in a list of fifty colleagues, a company that gave up its mail.  No server said of
any of them that he is nobody, so they do not make a thief of whoever wrote to
them.  But domains die by the thousand, and lists that are bought are full of
them: so each counts, once a day, as one recipient who does not exist.  Whether
it looks like a misspelling is not asked: of what, a thief would decide.
"""

from collections import OrderedDict

from attrs import define, field

#: Seconds for which a domain is the same mistake.
_DAY = 86_400.0

#: How many mistakes are remembered; who makes more of them a day is counted anew.
_MOST = 20_000


@define
class Missing:
    """The mistakes of the last day."""

    _known: OrderedDict[tuple[str, str], float] = field(factory=OrderedDict, init=False)

    def is_new(self, account: str, domain: str, now: float) -> bool:
        """Whether an account did not write to a domain within a day; now it did."""
        key = account, domain
        at = self._known.get(key)
        # A clock that was set back proves nothing.
        if at is not None and at <= now < at + _DAY:
            return False
        self._known[key] = now
        self._known.move_to_end(key)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return True
