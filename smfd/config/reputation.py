"""The settings of what others think of our mail (S25, S26)."""

import re
from datetime import date
from ipaddress import ip_address

from attrs import field, frozen

from smfd.config import value
from smfd.config.setting import setting

_MAILBOX = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")


def _address(text: str) -> str:
    """An IP address."""
    try:
        ip_address(text)
    except ValueError:
        return f'"{text}" is not an IP address; write "192.0.2.25".'
    return ""


def _day(text: str) -> str:
    """A day."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return f'"{text}" is not a day; write "2026-11-22".'
    return ""


def _mailbox(text: str) -> str:
    """An address of mail, or nothing."""
    if not text or _MAILBOX.fullmatch(text):
        return ""
    return f'"{text}" is not an address; write "reports@example.org".'


@frozen
class ProviderLimits:
    """
    How a provider of many mailboxes is served, in place of what we know of him.

    His hosts are known by the ends of their names.
    """

    name: str = setting("What he is called in reports.", example='"google"')
    hosts: tuple[str, ...] = setting(
        "What the names of his servers end in.",
        check=value.hostname,
        example='["google.com", "googlemail.com"]',
    )
    connections: int = setting(
        "Connections at once; 0: as many as to anybody.",
        0,
        low=0,
        high=1000,
        example="5",
    )
    per_minute: float = setting(
        "Messages a minute from each of our addresses; 0: no limit.",
        0.0,
        low=0,
        high=1e6,
        example="300",
    )


@frozen
class WarmUpSource:
    """
    An address of ours that nobody knows yet: it sends little at first.
    """

    address: str = setting("The address.", check=_address, example='"192.0.2.1"')
    since: str = setting(
        "The day it began to send.", check=_day, example='"2026-11-22"'
    )


@frozen
class Reputation:
    """
    What others think of our mail: counted, watched, and acted on.
    """

    keep_days: int = setting(
        "How long counts and samples are kept.", 30, unit="days", low=1, high=400
    )
    slow_down: bool = setting(
        "Who says that it is too much is sent half as much for a while.", True
    )
    suppress: bool = setting(
        "Nothing is sent to addresses whose server said that they do not exist: for "
        "a day the first time, for suppress_days when it is said again. Users are "
        "told so at once.",
        True,
    )
    suppress_days: float = setting(
        "How long it is for, the second time.", 30.0, unit="days", low=1, high=365
    )
    addresses: tuple[str, ...] = setting(
        "Our addresses as others see them. Empty: those of our hostname.",
        (),
        check=_address,
        example='["192.0.2.25", "2001:db8::25"]',
    )
    lists: tuple[str, ...] = setting(
        "Lists in the DNS that are asked once an hour whether they have our "
        "addresses. Nobody's is asked unless it is written here.",
        (),
        check=value.hostname,
        example='["zen.spamhaus.org", "bl.spamcop.net"]',
    )
    warm_up_first: int = setting(
        "What a new address may send to one provider on its first day; twice as "
        "much each day after.",
        50,
        unit="messages",
        low=1,
        high=100_000,
    )
    reports_to: str = setting(
        "The mailbox of ours that reports on DMARC and on TLS come to (rua): what is "
        "delivered there is read, too.",
        "",
        check=_mailbox,
        example='"dmarc@example.org"',
    )
    reports_from: str = setting(
        "The address that our own DMARC reports come from: once a day domains that ask "
        "for it are told what came in their name. An address of a hosted domain with "
        "DKIM keys. Empty: no reports, and nothing is counted for them.",
        "",
        check=_mailbox,
        example='"dmarc-reports@example.org"',
    )
    complaints_to: str = setting(
        "The mailbox of ours that complaints come to, from feedback loops (ARF).",
        "",
        check=_mailbox,
        example='"fbl@example.org"',
    )
    provider: tuple[ProviderLimits, ...] = field(default=())
    warm_up: tuple[WarmUpSource, ...] = field(default=())
