"""How much one of our users may send, and what became of one who sent too much."""

from collections.abc import Iterable, Mapping

from attrs import asdict, evolve, fields, frozen


@frozen
class Allowance:
    """
    What one account may send (S20, S24, C14); 0 is no limit.

    @ivar connections: logins in a minute.
    @ivar rate: messages in a minute.
    @ivar messages: messages in 24 hours.
    @ivar recipients: recipients in 24 hours.
    @ivar new_recipients: those of them it never wrote to before.
    @ivar message_recipients: recipients of one message.
    @ivar message_size: octets of one message.
    @ivar hold_breaches: so often too much in 24 hours, and it is held (D5);
        what comes within ten minutes is once.
    @ivar hold_new_recipients: so many first-time recipients, likewise.
    @ivar hold_networks: so many networks it never came from before.
    @ivar hold_identical: so many messages whose body it had sent already.
    @ivar hold_unknown: so many recipients whom nobody knows.
    @ivar hold_unknown_share: but only when so many in a hundred are.
    @ivar hold_complaints: so many messages that recipients called spam.
    """

    connections: int = 0
    rate: int = 0
    messages: int = 0
    recipients: int = 0
    new_recipients: int = 0
    message_recipients: int = 0
    message_size: int = 0
    hold_breaches: int = 0
    hold_new_recipients: int = 0
    hold_networks: int = 0
    hold_identical: int = 0
    hold_unknown: int = 0
    hold_unknown_share: int = 0
    hold_complaints: int = 0


#: What may be limited, by name.
LIMITS = tuple(attribute.name for attribute in fields(Allowance))


def allowance(default: Allowance, scopes: Iterable[Mapping[str, int]]) -> Allowance:
    """
    What counts for somebody.

    @param scopes: what is said of his domain, his groups, himself: the later
        overrules the earlier.
    """
    said: dict[str, int] = {}
    for scope in scopes:
        said |= scope
    return evolve(default, **said) if said else default


def most_generous(said: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """What counts for a member of several groups: the most that one of them has."""
    found: dict[str, int] = {}
    for limits in said:
        for name, most in limits.items():
            known = found.get(name, most)
            found[name] = 0 if 0 in (known, most) else max(known, most)
    return found


def shown(found: Allowance) -> dict[str, int]:
    """By name, as people ask for it."""
    return asdict(found)


@frozen
class Hold:
    """
    An account whose mail is held back (D5).

    @ivar since: seconds since the epoch.
    @ivar actor: who did it; "smfd" when it was us.
    """

    account: str
    since: float
    actor: str
    reason: str
