"""Reports on TLS in messages, read for the daemon."""

from collections.abc import Iterator
from itertools import islice

from smfd.format.parts import Part, read_parts
from smfd.format.tlsrpt import LARGEST, read_report

#: Octets of a report as it is handed on, and parts of a message that are read.
_HANDED_ON = 200_000
_REPORTS = 5

_KINDS = ("application/tlsrpt+gzip", "application/tlsrpt+json", "application/tlsrpt")


def is_tls_report(part: Part) -> bool:
    """
    Whether a part says that it is one.

    RFC 8460 §5.3 has types for them; some say what a file of that name is.
    """
    names = (name.lower() for name in part.names)
    return part.type in _KINDS or any(n.endswith((".json", ".json.gz")) for n in names)


def tls_reports(message: bytes) -> tuple[list[str], list[str]]:
    """
    The reports in a message, as JSON that holds what we understand of it; and
    why something could not be read.
    """
    found: list[str] = []
    wrong: list[str] = []
    # Each may be long once it is unpacked, whether it is a report or not.
    for part in islice(_reports(message), _REPORTS):
        try:
            text = read_report(part.decoded(LARGEST + 1)).written().decode()
        except ValueError as why:
            wrong.append(str(why))
            continue
        if len(text) > _HANDED_ON:
            wrong.append("The report is too long.")
        else:
            found.append(text)
    return found, wrong[:_REPORTS]


def _reports(message: bytes) -> Iterator[Part]:
    return (part for part in read_parts(message).leaves() if is_tls_report(part))
