"""
Logging in by a password, as a conversation of its own.

Octets in, challenges out, and at the end what was said: nobody is believed
here.  Both mechanisms show the password, so they belong under TLS.

Standards: RFC 4422, RFC 4616 (PLAIN), RFC 4954 §4, draft-murchison-sasl-login.
"""

import binascii
from base64 import b64encode
from collections.abc import Callable

from attrs import field, frozen

from smfd.proto.reply import Malformed, Reply, reply

#: RFC 4954 §4: octets of a line within the exchange, with its CRLF.
LINE = 12_288

#: RFC 4616 §2 has names and passwords of up to 255 octets; some are longer.
_LONGEST = 1024


@frozen
class Login:
    """
    Who somebody says he is.

    @ivar user: as it was typed.
    @ivar authorization: whom he wants to act as; "" for himself.
    """

    user: str
    password: str = field(repr=False)
    authorization: str = ""


@frozen
class Challenge:
    """
    What the client is to say next.

    @ivar text: the challenge, not yet in Base64.
    @ivar next: reads the response.
    """

    text: bytes
    next: Callable[[bytes], "Login | Challenge"] = field(repr=False)

    @property
    def reply(self) -> Reply:
        """How it is asked (RFC 4954 §4)."""
        return reply(334, "", b64encode(self.text).decode("ascii"))


def begin(argument: str) -> "Login | Challenge":
    """
    Read the argument of AUTH: a mechanism, and perhaps a first response.

    @raise Malformed: there is no such mechanism, or that is none of its
        responses.
    """
    mechanism, space, response = argument.partition(" ")
    first = MECHANISMS.get(mechanism.upper())
    if not mechanism:
        raise Malformed("Syntax: AUTH mechanism [initial-response]")
    if first is None:
        raise Malformed("That mechanism is not offered", code=504)
    if not space:
        return first
    # RFC 4954 §4: "=" is a response without octets.
    return first.next(b"" if response == "=" else decoded(response))


def respond(challenge: Challenge, line: bytes) -> "Login | Challenge":
    """
    Read a line that the client answers a challenge with.

    @raise Malformed: it is no response to it, or cancels.
    """
    if line == b"*":
        raise Malformed("Authentication is cancelled", "5.7.0")
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError:
        raise _wrong() from None
    return challenge.next(decoded(text))


def decoded(text: str) -> bytes:
    """The octets of a Base64 text; nothing in it is overlooked."""
    try:
        return binascii.a2b_base64(text, strict_mode=True) if text else b""
    except ValueError:  # binascii.Error is one, and so is what is not ASCII.
        raise Malformed("This is not Base64", "5.5.2") from None


def _plain(response: bytes) -> Login:
    # RFC 4616 §2: [authzid] NUL authcid NUL passwd, and no other NUL.
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise _wrong()
    authorization, user, password = map(_word, parts)
    return _login(user, password, authorization)


def _name(response: bytes) -> Challenge:
    user = _word(response)
    if not user:
        raise _wrong()
    return Challenge(b"Password:", lambda said: _login(user, _word(said)))


def _login(user: str, password: str, authorization: str = "") -> Login:
    if not user or not password:
        raise _wrong()
    return Login(user, password, authorization)


def _word(octets: bytes) -> str:
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise _wrong() from None
    if len(octets) > _LONGEST or "\0" in text:
        raise _wrong()
    return text


def _wrong() -> Malformed:
    return Malformed("This is no response of that mechanism", "5.5.2")


#: What each mechanism asks first.
MECHANISMS = {
    "PLAIN": Challenge(b"", _plain),
    "LOGIN": Challenge(b"Username:", _name),
}
