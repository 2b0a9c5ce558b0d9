"""Who may write as whom."""

from attrs import frozen


@frozen
class Grant:
    """
    An address that a user may write as, besides his own (C15).

    @ivar account: the user, C{local@domain}, lower case.
    @ivar address: the address that counts as his, likewise.
    @ivar created: seconds since the epoch.
    """

    account: str
    address: str
    created: float = 0.0


@frozen
class Identity:
    """
    An address that counts as a user's, and why.

    @ivar why: "own", "alias": it leads to him and to nobody else, or "grant".
    """

    address: str
    why: str
