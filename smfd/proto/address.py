"""
Mailboxes, reverse-paths and domains by a strict grammar.

What does not fit raises L{Malformed}, with a sentence that says what is wrong.

Standards: RFC 5321 §4.1.2, §4.1.3 and §4.5.3.1, RFC 6531 §3.3, RFC 5890.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from unicodedata import category, normalize

import idna
from attrs import field, frozen

from smfd.proto.reply import Malformed

LOCAL_OCTETS = 64  # RFC 5321 §4.5.3.1.1
DOMAIN_OCTETS = 255  # RFC 5321 §4.5.3.1.2
PATH_OCTETS = 256  # RFC 5321 §4.5.3.1.3
LABEL_OCTETS = 63  # RFC 1035 §2.3.4

# RFC 5322 §3.2.3, opened to UTF-8 by RFC 6531 §3.3.
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_DOT_STRING = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*)"')
_PAIR = re.compile(r"\\(.)")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# RFC 5321 §4.1.2: A-d-l, the source route.
_ROUTE = re.compile(r"@([^,:@<>\"]*)(?:,@([^,:@<>\"]*))*:")


@frozen
class Address:
    """
    A mailbox.

    @ivar local: the local part, unquoted.
    @ivar domain: the domain in lower case as A-labels, or an address literal
        with its brackets; empty only for C{<postmaster>}.
    """

    local: str
    domain: str
    # It is asked for a dozen times on the road of a message.
    _text: str = field(init=False, eq=False, repr=False)

    @_text.default
    def _written(self) -> str:
        local = self.local
        if not _DOT_STRING.fullmatch(local):
            local = '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'
        return f"{local}@{self.domain}" if self.domain else local

    def __str__(self) -> str:
        """The mailbox as it is shown and stored: C{local@domain}."""
        return self._text


def reread(text: str) -> Address:
    """An address back from what C{str} made of it, which is not looked at again."""
    local, at, domain = text.rpartition("@")
    if not at:
        return Address(text, "")
    quoted = local[:1] == '"' and _QUOTED.fullmatch(local)
    return Address(_PAIR.sub(r"\1", quoted[1]) if quoted else local, domain)


@lru_cache(maxsize=1024)  # The same people write, and are written to.
def parse_path(text: str, utf8: bool = False) -> Address | None:
    """
    Read what stands between C{<} and C{>}.

    A source route is checked and then ignored, as RFC 5321 §4.1.1.3 allows.

    @param utf8: SMTPUTF8 was asked for.
    @return: None for the null path.
    """
    if not text:
        return None
    if len(text) > PATH_OCTETS - 2 and _octets(text) > PATH_OCTETS - 2:
        raise Malformed("A path has at most 256 octets", "5.1.3")
    if text[0] == "@":
        text = _skip_route(text, utf8)
    # RFC 5321 §4.5.1: postmaster needs no domain.
    if text.lower() == "postmaster":
        return Address(text, "")
    return parse_mailbox(text, utf8)


def parse_mailbox(text: str, utf8: bool = False) -> Address:
    """Read C{local@domain}."""
    local, at, domain = text.rpartition("@")
    if domain.endswith('"'):
        at = ""  # The last "@" stands inside quotes.
    if not at:
        raise Malformed("A mailbox needs a domain: local@domain", "5.1.3")
    if not text.isascii():
        _check_utf8(text, utf8)
    return Address(_parse_local(local), parse_domain(domain, utf8))


def parse_domain(text: str, utf8: bool = False) -> str:
    """Read a domain or an address literal; in lower case, as A-labels."""
    if text.startswith("["):
        return _parse_literal(text)
    if not text.isascii():
        text = _a_labels(text, utf8)
    if len(text) > DOMAIN_OCTETS:
        raise Malformed("A domain has at most 255 octets", "5.1.3")
    if not _DOMAIN.fullmatch(text):
        raise Malformed(_why_no_domain(text), "5.1.3")
    labels = text.split(".")
    if max(map(len, labels)) > LABEL_OCTETS:
        raise Malformed("A label of a domain has at most 63 octets", "5.1.3")
    # RFC 3696 §2: no top-level domain is all digits; this is an address.
    if labels[-1].isdigit():
        raise Malformed("An IP address as a domain needs brackets", "5.1.3")
    return text.lower()


def _skip_route(text: str, utf8: bool) -> str:
    route = _ROUTE.match(text)
    if route is None:
        raise Malformed("The source route is not understood", "5.1.3")
    for hop in text[: route.end() - 1].split(","):
        parse_domain(hop[1:], utf8)
    return text[route.end() :]


def _parse_local(text: str) -> str:
    if len(text) > LOCAL_OCTETS or _octets(text) > LOCAL_OCTETS:
        raise Malformed("A local part has at most 64 octets", "5.1.3")
    if _DOT_STRING.fullmatch(text):
        return text
    if not text:
        raise Malformed("The local part is empty", "5.1.3")
    if text[0] == '"':
        quoted = _QUOTED.fullmatch(text)
        if quoted is None:
            raise Malformed("The quoted local part is not well formed", "5.1.3")
        return _PAIR.sub(r"\1", quoted[1])
    if text[0] == "." or text[-1] == "." or ".." in text:
        raise Malformed("A local part has no empty atom between dots", "5.1.3")
    raise Malformed("The local part needs quotes around its characters", "5.1.3")


def _parse_literal(text: str) -> str:
    if not text.endswith("]"):
        raise Malformed("The address literal has no closing bracket", "5.1.3")
    inner = text[1:-1]
    try:
        if inner[:5].lower() == "ipv6:":
            if "%" in inner:
                raise ValueError("a zone is nobody else's business")
            return f"[IPv6:{IPv6Address(inner[5:])}]"
        return f"[{IPv4Address(inner)}]"
    except ValueError:
        raise Malformed("The address literal is no IP address", "5.1.3") from None


def _a_labels(text: str, utf8: bool) -> str:
    _check_utf8(text, utf8)
    if _octets(text) > DOMAIN_OCTETS:  # Before the library looks at it.
        raise Malformed("A domain has at most 255 octets", "5.1.3")
    try:
        # RFC 5890 §2.3.2.1: a U-label is in NFC and in lower case.
        folded = normalize("NFC", text.lower())
        return idna.encode(folded, strict=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise Malformed("The internationalized domain is not valid", "5.1.3") from None


def _check_utf8(text: str, utf8: bool) -> None:
    if not utf8:
        # RFC 6531 §3.5.
        raise Malformed("This address needs SMTPUTF8", "5.6.7", 553)
    if any(category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text):
        raise Malformed("An address holds no control characters", "5.1.3")


def _why_no_domain(text: str) -> str:
    if not text:
        return "The domain is empty"
    if text[0] == "." or text[-1] == "." or ".." in text:
        return "A domain has no empty label"
    if any(x[0] == "-" or x[-1] == "-" for x in text.split(".")):
        return "A label of a domain neither begins nor ends with a hyphen"
    return "A domain holds letters, digits, hyphens and dots only"


def _octets(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
