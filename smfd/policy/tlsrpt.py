"""
Who wants reports on TLS.

Standards: RFC 8460 §3.
"""

import re
from collections.abc import Iterable

#: Those of a domain who get one.
MOST = 3

_ADDRESS = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{1,63}", re.I
)
_PAGE = re.compile(
    r"https://(?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{1,63}(?:[/?][!-~]*)?", re.I
)


def read_rua(records: Iterable[bytes]) -> tuple[str, ...]:
    """
    Where the reports on a domain go, by the TXT records of C{_smtp._tls}:
    addresses, and pages that begin with C{https://}.

    RFC 8460 §3: other records there do not count, and of these there must be
    one.
    """
    ours = [record for record in records if record.startswith(b"v=TLSRPTv1;")]
    if len(ours) != 1 or len(ours[0]) > 2000 or not ours[0].isascii():
        return ()
    fields = [part.strip() for part in ours[0].decode("ascii").split(";")[1:]]
    named = [field[4:] for field in fields if field.startswith("rua=")]
    if len(named) != 1:
        return ()
    found = [_where(uri.strip()) for uri in named[0].split(",")]
    return tuple(dict.fromkeys(where for where in found if where))[:MOST]


def _where(uri: str) -> str:
    """An address or a page; "" for what is neither."""
    if uri[:7].lower() == "mailto:":
        # What is behind a question mark would be header fields.
        address = uri[7:].partition("?")[0].replace("%21", "!").replace("%2C", ",")
        return address if _ADDRESS.fullmatch(address) else ""
    return uri if len(uri) <= 500 and _PAGE.fullmatch(uri) else ""
