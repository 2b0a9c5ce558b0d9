"""Headers that say to somebody that another wrote them, and headers that do not."""

from base64 import b64encode
from random import Random

OWN, BOSS = b"ann@home.example", b"boss@bank.example"

_PLAIN = b"From: Ann <ann@home.example>\r\n"
_REST = (
    b"To: x@a.example\r\nSubject: hello\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
)

#: What follows the colon of From.
_VALUES = (
    b" boss@bank.example",
    b" <boss@bank.example>",
    b" Boss <boss@bank.example>",
    b" ANN@home.example.bank.example",
    b" ann@bank.example",
    b" ann@sub.home.example",
    b" bob@home.example",
    b" bob+ann@home.example",
    b" ann.x@home.example",
    # Two, whatever stands between them.
    b" ann@home.example, boss@bank.example",
    b" boss@bank.example, ann@home.example",
    b" Ann <ann@home.example>, Boss <boss@bank.example>",
    b" <boss@bank.example>,<ann@home.example>",
    b" <boss@bank.example> <ann@home.example>",
    b" <ann@home.example> <boss@bank.example>",
    b" <ann@home.example>; <boss@bank.example>",
    b" <ann@home.example>boss@bank.example",
    b" <ann@home.example> boss@bank.example",
    b" boss@bank.example <ann@home.example>",
    b" boss@bank.example<ann@home.example>",
    b" <boss@bank.example>ann@home.example",
    b" ann@home.example <boss@bank.example>",
    b" ann@home.example boss@bank.example",
    b" ann@home.example,",
    b" ,ann@home.example",
    b" ann@home.example;",
    b" <ann@home.example>, ",
    b" <<boss@bank.example>ann@home.example>",
    b" <ann@home.example<boss@bank.example>>",
    b" <boss@bank.example>(<ann@home.example>)",
    b" <ann@home.example>(<boss@bank.example>)",
    # Names that are addresses.
    b' "boss@bank.example" <ann@home.example>',
    b' "boss@bank.example\\" x" <ann@home.example>',
    b' "Boss <boss@bank.example>" <ann@home.example>',
    b' "<boss@bank.example>" <ann@home.example>',
    b' "boss@bank.example, " <ann@home.example>',
    b" 'boss@bank.example' <ann@home.example>",
    b' "x" boss@bank.example <ann@home.example>',
    b' "Boss\\" <boss@bank.example>, \\"x" <ann@home.example>',
    b' "\\"" <boss@bank.example>, "\\"" <ann@home.example>',
    b' "Ann\\\\" <ann@home.example>',
    b' "Ann\\\\" <boss@bank.example>, "\\\\" <ann@home.example>',
    b' "Ann" "<ann@home.example>',
    b' "Ann \\" x" <ann@home.example>',
    "  boss\uff20bank.example <ann@home.example>".encode(),
    ' "boss\ufe6bbank.example" <ann@home.example>'.encode(),
    ' "\uff1cboss\uff20bank.example\uff1e" <ann@home.example>'.encode(),
    # Comments.
    b" (boss@bank.example) ann@home.example",
    b" ann@home.example (boss@bank.example)",
    b" (<boss@bank.example>) <ann@home.example>",
    b" Ann (x (boss@bank.example)) <ann@home.example>",
    b" boss(x)@bank.example <ann@home.example>",
    b" ann(boss@bank.example)@home.example",
    b" ann@home.example(,boss@bank.example)",
    b" ann@(\r\n )home.example",
    b" ann@home(.bank).example",
    b" (\\) <boss@bank.example>, (x) <ann@home.example>",
    b' ("x) <boss@bank.example>, (x") <ann@home.example>',
    b" (x <ann@home.example>",
    b" x) <ann@home.example>",
    # Groups and routes.
    b" friends: boss@bank.example;, ann@home.example",
    b" friends: ann@home.example;",
    b" ann@home.example:boss@bank.example;",
    b" undisclosed:;<ann@home.example>",
    b" <@bank.example:ann@home.example>",
    b" <@home.example,@bank.example:ann@home.example>",
    b" <boss@bank.example:ann@home.example>",
    # Quotation marks, escapes, percents and bangs in addresses.
    b' "ann"@home.example',
    b' "boss@bank.example"@home.example',
    b' "ann@home.example\0"@bank.example',
    b" ann\\@home.example@bank.example",
    b" boss@bank.example@home.example",
    b" ann@home.example@bank.example",
    b" boss%bank.example@home.example",
    b" bank.example!ann@home.example",
    b" ann+boss%bank.example@home.example",
    b" ann+boss!x@home.example",
    b" ann@[192.0.2.1]",
    b" ann@home.example\\",
    b" .ann@home.example",
    b" ann.@home.example",
    b" ann@home.example.",
    b" ann@.home.example",
    b" ann @home.example",
    b" ann@ home.example",
    b" ann",
    b" <>",
    b" @home.example",
    b"",
    b" ",
    # Encoded words.
    b" =?utf-8?q?boss=40bank.example?= <ann@home.example>",
    b' "=?utf-8?q?boss=40bank.example?=" <ann@home.example>',
    b" =?utf-8?b?Ym9zc0BiYW5rLmV4YW1wbGU=?= <ann@home.example>",
    b" =?utf-8?b?Ym9zc0Bi?= =?utf-8?b?YW5rLmV4YW1wbGU=?= <ann@home.example>",
    b" =?utf-8?b?Ym9zc0BiYW5rLmV4YW1wbGU?= <ann@home.example>",
    b" =?utf-8?q?boss=40?==?us-ascii?q?bank.example?= <ann@home.example>",
    b" =?utf-8?q?=3Cboss=40bank.example=3E?= <ann@home.example>",
    b" =?utf-8?q?=3Cboss=40bank.example=3E=2C?= <ann@home.example>",
    b" =?utf-8?q?boss=40bank.example=00?= <ann@home.example>",
    b" =?utf-8?q?boss=40bank.example=0A?= <ann@home.example>",
    b" =?utf-8?q?Ann=0D=0AFrom:_boss?= <ann@home.example>",
    b" =?utf-8?q?Ann=00?= <ann@home.example>",
    b" =?utf-7?q?boss+AEA-bank.example?= <ann@home.example>",
    b" =?unicode-1-1-utf-7?q?boss+AEA-bank.example?= <ann@home.example>",
    b" =?utf-16?b?AGIAbwBzAHMAQABi?= <ann@home.example>",
    b" =?cp037?q?=82=96=A2=A2=7C=82=81=95=92?= <ann@home.example>",
    b" =?x-unknown?q?boss?= <ann@home.example>",
    b" =?utf-8?q?=3D=3Futf-8=3Fq=3Fboss=3D40bank=2Eexample=3F=3D?= <ann@home.example>",
    b" =?utf-8?q?=22?= <ann@home.example>",
    b' ":\\"=?utf-8?q?=22?=\\"=?utf-8?q?=22?=" <ann@home.example>',
    b" =?utf-8?q?=28?= <ann@home.example>",
    b" =?utf-8?q?=2C?= =?utf-8?q?=2C?= <ann@home.example>",
    b" =?utf-8?q?Ann=3B?= <ann@home.example>",
    b" =?utf-8?q?x=5C?= <ann@home.example>",
    b" =?utf-8?q?boss=EF=BC=A0bank.example?= <ann@home.example>",
    b" =?utf-8?q?x=E2=80=AE?= <ann@home.example>",
    b" =?utf-8?q?=3Cboss=40bank.example=3E?= ann@home.example",
    b" =?utf-8?q?boss=40bank.example?=",
    b" =?utf-8?q?ann=40home.example?=",
    b" <=?utf-8?q?ann?=@home.example>",
    b" ann+=?utf-8?q?x?=@home.example",
    b" ann@=?utf-8?q?home.example?=",
    b" =?utf-8?q?Ann <ann@home.example>",
    b" Ann =?utf-8?x?boss?= <ann@home.example>",
    b" =?utf-8?q?boss=4?= <ann@home.example>",
    b" (=?utf-8?q?boss=40bank.example?=) ann@home.example",
    # Octets that end a line for some, or are nothing to others.
    b" boss@bank.example\0 <ann@home.example>",
    b" <ann@home.example\0>",
    b" Ann\x0b <ann@home.example>",
    b" Ann\rFrom: boss@bank.example <ann@home.example>",
    b" Ann <ann@home.example>\rFrom: boss@bank.example",
    b" Ann <ann@home.example>\nFrom: boss@bank.example",
    b" Ann <ann@home.example>\x0cFrom: boss@bank.example",
    b" Ann <ann@home.example>\x1cFrom: boss@bank.example",
    " Ann\u2028From: boss <ann@home.example>".encode(),
    " Ann\u0085From: boss <ann@home.example>".encode(),
    " Ann \u202e <ann@home.example>".encode(),
    b" Ann\x80 <ann@home.example>",
    b" Ann\xc0\xbc <ann@home.example>",
    # Letters that become others.
    " \u212aarl <ann@home.example>, x".encode(),
    " ann@home\u3002example".encode(),
    " ann@\uff48ome.example".encode(),
    " a\u00f1n@home.example".encode(),
    " \uff41nn@home.example".encode(),
    # Folds.
    b" Ann\r\n \r\n <ann@home.example>",
    b" Ann <ann@home.example>\r\n ",
    b" Ann <ann@home.example>\r\n\t\r\n boss@bank.example",
    b"\r\n \r\n boss@bank.example",
    b" boss@bank.example\r\n <ann@home.example>",
    b" <ann@home\r\n .example>",
    b' "boss@bank\r\n .example" <ann@home.example>',
    b' "boss\r\n\t@bank.example" <ann@home.example>',
    b' "Boss\r\n <boss@bank.example>, " <ann@home.example>',
    b' "Ann\r\n" <ann@home.example>',
    b' "Ann\n Example" <ann@home.example>',
    b' "Ann\r\n \\" <boss@bank.example>, \\"x" <ann@home.example>',
    b" Ann (x\r\n y) <ann@home.example>",
    b" . <ann@home.example>",
    b" (x) .Ann <ann@home.example>",
    b" Ann B.<ann@home.example>",
    b" ann+'boss@home.example",
    " ann+b\u00f6ss@home.example".encode(),
    b" " + b"x" * 1000 + b" <ann@home.example>",
    b"\r\n " + b"\r\n ".join([b"x" * 70] * 40) + b"\r\n <ann@home.example>",
)

