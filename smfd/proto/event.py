"""
What a conversation asks of whoever stands behind it.

Standards: RFC 5321 §4.1.1.
"""

from enum import Enum

from smfd.proto.command import Hello, Mail, Rcpt
from smfd.proto.reply import Reply


class Signal(Enum):
    """
    The questions that say nothing more.

    @cvar OPENED: somebody came; the answer greets.
    @cvar BEGIN: a body wants to come; L{ServerMachine.go_ahead} or a refusal.
    @cvar END: the body is complete.
    @cvar STARTTLS: say so, then L{ServerMachine.secured}.
    """

    OPENED = "opened"
    BEGIN = "begin"
    END = "end"
    STARTTLS = "starttls"


#: A L{Reply} is the machine's own answer and is answered with itself; octets
#: are a piece of the body and need no answer.
Event = Signal | Hello | Mail | Rcpt | Reply | bytes
