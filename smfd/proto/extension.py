"""
What EHLO offers.

Standards: RFC 2920 (PIPELINING), RFC 1870 (SIZE), RFC 6152 (8BITMIME),
RFC 2034 (ENHANCEDSTATUSCODES), RFC 3207 (STARTTLS), RFC 6531 (SMTPUTF8),
RFC 3030 (CHUNKING), RFC 3461 (DSN), RFC 4954 (AUTH).
"""

from functools import lru_cache

from attrs import frozen

from smfd.proto.reply import Reply, reply


@frozen
class Offer:
    """
    The extensions of one door.

    @ivar starttls: a certificate is there.
    @ivar smtputf8: mail with UTF-8 addresses is taken.
    @ivar chunking: BDAT is understood.
    @ivar dsn: the parameters of RFC 3461 are.
    @ivar logins: how one may log in, under TLS.
    """

    starttls: bool = False
    smtputf8: bool = True
    chunking: bool = True
    dsn: bool = True
    logins: tuple[str, ...] = ()

    def lines(self, size: int, secure: bool) -> tuple[str, ...]:
        """
        The lines that follow the first of the reply to EHLO.

        @param secure: TLS is on, and STARTTLS not offered again
            (RFC 3207 §4.2).
        """
        chosen = {
            "STARTTLS": self.starttls and not secure,
            "SMTPUTF8": self.smtputf8,
            "CHUNKING": self.chunking,
            "DSN": self.dsn,
        }
        if secure and self.logins:
            chosen[f"AUTH {' '.join(self.logins)}"] = True
        always = ("PIPELINING", f"SIZE {size}", "8BITMIME", "ENHANCEDSTATUSCODES")
        return (*always, *(word for word, on in chosen.items() if on), "HELP")


@lru_cache(maxsize=16)
def welcome(answer: Reply, offer: Offer, size: int, secure: bool) -> Reply:
    """
    The reply to EHLO: the first line of the door's answer, and what is offered.

    Remembered, since few are told apart: with TLS and without, for each door.
    """
    return reply(answer.code, "", *answer.lines[:1], *offer.lines(size, secure))