#: Whole headers.
_HEADERS = (
    _REST,
    _PLAIN + b"From: boss@bank.example\r\n" + _REST,
    b"From: boss@bank.example\r\n" + _PLAIN + _REST,
    _PLAIN + _PLAIN + _REST,
    _PLAIN + b"FROM: boss@bank.example\r\n" + _REST,
    _PLAIN + b"From : boss@bank.example\r\n" + _REST,
    b"From : boss@bank.example\r\n" + _PLAIN + _REST,
    b"From\t: ann@home.example\r\n" + _REST,
    b"From : ann@home.example\r\n" + _REST,
    _PLAIN + b" From: boss@bank.example\r\n" + _REST,
    b" From: boss@bank.example\r\n" + _PLAIN + _REST,
    b"\tx\r\n" + _PLAIN + _REST,
    b"From boss@bank.example Sun Nov 22 10:00:00 2026\r\n" + _PLAIN + _REST,
    b">From boss@bank.example\r\n" + _PLAIN + _REST,
    b"no colon\r\n" + _PLAIN + _REST,
    b"Strange name: x\r\n" + _PLAIN + _REST,
    _PLAIN + b"Strange name: x\r\nFrom: boss@bank.example\r\n" + _REST,
    b"Fr\xc3\xb6m: boss@bank.example\r\n" + _PLAIN + _REST,
    b"From\0: boss@bank.example\r\n" + _PLAIN + _REST,
    b"\xef\xbb\xbfFrom: boss@bank.example\r\n" + _PLAIN + _REST,
    b": boss@bank.example\r\n" + _PLAIN + _REST,
    b"\r\n" + _PLAIN + _REST,
    b"X: y\r\n \r\n" + _PLAIN + _REST,
    b"X: y\r\n \t \r\nFrom: boss@bank.example\r\n",
    _PLAIN + b"X: y\r\n \r\n" + _REST,
    _PLAIN + b"X: y\rFrom: boss@bank.example\r\n" + _REST,
    _PLAIN + b"X: y\nFrom: boss@bank.example\r\n" + _REST,
    _PLAIN + b"X: y\0\r\n" + _REST,
    _PLAIN + b"Subject: y\x0bFrom: boss@bank.example\r\n" + _REST,
    _PLAIN + b"X: " + b"y" * 300_000 + b"\r\nFrom: boss@bank.example\r\n",
    _PLAIN + b"X: y\r\n" * 2001 + b"From: boss@bank.example\r\n",
    # Who sent it, and who sent it on.
    _PLAIN + b"Sender: boss@bank.example\r\n" + _REST,
    _PLAIN + b"Sender: ann@home.example, boss@bank.example\r\n" + _REST,
    _PLAIN + b"Sender: ann@home.example\r\nSender: boss@bank.example\r\n" + _REST,
    _PLAIN + b"Sender: ann@home.example\r\nSender: ann@home.example\r\n" + _REST,
    _PLAIN + b'Sender: "boss@bank.example" <ann@home.example>\r\n' + _REST,
    _PLAIN + b"SENDER: boss@bank.example\r\n" + _REST,
    _PLAIN + b"Sender : boss@bank.example\r\n" + _REST,
    _PLAIN + b"Sender:\r\n" + _REST,
    _PLAIN + b"Resent-From: boss@bank.example\r\n" + _REST,
    _PLAIN + b"resent-from: ann@home.example, boss@bank.example\r\n" + _REST,
    b"Resent-From: ann@home.example\r\nResent-From: b@bank.example\r\n"
    + _PLAIN
    + _REST,
    _PLAIN + b"Resent-Sender: boss@bank.example\r\n" + _REST,
    _PLAIN + b"Resent-Sender: =?utf-8?q?boss=40bank.example?=\r\n" + _REST,
    b"Resent-From: ann@home.example\r\nFrom: boss@bank.example\r\n" + _REST,
    b"Sender: ann@home.example\r\nFrom: boss@bank.example\r\n" + _REST,
    b"Reply-To: ann@home.example\r\nFrom: boss@bank.example\r\n" + _REST,
)


