"""
An account by another name, that only we can read (S53).

Each message a user sends names him so.  Who has it learns nothing, and cannot
even tell whose a known address would be; we find the account again by making
the names of all of them.
"""

import hashlib
import hmac


def pseudonym(secret: bytes, account: str) -> str:
    """
    The other name: 16 hexadecimal digits.

    @param secret: of this home; with it the names can be made.
    @param account: C{local@domain}, lower case.
    """
    return hmac.digest(secret, account.encode(), hashlib.sha256).hex()[:16]
