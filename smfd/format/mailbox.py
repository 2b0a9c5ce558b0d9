"""
The one author of a message, or nobody.

A From field that can be read in two ways has no author here: what two readers
may see differently must not pass an authentication.

Standards: RFC 5322 §3.4 and §3.6.2, RFC 6532, RFC 7489 §6.6.1.
"""

import re
from collections.abc import Iterator, Sequence

import idna

#: A longer From field is not read, in octets.
LONGEST = 2048

_FOLD = re.compile(r"\r\n(?=[ \t])")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_AMBIGUOUS = re.compile(r"[\s@<>,;:\ud800-\udfff]")
_TOKENS = re.compile(
    r"""(?P<space>[ \t]+)
    | (?P<quoted>"(?:[^"\\]|\\.)*")
    | (?P<atom>[^ \t()<>\[\]:;@\\,."]+)
    | (?P<special>[()<>\[\]:;@\\,."])
    """,
    re.VERBOSE,
)
_LDH = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+"
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z"
)

#: What nearly everybody writes: words or one quoted string and C{<local@domain>},
#: or the address alone.  Possessive but for the choice: each octet is read twice.
_COMMON = re.compile(
    rb"""[ ]?
    ( (?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~. -]*+ | "[ !#-\[\]-~]*+"[ ]*+ ) < )?
    ([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++ (?>(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++)*))
    @ ([A-Za-z0-9._-]++)
    (?(1)>)
    """,
    re.VERBOSE,
)

_STEPS = {"(": 1, ")": -1}

_Token = tuple[str, str]


def author(values: Sequence[bytes]) -> str | None:
    """
    The address of the author, when there is exactly one.

    @param values: of the From fields.
    @return: C{local@domain}, the domain in lower case as A-labels, the local
        part unquoted; None for no From or several, a list, a group, a domain
        literal, or anything that is not RFC 5322 or that
        would read differently without its quotation marks.
    """
    # RFC 5322 §3.6: exactly one From.
    if len(values) != 1 or len(values[0]) > LONGEST:
        return None
    common = _COMMON.fullmatch(values[0])
    if common is not None:
        name = common[3].decode().lower()
        return f"{common[2].decode()}@{name}" if _LDH.match(name) else None
    return _spelled(values[0])


def domain(address: str) -> str:
    """What follows the last "@" of an address."""
    return address.rpartition("@")[2]


def _spelled(value: bytes) -> str | None:
    """The author of a From field, however it is written."""
    # Many a display name is neither ASCII nor RFC 6532; it is not looked at.
    text = value.decode("utf-8", "surrogateescape")
    text = _FOLD.sub("", text).strip(" \t\r\n")
    if _CONTROL.search(text):
        return None
    tokens = _without_comments(list(_tokens(text)))
    return None if tokens is None else _mailbox(tokens)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while found := _TOKENS.match(text, at):
        assert found.lastgroup is not None
        yield found.lastgroup, found.group()
        at = found.end()
    if at < len(text):
        yield "bad", text[at]


def _without_comments(tokens: list[_Token]) -> list[_Token] | None:
    """The tokens outside of comments, spaces dropped; None if unbalanced."""
    kept: list[_Token] = []
    depth, escaped = 0, False
    for kind, text in tokens:
        if depth and kind == "quoted":
            # In a comment a quotation mark is a letter like any other, but
            # not every reader knows: whatever it hides, we do not guess.
            return None
        if depth and (escaped or text == "\\"):
            escaped = not escaped
            continue
        step = _STEPS.get(text, 0)
        depth += step
        if depth < 0:
            return None
        if not (depth or step or kind == "space"):
            kept.append((kind, text))
    return None if depth else kept


def _mailbox(tokens: list[_Token]) -> str | None:
    """RFC 5322 §3.4: name-addr or addr-spec."""
    texts = [text for kind, text in tokens if kind != "quoted"]
    if texts.count("@") != 1:
        return None
    if texts.count("<") == texts.count(">") == 0:
        return _addr_spec(tokens)
    opens = [n for n, (kind, text) in enumerate(tokens) if text == "<"]
    if len(opens) != 1 or tokens[-1] != ("special", ">") or texts.count(">") != 1:
        return None
    if not all(_phrase(token) for token in tokens[: opens[0]]):
        return None
    return _addr_spec(tokens[opens[0] + 1 : -1])


def _phrase(token: _Token) -> bool:
    # RFC 5322 §4.1: obs-phrase lets the period in, and everybody writes it.
    return token[0] in {"atom", "quoted"} or token[1] == "."


def _addr_spec(tokens: list[_Token]) -> str | None:
    """RFC 5322 §3.4.1, without domain literals."""
    at = tokens.index(("special", "@")) if ("special", "@") in tokens else 0
    local = _local_part(tokens[:at])
    name = _domain(tokens[at + 1 :])
    if not local or not name or _AMBIGUOUS.search(local):
        return None
    return f"{local}@{name}"


def _local_part(tokens: list[_Token]) -> str:
    if len(tokens) == 1 and tokens[0][0] == "quoted":
        return re.sub(r"\\(.)", r"\1", tokens[0][1][1:-1])
    return _dot_atom(tokens)


def _domain(tokens: list[_Token]) -> str:
    name = _dot_atom(tokens).lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return ""
    return name if _LDH.match(name) else ""


def _dot_atom(tokens: list[_Token]) -> str:
    """RFC 5322 §3.2.3: atoms with one period between; else nothing."""
    if len(tokens) % 2 == 0:
        return ""
    for n, (kind, text) in enumerate(tokens):
        if (kind != "atom") if n % 2 == 0 else (text != "."):
            return ""
    return "".join(text for _, text in tokens)