def message(value: bytes) -> bytes:
    """A message with that From."""
    return b"From:" + value + b"\r\n" + _REST + b"\r\nHello\r\n"


SPOOFS = (
    *(message(value) for value in _VALUES),
    *(header + b"\r\nHello\r\n" for header in _HEADERS),
)

#: Envelope senders of a message whose From is Ann's.
ENVELOPES = (
    *("boss@bank.example", "ann@bank.example", "bob@home.example", "ann@home.examples"),
    *("ann@sub.home.example", "bob+ann@home.example", "an.n@home.example"),
    *("ann%bank.example@home.example", "bank.example!ann@home.example"),
    *('"ann@home.example"@bank.example', '"ann "@home.example', "ann@[192.0.2.1]"),
    *("ann=home.example@bank.example", "postmaster@home.example", "+ann@home.example"),
)

CONTROLS = (
    message(b" ann@home.example"),
    message(b"ann@home.example"),
    message(b" <ann@home.example>"),
    message(b" Ann Example <ann@home.example>"),
    message(b' "Example, Ann" <ann@home.example>'),
    message(b' "Example,\r\n Ann" <ann@home.example>'),
    message(b' "Example, Ann\r\n\t(Sales; \\"Annie\\")" <ann@home.example>'),
    message(b' "Dr. Ann \\"Annie\\" Example" <ANN@Home.Example>'),
    message(b" Ann B. Example <ann+shop@home.example>"),
    message(b" ann@home.example (Ann Example)"),
    message(b' "Example \\(US\\), Ann" <ann@home.example>'),
    message(b" Ann Example (Sales) <ann@home.example>"),
    message(b" =?utf-8?q?Ann_M=C3=BCller=2C_Sales?= <ann@home.example>"),
    message(b" =?utf-8?q?=22Ann=22_Example?= <ann@home.example>"),
    message(b" =?iso-2022-jp?B?GyRCMD8bKEI=?= <ann@home.example>"),
    message(
        b" =?utf-8?b?w4RubmU=?=\r\n =?utf-8?b?IEV4YW1wbGU=?=\r\n\t<ann@home.example>"
    ),
    message("  Ann\u0113 \u4f8b <ann@home.example>".encode()),
    message(b' "ann@home.example" <ann@home.example>'),
    message(b" 'Ann' <sales@home.example>"),
    _PLAIN + b"Sender: sales@home.example\r\n" + _REST + b"\r\n",
    _PLAIN + b"Reply-To: Boss <boss@bank.example>\r\n" + _REST + b"\r\n",
    _PLAIN + b"Resent-From: ann@home.example\r\n" + _REST + b"\r\n",
    _PLAIN
    + b"Subject: =?utf-8?q?boss=40bank.example?=\r\n\r\nFrom: boss@bank.example\r\n",
    _PLAIN
    + _REST
    + b"Content-Type: message/rfc822\r\n\r\nFrom: boss@bank.example\r\n\r\nHello\r\n",
    _PLAIN + b"Subject: \x1b$B0?\x1b(B caf\xe9\r\n\r\n",
)

