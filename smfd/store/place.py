"""
Folder names from addresses and domains.

Every octet that is not plainly harmless is written C{%XX}: two addresses
never share a folder, and none leads out of the store.
"""

import os

_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_+=~.,'")

#: The most octets of a file name, on every file system we know.
_LONGEST = 255


class Unplaceable(ValueError):
    """An address that no folder can be named after."""


def folder_name(text: str) -> str:
    """
    A name for a folder, from a local part or a domain.

    @raise Unplaceable: it is empty or too long.
    """
    octets = text.lower().encode("utf-8", "surrogatepass")
    name = "".join(chr(o) if o in _SAFE else f"%{o:02X}" for o in octets)
    if name.startswith("."):
        # A hidden folder, or the way up.
        name = "%2E" + name[1:]
    if not name or len(name) > _LONGEST:
        raise Unplaceable(f"no folder can be named after {text[:80]!r}")
    return name


def split_mailbox(address: str) -> tuple[str, str]:
    """
    The folder names of an address's domain and local part.

    @raise Unplaceable: it has not both.
    """
    local, _, domain = address.rpartition("@")
    return folder_name(domain), folder_name(local)


def file_part(host: str) -> str:
    """A host name as part of a Maildir file name, cut to 64 characters."""
    plain = host.replace("/", "\\057").replace(":", "\\072").replace("\0", "")
    return "".join(c for c in plain if c.isascii() and c.isprintable())[:64]


def inside(root: str, path: str) -> str:
    """
    The absolute path of something below a root.

    @param path: relative to the root.
    @raise Unplaceable: it leads out.
    """
    joined = os.path.normpath(os.path.join(root, path))
    if "\0" in path or not joined.startswith(root + os.sep):
        raise Unplaceable(f"{path[:80]!r} is not inside")
    return joined
