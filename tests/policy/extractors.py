"""How others find out who wrote a message: each reads a header in its own way."""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses

from smfd.format.header import read_header

_FROM = re.compile(rb"^From[ \t]*:((?:.*)(?:\r?\n[ \t].*)*)", re.IGNORECASE | re.M)
_ANGLE = re.compile(r"<\s*([^<>]*?)\s*>")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
#: From all From fields of each message, all addresses, those of groups too.
_JAVASCRIPT = """
const parse = require("nodemailer/lib/addressparser");
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
const read = value => parse(value, {flatten: true}).map(one => one.address);
process.stdout.write(JSON.stringify(asked.map(values => values.flatMap(read))));
"""
_LIKE = re.compile(r"[^\s<>()\[\],;:\"'\\]+@[^\s<>()\[\],;:\"'\\]+")


def _values(data: bytes) -> list[str]:
    """Every From field that a line-by-line reader sees, unfolded."""
    head = re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0]
    return [
        re.sub(r"\r?\n(?=[ \t])", "", value.decode("utf-8", "replace")).strip()
        for value in _FROM.findall(head)
    ]


def first_angle(data: bytes) -> set[str]:
    """The first From; in it the first C{<...>}, or else all of it but comments."""
    return _angled(_values(data)[:1], 0)


def last_angle(data: bytes) -> set[str]:
    """The last From; in it the last C{<...>}, likewise."""
    return _angled(_values(data)[-1:], -1)


def _angled(values: list[str], which: int) -> set[str]:
    if not values:
        return set()
    found = _ANGLE.findall(values[0])
    return {found[which] if found else re.sub(r"\([^)]*\)", "", values[0]).strip()}


def legacy(data: bytes) -> set[str]:
    """Python's C{email} as of old, by who unfolds first."""
    fields = (_FOLD.sub("", value) for value in _raw(data))
    return {address for _, address in getaddresses(list(fields))}


def hasty(data: bytes) -> set[str]:
    """
    The same by who does not: a line's end is that of what is quoted.

    Of what he finds only that which leads somewhere.
    """
    found = {address for _, address in getaddresses(_raw(data))}
    return set(filter(_LIKE.fullmatch, found))


def _raw(data: bytes) -> list[str]:
    message = message_from_bytes(data)
    return [str(value) for value in message.get_all("from", [])]


def javascript(messages: Sequence[bytes]) -> list[set[str]]:
    """What most programs in JavaScript read; all messages at once."""
    asked = json.dumps([_values(data) for data in messages])
    done = subprocess.run(
        ["node", "-e", _JAVASCRIPT],
        input=asked,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=60,
        # Where Debian has libraries.
        env={**os.environ, "NODE_PATH": "/usr/share/nodejs"},
    )
    return [set(found) for found in json.loads(done.stdout)]


def modern(data: bytes) -> set[str]:
    """Python's C{email} with its header registry."""
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return {
        address.addr_spec
        for value in message.get_all("from", [])
        for address in value.addresses
    }


def strict(data: bytes) -> set[str]:
    """What arrives here from elsewhere is read so."""
    return {str(read_header(data).author)}


def decoded_first(data: bytes) -> set[str]:
    """Decodes, and then reads."""
    found = getaddresses([_decoded(value) for value in _values(data)])
    return {address for _, address in found if "@" in address}


def shown(data: bytes) -> set[str]:
    """Everything that looks like an address to somebody who sees it decoded."""
    found: set[str] = set()
    for value in _values(data):
        found.update(_LIKE.findall(value), _LIKE.findall(_decoded(value)))
    return found


def _decoded(value: str) -> str:
    try:
        return str(make_header(decode_header(value)))
    except (LookupError, ValueError):
        return value


#: The six, and the eye.
EXTRACTORS = (
    first_angle,
    last_angle,
    legacy,
    modern,
    strict,
    decoded_first,
    shown,
)