_FIRST = (
    "Ann",
    "Bj\u00f6rn",
    "Zo\u00eb",
    "Jos\u00e9",
    "\u5c71\u7530",
    "O'Neill",
    "A.",
    "Dr.",
)
_LAST = ("Example", "M\u00fcller", "van der Berg", "\u592a\u90ce", "Smith-Jones", "III")
_EXTRA = ("", "", " (Sales)", " | Acme", " - IT", " via Shop", " & Co.", " \U0001f600")
_ADDRESSES = ("ann@home.example", "Ann@Home.Example", "sales@home.example")


def plausible(dice: Random) -> bytes:
    """A From that a mail program might write."""
    name = f"{dice.choice(_FIRST)} {dice.choice(_LAST)}{dice.choice(_EXTRA)}"
    if dice.random() < 0.3:
        name = f"{dice.choice(_LAST)}, {dice.choice(_FIRST)}"
    local, _, domain = dice.choice(_ADDRESSES).partition("@")
    if dice.random() < 0.2:
        local += "+" + dice.choice(("shop", "2026", "a.b", "x-y_z"))
    address = f"{local}@{domain}"
    if dice.random() < 0.1:
        return f" {address}".encode()
    gap = dice.choice((" ", " ", "  ", "\r\n ", "\r\n\t", "\t"))
    return b" " + _written(name, dice) + f"{gap}<{address}>".encode()


