"""
Everything that a display name may be read as.

Some readers decode word by word, some join words first, some decode inside of
quotation marks too, where RFC 2047 forbids it.  Who must know what any of them
shows asks for all readings.

Standards: RFC 2047 §2, §4, §5 and §6.2, RFC 2231 §5 (language suffix).
"""

import binascii
import re
from collections.abc import Iterator

from attrs import frozen

from smfd.format.words import to_text

_WORD = re.compile(
    r"=\?([A-Za-z0-9_-]{1,40})(?:\*[A-Za-z0-9-]{1,20})?\?([bBqQ])\?([!->@-~]*+)\?="
)
_QUOTED_PRINTABLE = re.compile(r"(?>(?:[^=]|=[0-9A-Fa-f]{2})*)")

#: Charsets in which octets of ASCII are letters of ASCII, whoever decodes them.
#: In the others, UTF-7 or EBCDIC, an "@" may hide from who does not know them.
_OPEN = re.compile(
    r"utf-?8|(?:us-)?ascii|iso[-_]8859-\d{1,2}(?:-i)?|latin1|windows-(?:874|125\d)"
    r"|cp(?:437|85[02]|866|874|125\d|932|949)|koi8-[ru]|gb(?:2312|k|18030)|big5"
    r"|big5hkscs|euc-(?:jp|kr)|(?:shift[_-]|s)jis|iso-2022-jp|ks_c_5601-1987"
    r"|tis-620|macintosh",
    re.IGNORECASE,
)

#: C0, C1, line separators, and what makes text run backwards.
_UNFIT = re.compile("[\0-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")

#: A comma with no name on one side.
_LONELY = re.compile(r"\A[ \t]*+[,;]|[,;][ \t]*+(?:[,;]|\Z)")


class Ambiguous(ValueError):
    """Readers may differ about it; the words behind "it has", or "it is", say why."""


@frozen
class _Word:
    """An encoded word: what it stands for, and where."""

    charset: str
    octets: bytes
    start: int
    end: int


def readings(phrase: str) -> tuple[str, ...]:
    """
    What a display name says, each way it may be decoded, as written first.

    Linear in its length.

    @raise Ambiguous: it has what no reading can be foretold of.
    """
    check_fit(phrase)
    if "=?" not in phrase:
        return (phrase,)
    words = [_decoded(match) for match in _WORD.finditer(phrase)]
    found = (_text(phrase, words, True), _text(phrase, words, False))
    for text in found:
        check_fit(text)
        if "=?" in text:
            raise Ambiguous("it has something like an encoded word that is none")
        _check_marks(phrase, text)
    return (phrase, *dict.fromkeys(found))


def check_fit(text: str) -> None:
    """Refuse characters that are not for eyes."""
    if not text.isprintable() and _UNFIT.search(text):
        raise Ambiguous("it has control characters")


def _check_marks(written: str, text: str) -> None:
    """
    Whoever decodes first and reads then finds no more than some names.
    """
    marks = written.count('"')
    mixed = marks and text.count('"') > marks
    if mixed or text.count('"') % 2 or text.count("\\") > written.count("\\"):
        raise Ambiguous("it has an encoded quotation mark")
    if _LONELY.search(text):
        raise Ambiguous("it has an encoded comma with no name beside it")
    depth = 0
    for mark in re.findall(r"[()]", text):
        depth += 1 if mark == "(" else -1
        if depth < 0:
            break
    if depth:
        raise Ambiguous("it has an encoded parenthesis")


def _decoded(match: re.Match[str]) -> _Word:
    charset, encoding, text = match.groups()
    if _OPEN.fullmatch(charset) is None:
        raise Ambiguous("it has an encoded word of a rare charset")
    try:
        octets = _octets(encoding, text)
    except ValueError:
        raise Ambiguous("it has an encoded word that is broken") from None
    return _Word(charset.lower(), octets, *match.span())


def _octets(encoding: str, text: str) -> bytes:
    if encoding in "bB":
        return binascii.a2b_base64(text, strict_mode=True) if text else b""
    if _QUOTED_PRINTABLE.fullmatch(text) is None:
        raise ValueError(text)
    return binascii.a2b_qp(text, header=True)


def _text(phrase: str, words: list[_Word], joined: bool) -> str:
    return "".join(_pieces(phrase, words, joined))


def _pieces(phrase: str, words: list[_Word], joined: bool) -> Iterator[str]:
    """What is between the words, and what is in them."""
    at, charset, waiting = 0, "", b""
    for word in words:
        between = phrase[at : word.start]
        # RFC 2047 §6.2: white space between two of them is not shown.
        near = bool(at) and not between.strip(" \t")
        if not (near and joined and word.charset == charset):
            yield to_text(waiting, charset)[0]
            waiting = b""
        if not near:
            yield between
        charset, waiting, at = word.charset, waiting + word.octets, word.end
    yield to_text(waiting, charset)[0]
    yield phrase[at:]
