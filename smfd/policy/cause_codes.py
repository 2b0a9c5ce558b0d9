"""
What the large providers and those who filter for others say.

The first sign that fits counts, so what says more stands before what says less.
"""

from smfd.model.cause import About, Kind
from smfd.policy.cause_sign import Sign

_ADDRESS, _DOMAIN = Kind.REPUTATION_ADDRESS, Kind.REPUTATION_DOMAIN
_UNKNOWN, _FULL = Kind.UNKNOWN_RECIPIENT, Kind.MAILBOX_FULL

_GOOGLE = (
    "Google judges our address by what its users call spam. Register address and"
    " domains at Google Postmaster Tools, and see which account began it."
)
_MICROSOFT = (
    "Our address is on Microsoft's own block list. Stop what began it, ask for"
    " release with Microsoft's form for Outlook.com senders (business mail: the"
    " delist portal), and join SNDS and JMRP."
)
_YAHOO = (
    "Yahoo's users complain, or see more of us than before. Send less for a day,"
    " join its complaint feedback loop, and see which account began it."
)
_LIST = (
    "Our address is on a list in the DNS; the sample names it. Stop what began it,"
    " then have it taken off: its site says how."
)
_SPAMHAUS = (
    "Our address is on a list of Spamhaus. Look it up at check.spamhaus.org, mend"
    " what that says (a stolen account, an infected host), then ask for removal."
)
_HOME_LINE = (
    "The list says that this address is not meant to send mail at all (a home"
    " line). If it is a server's, its owner removes it there; else use another."
)
_DOMAIN_LIST = (
    "A domain in the mail is on a list (DBL, SURBL or URIBL). See which link or"
    " sender it is; its owner has it taken off."
)
_TELEKOM = (
    "T-Online takes mail of known servers only. Give the server's name a web page"
    " that says who runs it, then write to tobr@rx.t-online.de."
)
_ORANGE = (
    "Orange has had enough of our address for now. Open fewer connections; if it"
    " stays, write to its postmaster with the code in the sample."
)
_PROVED = (
    "Their rule for this sender is DMARC's. Align SPF or DKIM with the From; what"
    " we forward needs ARC and SRS."
)