def _written(name: str, dice: Random) -> bytes:
    quoted = name
    if dice.random() < 0.3:
        quoted = name.replace("(", "\\(").replace(")", "\\)")
    if name.isascii() and not set(name) & set(",(|"):
        return dice.choice((name, _quoted(quoted, dice))).encode()
    if name.isascii() or dice.random() < 0.2:
        return _quoted(quoted, dice).encode()
    charset = dice.choice(("utf-8", "UTF-8", "utf-8*en"))
    parts = [name[:8], name[8:]] if len(name) > 8 and dice.random() < 0.5 else [name]
    words = [_encoded(part, charset, dice.choice("qQbB")) for part in parts]
    return dice.choice((" ", "\r\n ")).join(words).encode()


def _quoted(text: str, dice: Random) -> str:
    """In quotation marks, and folded there where long ones are."""
    gap = dice.choice((" ", " ", " ", "\r\n ", "\r\n\t"))
    return f'"{text.replace(" ", gap)}"'


def _encoded(text: str, charset: str, how: str) -> str:
    data = text.encode()
    if how in "bB":
        return f"=?{charset}?{how}?{b64encode(data).decode()}?="
    said = "".join(
        chr(c) if chr(c).isalnum() and c < 128 else "_" if c == 32 else f"={c:02X}"
        for c in data
    )
    return f"=?{charset}?{how}?{said}?="


