"""How a message stands: what its findings so far amount to."""

from collections.abc import Iterable, Sequence

from smfd.model.finding import Finding, Listed, Result
from smfd.model.transaction import Transaction

#: Nobody can look into it without a password; what that means is the
#: recipients' domains' to say.
ENCRYPTED = "VIRUS_ENCRYPTED"


def is_infected(findings: Iterable[Finding]) -> bool:
    """Whether a virus was found, or the scanner cannot take the message."""
    return any(
        f.stage == "virus"
        and f.result in (Result.FAIL, Result.SUSPECT)
        and f.symbol != ENCRYPTED
        for f in findings
    )


def listed_for(findings: Iterable[Finding], recipient: str) -> tuple[Listed, ...]:
    """The list entries that match, for one recipient, in their precedence."""
    return tuple(
        f for f in findings if isinstance(f, Listed) and f.recipient == recipient
    )


def is_authenticated(findings: Sequence[Finding], identity: str) -> bool:
    """
    Whether an identity was proved (C9).

    The header's author by an aligned SPF or DKIM pass, the envelope's sender
    by SPF.
    """
    symbol = "AUTHENTICATED" if identity == "header" else "SPF_PASS"
    return any(f.symbol == symbol for f in findings)


def awaits_authentication(transaction: Transaction) -> bool:
    """Whether for some recipient it matters who the sender really is."""
    if not any(isinstance(f, Listed) for f in transaction.findings):
        return True
    return any(not listed or listed[0].allow for listed in _listings(transaction))


def awaits_judgement(transaction: Transaction) -> bool:
    """Whether some recipient neither trusts nor blocks the sender."""
    if not any(isinstance(f, Listed) for f in transaction.findings):
        return True
    return any(
        not any(
            not entry.allow or is_authenticated(transaction.findings, entry.identity)
            for entry in listed
        )
        for listed in _listings(transaction)
    )


def _listings(transaction: Transaction) -> list[tuple[Listed, ...]]:
    return [
        listed_for(transaction.findings, str(forward.address))
        for forward in transaction.envelope.recipients
    ]
