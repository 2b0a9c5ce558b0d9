"""
Mailboxes, reverse-paths and domains by a strict grammar.

Standards: RFC 5321 §4.1.2 and §4.1.3, RFC 6531 §3.3, RFC 5890.
"""

from attrs import frozen


@frozen
class Address:
    """
    A mailbox.

    @ivar local: the local part, unquoted.
    @ivar domain: the domain in lower case as A-labels, or an address literal
        with its brackets.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        """The mailbox as it is shown and stored: C{local@domain}."""
        return f"{self.local}@{self.domain}"
