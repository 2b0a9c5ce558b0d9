"""
Words that all servers have in common, and what they mean by them.

The first sign that fits counts, so what says more stands before what says less.
"""

from smfd.model.cause import About, Kind
from smfd.policy.cause_sign import Sign

_ADDRESS, _DOMAIN = Kind.REPUTATION_ADDRESS, Kind.REPUTATION_DOMAIN
_UNKNOWN, _FULL = Kind.UNKNOWN_RECIPIENT, Kind.MAILBOX_FULL

#: Words that servers have in common.
WORDS = (
    Sign(_UNKNOWN, ("recipient address rejected: domain not found",)),
    Sign(Kind.GREYLISTING, ("greylist", "graylist", "grey-list", "gray-list")),
    Sign(
        Kind.TLS,
        (
            "starttls command first",
            "must issue a starttls",
            "tls required",
            "requires tls",
            "tls is required",
            "encryption required",
            "encrypted connection",
        ),
    ),
    Sign(
        Kind.SERVER,
        ("relay access denied", "relaying denied", "unable to relay", "not relay"),
        "The server that the DNS names for the domain does not know the domain. Its"
        " administrator must mend that, or the MX record.",
    ),
    Sign(_DOMAIN, ("domain reputation", "reputation of the domain")),
    Sign(_ADDRESS, ("reputation",)),
    Sign(
        Kind.AUTHENTICATION,
        (
            "dmarc",
            "spf policy",
            "spf check",
            "spf fail",
            "spf*fail",
            "sender policy framework",
            "openspf",
            "dkim",
            "unauthenticated",
            "authentication information",
            "authentication checks",
            "not authorized to send",
            "not permitted by the domain",
        ),
    ),
    Sign(
        Kind.DNS,
        (
            "reverse dns",
            "rdns",
            "ptr record",
            "no ptr",
            "missing ptr",
            "cannot find your",
            "reverse hostname",
            "reverse lookup",
            "helo command rejected",
            "invalid helo",
            "helo name",
            "ehlo name",
            "sender address rejected: domain",
            "sender domain",
            "domain of sender",
            "domain does not exist",
            "sender verif",
            "hostname not found",
            "unresolvable",
        ),
    ),
    Sign(
        Kind.SIZE,
        (
            "message size exceeds",
            "size limit",
            "too large",
            "too big",
            "exceeds size",
            "maximum message size",
            "maximum size",
        ),
    ),
    Sign(
        _FULL,
        (
            "mailbox full",
            "mailbox is full",
            "inbox is full",
            "over quota",
            "overquota",
            "over the quota",
            "over its quota",
            "quota exceeded",
            "exceeded*quota",
            "quota*exceeded",
            "out of storage",
            "exceeded storage",
            "boite du destinataire pleine",
            "no space left in mailbox",
        ),
    ),
    Sign(
        Kind.CONTENT,
        (
            "considered spam",
            "considered as spam",
            "looks like spam",
            "detected as spam",
            "classified as spam",
            "identified as spam",
            "spam message",
            "spam content",
            "spam score",
            "spam detected",
            "virus",
            "malware",
            "infected",
            "phish",
            "the nature of the content",
            "message content",
            "content reject",
            "attachment",
        ),
    ),
    Sign(
        Kind.RATE,
        (
            "too many recipients",
            "recipients per message",
        ),
        "They take fewer recipients of one message. The others are tried by another"
        " one; nothing is to be done.",
        slow_down=False,
    ),
    Sign(
        Kind.RATE,
        (
            "rate limit",
            "ratelimit",
            "rate-limit",
            "throttl",
            "too many",
            "too fast",
            "too much mail",
            "slow down",
            "connection limit",
            "limit exceeded",
            "exceeded the maximum number",
            "hourly limit",
            "sending rate",
            "message rate",
        ),
    ),
    Sign(
        _UNKNOWN,
        (
            "user unknown",
            "unknown user",
            "user is unknown",
            "no such user",
            "no such recipient",
            "no such mailbox",
            "no such address",
            "does not exist",
            "doesn't exist",
            "not found",
            "mailbox unavailable",
            "mailbox disabled",
            "invalid recipient",
            "invalid mailbox",
            "recipient invalid",
            "unknown recipient",
            "recipient unknown",
            "address unknown",
            "unknown address",
            "account is disabled",
            "account has been disabled",
            "account that you tried to reach is inactive",
            "user doesn't have",
            "not our customer",
            "unrouteable address",
            "no mailbox here",
            "no longer exists",
            "destinataire invalide",
            "destinataire inconnu",
            "unbekannt",
        ),
    ),
)

#: Words that say more than a status that may mean anything.
SPAM = (
    Sign(Kind.CONTENT, ("spam", "unsolicited", "suspicious", "content", "bulk mail")),
)

#: Words that say little.
VAGUE = (
    Sign(
        Kind.SERVER,
        (
            "try again",
            "try later",
            "temporar",
            "unavailable",
            "busy",
            "timeout",
            "timed out",
            "local error",
            "internal error",
            "insufficient system",
            "system problem",
            "overload",
            "shutting down",
        ),
    ),
    Sign(
        Kind.POLICY,
        (
            "policy",
            "denied",
            "not allowed",
            "administrat",
            "prohibit",
            "blocked",
            "banned",
            "not accepted",
            "refused",
            "rejected",
        ),
    ),
)

#: What went wrong where they said nothing.
SILENCE = (
    Sign(Kind.TLS, ("starttls", "tls ", "certificate", "handshake", "mta-sts")),
    Sign(
        Kind.DNS,
        (
            "dns ",
            "the dns",
            "no mx",
            "null mx",
            "no address",
            "name server",
            "no such domain",
            "look-up",
        ),
        "The DNS does not say where the domain's mail goes. If it is so for many"
        " domains, our resolver is ill; else their zone is.",
        About.THEM,
    ),
)
