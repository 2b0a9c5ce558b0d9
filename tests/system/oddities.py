"""Messages such as mail programs should not write, and some do."""

import random
from collections.abc import Iterator

_WORDS = ("a", "word", "Wort", "slovo", "x" * 70, "x" * 990, "=20", ".", "..", "From ")
_BLANKS = ("", " ", "\t", "  ", " \t ", " " * 80)
_FROM = (
    "{a}", "<{a}>", "Ann <{a}>", '"Ann, B." <{a}>', "=?utf-8?q?=C3=84nn?= <{a}>",
    "Ann\r\n <{a}>", "Ann  \t <{a}>  ", "\r\n\t<{a}>",
)  # fmt: skip
_TO = (
    "{b}", "B <{b}>,\r\n\tC <c@far.test>,\r\n   <d@far.test>", "undisclosed:;",
    "<{b}> ", "\r\n {b}", ", ".join(f"u{n}@far.test" for n in range(40)),
)  # fmt: skip
_SUBJECT = (
    "Hello", "", " ", "  two  blanks  ", "tab\tand\t\ttab", "folded\r\n once",
    "folded\r\n\ttwice \r\n  x  ", "=?utf-8?b?w6TDtsO8?=\r\n =?utf-8?b?w5/DnA==?=",
    "colon: and; semi", "x" * 900, "b=123; bh=456", "trailing   ",
)  # fmt: skip
#: A signature that somebody put there before, and that nobody can check.
_OTHERS = (
    "DKIM-Signature: v=1; a=rsa-sha256; d=x.test; s=x; h=from; bh="
    "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=" + "A" * 172
)
_MORE = (
    "Reply-To: <{a}>", "Cc: <c@far.test>", "Cc:\r\n <c@far.test>", "Message-ID: <1@x>",
    "Date: Sun, 22 Nov 2026 07:00:00 +0000", "References: <1@x>\r\n\t<2@x>\r\n <3@x>",
    "In-Reply-To:<1@x>", "MIME-Version: 1.0", "mime-version:1.0 (odd)",
    'Content-Type: text/plain;\r\n\tcharset="utf-8"', "X-Odd:", "X-Folded: a\r\n b",
    "List-Unsubscribe: <mailto:x@far.test>", "Received: from x by y; now",
    "Content-Transfer-Encoding: 8bit", "Bcc: <secret@far.test>",
    "X-Spam-Flag: NO", "Content-Language: de", "Precedence:\r\n bulk", "X-A: a\tb ",
    "Return-Path: <x@far.test>", _OTHERS,
)  # fmt: skip
_BODIES = (
    b"", b"\r\n", b"\r\n\r\n\r\n", b" ", b" \r\n", b"\t\r\n \r\n\r\n", b"Hi.",
    b"Hi.\r\n", b"Hi. \r\n", b"Hi.\r\n\r\n\r\n", b".\r\n", b"..\r\n.\r\n", b".",
    b"\r\nHi.\r\n", b" Hi.\r\n", b"a\tb  c \t d\r\n", b"\xe4\xf6\xfc\xff\r\n",
    "\u00e4\u00f6 \u2603 \U0001f600\r\n".encode(), b"x" * 997 + b"\r\n",
    b"a\r\n" * 300, b" \r\n" * 300 + b"end\r\n",
    b"x" * 5000 + b"\r\n", b"line\r\n" * 40_000, b"y" * 76 + b" \r\n",
)  # fmt: skip


def oddities(count: int, author: str, recipient: str) -> Iterator[bytes]:
    """
    So many, always the same; some without a line end at their end, which DATA adds.

    Each has its number in X-Number.
    """
    chance = random.Random(84)
    for number in range(count):
        lines = [
            f"X-Number: {number}",
            chance.choice(("From:", "FROM: ", "from:  "))
            + chance.choice(_FROM).format(a=author),
            *chance.sample([more.format(a=author) for more in _MORE], 6),
            "Subject:" + chance.choice(("", " ")) + chance.choice(_SUBJECT),
            "To: " + chance.choice(_TO).format(b=recipient),
        ]
        once = {line.partition(":")[0].lower(): line for line in lines}
        body = _body(chance)
        if chance.random() < 0.1:
            once["content-type"] = 'Content-Type: multipart/mixed;\r\n boundary="b"'
            body = b"\r\n--b\r\n\r\n" + body + b"\r\n--b--\r\n \r\n"
        fields = list(once.values())
        chance.shuffle(fields)
        header = "".join(f"{field}\r\n" for field in fields).encode()
        yield header + b"\r\n" + body


def _body(chance: random.Random) -> bytes:
    """One of those, or lines put together at will."""
    if chance.random() < 0.4:
        return chance.choice(_BODIES)
    lines = [
        chance.choice(_BLANKS) + chance.choice(_WORDS) + chance.choice(_BLANKS)
        for _ in range(chance.randrange(12))
    ]
    end = chance.choice(("", "\r\n", "\r\n\r\n", " ", " \r\n"))
    return ("\r\n".join(lines) + end).encode()
