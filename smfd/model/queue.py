"""What is asked of the queue of mail for other servers, and what it answers."""

from attrs import frozen

from smfd.model.entry import Consignment

#: Stands for every site where sites are held.
EVERY = "*"


@frozen
class Choice:
    """
    Which recipients in the queue are meant: who fits all that is named.

    @ivar entry: the message, by its id.
    @ivar site: the domain whose server takes it; "" is any, mailboxes
        of ours included.
    @ivar sender: C{<>} is that of bounces.
    @ivar account: the login of who handed it in.
    @ivar before: only messages whose ids are below this: they are older.
    @ivar states: where they stand, of "due" and "suspended".
    @ivar spared: accounts whose messages are not meant.
    """

    entry: str = ""
    site: str = ""
    sender: str = ""
    recipient: str = ""
    account: str = ""
    before: str = ""
    states: tuple[str, ...] = ("due", "suspended")
    spared: tuple[str, ...] = ()


@frozen
class SiteState:
    """
    What is known of a site, while it is not all well.

    @ivar held: somebody holds its mail back.
    @ivar route: where its mail goes instead of to its own servers, or "".
    @ivar next_try: when its server may be tried again, seconds since the epoch.
    @ivar attempts: how often nobody was there, one time after the other.
    @ivar why: what was wrong the last time.
    @ivar since: when it began.
    """

    site: str
    held: bool = False
    route: str = ""
    next_try: float = 0.0
    attempts: int = 0
    why: str = ""
    since: float = 0.0


@frozen
class Owed:
    """
    That a site is owed something.

    @ivar first: when the first of it may be tried; 0 is at once.
    """

    state: SiteState
    first: float


@frozen
class Found:
    """
    What is due to a site.

    @ivar more: there is more that is due now.
    @ivar next_try: when the first of what is put off is to be tried.
    """

    consignments: list[Consignment]
    more: bool
    next_try: float | None


@frozen
class Changed:
    """
    What became of those that were chosen.

    @ivar count: how many recipients were changed.
    @ivar sites: whose mail they are.
    """

    count: int
    sites: frozenset[str]


@frozen
class Old:
    """
    Somebody whose mail has waited for long.

    @ivar consignment: it, without its body.
    @ivar words: the last words about it.
    """

    consignment: Consignment
    words: str