#: What From fields of attackers are made of.
_PIECES = (
    *(b"ann@home.example", b"<ann@home.example>", b"<ann@home.example>", b"Ann"),
    *(b"boss@bank.example", b"<boss@bank.example>", b"boss", b"@", b"bank.example"),
    *(b'"', b'"', b"\\", b"(", b")", b"<", b">", b",", b";", b":", b" ", b" ", b"\t"),
    *(
        b"\r\n ",
        b"\r\n\t",
        b'"Boss, B"',
        b'\\"',
        b"(x)",
        b"[",
        b"]",
        b".",
        b"=?",
        b"?=",
    ),
    *(b"=?utf-8?q?boss=40bank.example?=", b"=?utf-8?b?Ym9zcw==?=", b"=?utf-8?q?=22?="),
    *(
        b"=?utf-8?q?=2C?=",
        b"=?utf-8?q?=3C?=",
        b"=?utf-8?q?a?=",
        b"=?iso-8859-1?q?=E9?=",
    ),
    *(
        "\u00e9".encode(),
        "\uff20".encode(),
        b"\xe9",
        b"'",
        b"+x",
        b"%",
        b"!",
        b"\0",
        b"$",
    ),
)


def attempt(dice: Random) -> bytes:
    """A From that an attacker might write; many are Ann's own."""
    pieces = dice.choices(_PIECES, k=dice.randint(0, 5))
    if dice.random() < 0.1:
        pieces = [b'"', *pieces, b'"']
    if dice.random() < 0.8:
        pieces.append(b" <ann@home.example>")
    if dice.random() < 0.2:
        pieces += dice.choices(_PIECES, k=dice.randint(1, 2))
    return b" " + b"".join(pieces)


def mutation(dice: Random) -> bytes:
    """A plausible From with one or two octets or pieces changed."""
    value = bytearray(plausible(dice))
    for _ in range(dice.randint(1, 2)):
        at = dice.randrange(len(value) + 1)
        value[at : at + dice.randint(0, 2)] = dice.choice(_PIECES)
    return bytes(value)


#: What headers of attackers are made of, line by line.
_LINES = (
    *(_PLAIN, _PLAIN, _PLAIN, b"From: boss@bank.example\r\n", b"X: y\r\n", b"X:\r\n"),
    *(b"from: ann@home.example\r\n", b"From : boss@bank.example\r\n", b"x\r\n"),
    *(b" From: boss@bank.example\r\n", b"\tx\r\n", b" \r\n", b"\r\n", b"\n", b"\r"),
    *(b"From\r\n", b"From:\r\n", b":\r\n", b"From boss@bank.example Sun Nov 22\r\n"),
    *(b">From: x\r\n", b"X-From: boss@bank.example\r\n", b"Subject: x\x0cFrom: b\r\n"),
    *(
        b"\xffFrom: boss@bank.example\r\n",
        b"\0",
        b"X: y\n",
        b"X: y\rFrom: b\r\n",
        _REST,
    ),
    *(b"Content-Type: text/plain;\r\n\tcharset=utf-8\r\n", b"X: \xc2\x85From: b\r\n"),
)


def header(dice: Random) -> bytes:
    """A header that an attacker might write."""
    return b"".join(dice.choices(_LINES, k=dice.randint(1, 6))) + b"\r\nHello\r\n"