#: What is known of one provider or product; the enhanced status stands first.
SPECIFIC = (
    # Exchange Online refuses unknown recipients so, with a number as if of spam.
    Sign(_UNKNOWN, ("5.4.1 recipient address rejected: access denied",)),
    # We ourselves.
    Sign(
        Kind.SERVER,
        ("5.4.6 mail for * would come back to us",),
        "Mail for that domain leads back to us, and it is not hosted here. Host it, or"
        " send it elsewhere (smfdctl queue reroute); else its MX records are wrong.",
        About.US,
    ),
    # Google.
    Sign(
        Kind.RATE,
        ("unusual rate of unsolicited mail", "unsolicitedratelimiterror"),
        _GOOGLE,
    ),
    Sign(_DOMAIN, ("low reputation of the sending domain",), _GOOGLE),
    Sign(_ADDRESS, ("low reputation of the sending ip",), _GOOGLE),
    Sign(
        Kind.RATE,
        (
            "user you are trying to contact is receiving mail",
            "recipient thread limit exceeded",
        ),
        "The recipient gets more mail than his provider lets through. It is tried"
        " again; nothing is to be done.",
        About.RECIPIENT,
        slow_down=False,
    ),
    Sign(
        Kind.AUTHENTICATION,
        (
            "7.26 *rate limit",
            "7.27 *rate limit",
            "7.30 *rate limit",
            "unauthenticatedemail",
        ),
        slow_down=True,
    ),
    Sign(
        Kind.DNS,
        ("ipv6 sending guidelines", "ipv6autherror"),
        "Google wants PTR and SPF or DKIM of what comes over IPv6. Give the IPv6"
        " address a name that has it, or send over IPv4.",
    ),
    Sign(Kind.CONTENT, ("unsolicitedmessageerror", "likely unsolicited mail")),
    Sign(Kind.CONTENT, ("blockedmessage", "content presents a potential security")),
    # Microsoft.
    Sign(
        _ADDRESS,
        (
            "(s3150)",
            "(s3140)",
            "network is on our block list",
            "banned sending ip",
            "5.7.511 ",
            "5.7.708 ",
        ),
        _MICROSOFT,
    ),
    Sign(
        _ADDRESS,
        (
            "4.7.650 ",
            "4.7.651 ",
            "4.7.652 ",
            "rate limited due to ip reputation",
            "rp-001",
            "rp-002",
            "rp-003",
        ),
        "Microsoft lets few messages of an address it does not know well pass. It is"
        " slowed down by itself; SNDS shows what Microsoft thinks.",
    ),
    Sign(
        Kind.AUTHENTICATION,
        ("5.7.515 ", "5.7.509 ", "required authentication level"),
        _PROVED,
    ),
    Sign(Kind.RATE, ("4.7.500 ", "(s77714)", "(s77719)", "server busy*as(")),
    Sign(
        Kind.POLICY,
        (
            "notauthorized",
            "5.7.124 ",
            "5.7.133 ",
            "5.7.134 ",
            "5.7.136 ",
            "tenantattribution",
        ),
    ),
    # Yahoo and AOL.
    Sign(
        _ADDRESS,
        (
            "[tss",
            "[ts0",
            "unexpected volume or user complaints",
            "will be permanently deferred",
        ),
        _YAHOO,
    ),
    Sign(_ADDRESS, ("[bl21]", "[bl22]", "[bl23]"), _SPAMHAUS),
    Sign(Kind.AUTHENTICATION, ("5.7.9 message not accepted for policy",), _PROVED),
    # Apple.
    Sign(
        Kind.CONTENT,
        ("[cs01]", "[cs02]", "[ct01]"),
        "Apple's filter took it for spam, by what is in it and whose it is. Look at"
        " the message; if it is good, write to icloudadmin@apple.com with the sample.",
    ),
    Sign(
        Kind.POLICY,
        ("[hm07]", "[hm08]", "[pr01]"),
        "Apple refuses our address or the sender's domain. See its reverse name and"
        " the lists, then write to icloudadmin@apple.com with the sample.",
        About.US,
        slow_down=True,
    ),
    # United Internet: GMX, web.de, 1&1, IONOS.
    Sign(Kind.DNS, ("bad dns ptr",)),
    Sign(
        _ADDRESS,
        ("reject due to policy violation", "reject due to policy restriction"),
        "GMX and web.de refuse so whom many unknown recipients, changing HELO names"
        " or a list speak against. The link in the sample says which; their form"
        " takes it off.",
    ),
    # Deutsche Telekom.
    Sign(_ADDRESS, ("a problem occurred*postmaster", "tobr"), _TELEKOM),
    # Orange, La Poste, Free.
    Sign(_UNKNOWN, ("ofr204_416", "ofr_416", "lpn007_416", "lpn007_426")),
    Sign(_FULL, ("ofr204_417", "ofr_417")),
    Sign(
        Kind.RATE,
        ("ofr004_104", "ofr_104", "trop de connexions", "service refuse. veuillez es"),
        _ORANGE,
    ),
    Sign(_ADDRESS, ("ofr_506", "ofr_999", "ofr0", "ofr506", "lpn0"), _ORANGE),
    # Facebook, Charter, Cox.
    Sign(Kind.POLICY, ("recipient preferences",)),
    Sign(_ADDRESS, ("aup#",)),
    # Comcast.
    Sign(Kind.RATE, ("rl00000", "rl00001")),
    Sign(_ADDRESS, ("bl00000",)),
    # Those who filter for others.
    Sign(
        _ADDRESS,
        ("ipcheck.proofpoint.com", "csi.cloudmark.com"),
        "Proofpoint's lists hold our address back. Look it up at"
        " ipcheck.proofpoint.com, and ask for its release there.",
    ),
    Sign(Kind.GREYLISTING, ("internal resource temporarily unavailable",)),
    Sign(
        _ADDRESS,
        ("poor reputation sender", "ct ip reputation", "host network not allowed"),
    ),
    Sign(
        Kind.POLICY,
        (
            "envelope blocked",
            "blocked senders",
            "anti-spoofing policy",
            "policy level block list",
        ),
    ),
    Sign(
        _ADDRESS,
        ("barracudacentral", "barracudanetworks.com/reputation"),
        "Barracuda's list has our address. Stop what began it, and ask for removal at"
        " barracudacentral.org.",
    ),
    Sign(
        _ADDRESS,
        (
            "senderbase",
            "talosintelligence",
            "access to submit messages to this e-mail system has been rejected",
            "trend micro email reputation",
            "mail-abuse.com",
        ),
    ),
    # Lists in the DNS.
    Sign(
        _DOMAIN,
        ("dbl.spamhaus", "surbl", "uribl", "rhsbl", "dbl)", "domain is listed"),
        _DOMAIN_LIST,
    ),
    Sign(_ADDRESS, ("/pbl", "pbl.spamhaus", "policy block list"), _HOME_LINE),
    Sign(_ADDRESS, ("spamhaus",), _SPAMHAUS),
    Sign(
        _ADDRESS,
        (
            "dnsbl",
            "blocked using",
            "listed at",
            "listed in",
            "listed by",
            "listed on",
            "spamcop",
            "sorbs.net",
            "uceprotect",
            "rbl.",
            " rbl",
            "blacklist",
            "black list",
            "blocklist",
            "block list",
            "block-list",
            "blackhole",
        ),
        _LIST,
    ),
)
