"""
Hashes of passwords that other systems made.

They are good for one more login, which replaces them.  Known are the crypt(3)
of this system (C{$1$}, C{$2a$} to C{$2y$}, C{$5$}, C{$6$}, C{$y$}) and the
salted digests of LDAP and Dovecot (C{{SSHA}}, C{{SSHA256}}, C{{SSHA512}}).
Takes a while: not for the reactor's thread.
"""

import binascii
import ctypes
import hashlib
import hmac
import re
from collections.abc import Callable
from functools import lru_cache

#: What Dovecot writes before a hash that says itself what it is.
_PREFIX = re.compile(
    r"\{(?:CRYPT|BLF-CRYPT|SHA256-CRYPT|SHA512-CRYPT|MD5-CRYPT|ARGON2I?D?)\}", re.I
)
#: As far as one is no day's work: a hash comes from elsewhere, and so does its cost.
_CRYPT = re.compile(
    r"\$1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}"
    r"|\$2[aby]\$(?:0[4-9]|1[0-5])\$[./A-Za-z0-9]{53}"
    r"|\$[56]\$(?:rounds=[0-9]{1,6}\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43,86}"
    r"|\$y\$j[9A-F][A-Z]\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}"
)
_ARGON = re.compile(
    r"\$argon2(?:id|i|d)\$v=[0-9]{1,3}\$m=[0-9]{1,6},t=[0-9]{1,2},p=[0-9]{1,2}"
    r"\$[A-Za-z0-9+/]{8,200}\$[A-Za-z0-9+/]{8,200}"
)
_SALTED = re.compile(r"\{(SSHA|SSHA256|SSHA512)\}([A-Za-z0-9+/]{1,400}={0,2})", re.I)
_DIGESTS = {"SSHA": "sha1", "SSHA256": "sha256", "SSHA512": "sha512"}

#: Octets of a C{struct crypt_data}: libxcrypt has 32,768, the old glibc more.
_ROOM = 262_144

#: What bcrypt looks at; it takes whatever comes behind for right.
_BCRYPT = 72


def plain(stored: str) -> str:
    """A hash without the name of its scheme, where it says that itself."""
    return _PREFIX.sub("", stored, count=1)


def is_argon(stored: str) -> bool:
    """Whether it is one like ours."""
    return stored.startswith("$argon2")


def is_known(stored: str) -> bool:
    """Whether a password can be held against it, and in a moment."""
    kinds = _ARGON, _CRYPT, _SALTED
    return any(kind.fullmatch(stored) for kind in kinds)


def matches(stored: str, password: str) -> bool:
    """Whether it was made of that password; never, of one that is not known."""
    octets = password.encode("utf-8", "surrogatepass")
    if b"\0" in octets:
        return False
    found = _SALTED.fullmatch(stored)
    if found is not None:
        return _salted(_DIGESTS[found[1].upper()], found[2], octets)
    if _CRYPT.fullmatch(stored) is None:
        return False
    if stored.startswith("$2") and len(octets) > _BCRYPT:
        return False
    made = _crypt()(octets, stored.encode())
    return made is not None and hmac.compare_digest(made, stored.encode())


def _salted(name: str, text: str, password: bytes) -> bool:
    try:
        octets = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return False
    size = hashlib.new(name).digest_size
    digest, salt = octets[:size], octets[size:]
    made = hashlib.new(name, password + salt).digest()
    return bool(salt) and hmac.compare_digest(made, digest)


@lru_cache(1)
def _crypt() -> Callable[[bytes, bytes], bytes | None]:
    """
    This system's crypt(3); Python's own holds all other threads up.

    @raise OSError: it has none.
    """
    try:
        library = ctypes.CDLL("libcrypt.so.1")
    except OSError:
        library = ctypes.CDLL("libcrypt.so.2")
    function = library.crypt_r
    function.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
    function.restype = ctypes.c_char_p

    def crypt(password: bytes, setting: bytes) -> bytes | None:
        made: bytes | None = function(
            password, setting, ctypes.create_string_buffer(_ROOM)
        )
        return made

    return crypt
