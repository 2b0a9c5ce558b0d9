"""
Text out of octets, for people and for features: never to be sent on.

Whatever the octets, text comes out, in linear time, without control characters
and without what makes text run backwards.

Standards: RFC 2047 §2 and §6.2, RFC 2231 §5 (language suffix), RFC 6532 §3.2.
"""

import binascii
import codecs
import re
from collections.abc import Iterator

#: RFC 2047 §2, but lenient: spaces inside Q text are common.
_WORD = re.compile(
    rb"=\?([!-)+->@-~]{1,60})(?:\*[^?\s]{0,40})?\?([bBqQ])\?([^?]{0,4000})\?="
)

#: Between two encoded words white space means nothing (RFC 2047 §6.2).
_GAP = re.compile(rb"[ \t\r\n]*+")

_FOLD = re.compile(r"[\r\n]+[ \t]*|\t")

#: C0, C1, bidi marks, embeddings, overrides and isolates, half characters.
_UNFIT = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ufeff\ud800-\udfff]+"
)

#: Charsets that are read; each name stands for the widest one it is used for.
_CHARSETS = {
    **{name: "gb18030" for name in ("gb2312", "gbk", "gb18030", "hz-gb-2312")},
    **{name: "cp932" for name in ("shift_jis", "shift-jis", "sjis", "x-sjis", "cp932")},
    **{name: "cp949" for name in ("euc-kr", "ks_c_5601-1987", "cp949", "uhc")},
    **{name: "iso2022_jp_ext" for name in ("iso-2022-jp", "iso-2022-jp-2")},
    **{name: "cp1252" for name in ("iso-8859-1", "latin1", "iso_8859-1", "ansi")},
    **{f"iso-8859-{n}": f"iso8859-{n}" for n in (*range(2, 12), 13, 14, 15, 16)},
    **{f"windows-{n}": f"cp{n}" for n in (874, *range(1250, 1259))},
    **{f"cp{n}": f"cp{n}" for n in (437, 850, 852, 866, 874, *range(1250, 1259))},
    **{name: name for name in ("big5hkscs", "euc-jp", "koi8-r", "koi8-u", "utf-7")},
    **{name: name for name in ("utf-16", "utf-16le", "utf-16be", "utf-32", "tis-620")},
    "iso-8859-8-i": "iso8859-8",
    "iso-2022-kr": "iso2022_kr",
    "big5": "big5hkscs",
    "macintosh": "mac-roman",
}

_PLAIN = frozenset(("", "utf-8", "utf8", "us-ascii", "ascii", "unknown-8bit"))


def to_text(data: bytes, charset: str = "") -> tuple[str, bool]:
    """
    Decode octets.

    Undeclared octets are UTF-8 (RFC 6532 §3.2) or else Windows-1252.

    @return: the text, nothing removed; and whether the charset was one we know.
    """
    name = charset and charset.strip().strip("\"'").lower()
    if name not in _PLAIN:
        codec = _CHARSETS.get(name)
        if codec is not None:
            return codecs.decode(data, codec, "replace"), True
    try:
        return data.decode(), name in _PLAIN
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), name in _PLAIN


def clean(text: str) -> str:
    """Unfold, and take out what is not for eyes; tabs become spaces."""
    if text.isprintable():
        return text  # Nothing of that is printable.
    return _UNFIT.sub("", _FOLD.sub(" ", text))


def masked(text: str) -> str:
    """The text, with a question mark for whatever cannot be printed."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "?" for c in text)


def printable(line: str) -> str:
    """
    The line with what could steer a terminal, or hide, written as escapes.

    Subjects and senders come from strangers.
    """
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() or c == "\t" else _escaped(c) for c in line)


def decode_words(value: bytes, limit: int = 16384) -> str:
    """
    Decode a field's value for people (RFC 2047), cleaned and stripped.

    @param limit: octets of the value that are read; the rest is left out.
    """
    value = value[:limit]
    if b"=?" not in value:
        return clean(to_text(value)[0]).strip()
    return clean("".join(_pieces(value))).strip()


def _pieces(value: bytes) -> Iterator[str]:
    """The text between encoded words, and the text in them, in order."""
    at = 0
    charset, waiting = "", b""
    for match in _WORD.finditer(value):
        between = value[at : match.start()]
        name = match[1].decode("latin-1").lower()
        if waiting and (_GAP.fullmatch(between) is None or name != charset):
            # Two words of one charset are joined first: senders cut characters.
            yield to_text(waiting, charset)[0]
            waiting = b""
            if not between.isspace():
                yield to_text(between)[0]
        elif not waiting:
            yield to_text(between)[0]
        charset = name
        waiting += _octets(match[2], match[3])
        at = match.end()
    yield to_text(waiting, charset)[0]
    yield to_text(value[at:])[0]


def _octets(encoding: bytes, text: bytes) -> bytes:
    """What an encoded word stands for; as it is when that cannot be told."""
    if encoding in b"qQ":
        # RFC 2047 §4.2: an underscore is a space whatever the charset.
        return binascii.a2b_qp(text, header=True)
    text = re.sub(rb"[^A-Za-z0-9+/]+", b"", text)
    if len(text) % 4 == 1:
        text = text[:-1]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
