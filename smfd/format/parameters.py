"""
Content-Type and Content-Disposition: a word and its parameters.

Every name a reader might show is kept, for a dangerous one hides behind a
harmless one otherwise.

Standards: RFC 2045 §5.1, RFC 2183 §2, RFC 2231 §3 and §4.
"""

import re
from urllib.parse import unquote_to_bytes

from attrs import Factory, frozen

from smfd.format.words import clean, decode_words, to_text

#: Octets of a value that are read, and parameters in it.
_LIMIT = 16384
_MOST = 100

#: What readers take a file's name from.
_NAMES = ("filename", "name")

_PARAMETER = re.compile(
    rb';\s*+([^=;\s"]++)\s*+=\s*+(?:"((?>(?:[^"\\]|\\.)*))"|([^;]*+))', re.DOTALL
)
_COMMENT = re.compile(rb"\([^()]*+\)")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_FOLD = re.compile(rb"\r?\n")

#: RFC 2231 §3 and §4: name, section, and a star for what is encoded.
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,4}))?(\*?)")


@frozen
class Parameters:
    """
    A structured value, read.

    @ivar word: what stands before the first semicolon, lower case, without
        comments.
    @ivar values: the first of each parameter, by its name in lower case; odd
        octets as Latin-1.
    @ivar names: every file name that C{filename} and C{name} parameters spell.
    """

    word: str
    values: dict[str, str] = Factory(dict)
    names: tuple[str, ...] = ()


def read_parameters(value: bytes) -> Parameters:
    """Read a value; 16 KiB and a hundred parameters of it at most."""
    value = _FOLD.sub(b"", value[:_LIMIT])
    word, _, _ = _COMMENT.sub(b"", value[:1000]).partition(b";")
    values: dict[str, str] = {}
    names: list[str] = []
    pieces: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for count, match in enumerate(_PARAMETER.finditer(value)):
        if count == _MOST:
            break
        name, section, starred = _split(match[1])
        raw = match[3].strip() if match[2] is None else _ESCAPED.sub(rb"\1", match[2])
        if section is None and not starred:
            if name not in _NAMES:
                values.setdefault(name, raw.decode("latin-1").strip())
                continue
            names.append(decode_words(raw))
            values.setdefault(name, names[-1])
        else:
            pieces.setdefault(name, {}).setdefault(section or 0, (raw, starred))
    for name, sections in pieces.items():
        text = _joined(sections)
        values.setdefault(name, text)
        if name in _NAMES:
            names.append(text)
    return Parameters(_word(word), values, tuple(dict.fromkeys(names)))


def _word(word: bytes) -> str:
    """The word before the parameters, as a key."""
    return b"".join(word.split()).lower().decode("latin-1")


def _split(name: bytes) -> tuple[str, int | None, bool]:
    """A parameter's name, its section, and whether it is encoded."""
    text = name.lower().decode("latin-1")
    match = _SECTION.fullmatch(text)
    if match is None:
        return text, None, False
    return match[1], None if match[2] is None else int(match[2]), bool(match[3])


def _joined(sections: dict[int, tuple[bytes, bool]]) -> str:
    """The text of an RFC 2231 parameter, from its sections in order."""
    charset = ""
    octets = b""
    for number, (raw, starred) in sorted(sections.items()):
        if starred:
            if number == min(sections) and raw.count(b"'") >= 2:
                # RFC 2231 §4: charset'language'text, in the first section.
                first, _, raw = raw.split(b"'", 2)
                charset = first.decode("latin-1")
            raw = unquote_to_bytes(raw)
        octets += raw
    return clean(to_text(octets, charset)[0]).strip()
