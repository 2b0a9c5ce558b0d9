"""
What a conversation asks of whoever stands behind it.

Standards: RFC 5321 §4.1.1.
"""

from enum import Enum

from attrs import frozen

from smfd.proto.command import Hello, Mail, Rcpt
from smfd.proto.reply import Reply
from smfd.proto.sasl import Login


class Signal(Enum):
    """
    The questions that say nothing more.

    @cvar OPENED: somebody came; the answer greets.
    @cvar BEGIN: a body wants to come; L{ServerMachine.go_ahead} or a refusal.
    @cvar END: the body is complete.
    @cvar STARTTLS: say so, then L{ServerMachine.secured}.
    """

    # Members are one of a kind; Enum itself would hash their names, in Python.
    __hash__ = object.__hash__

    OPENED = "opened"
    BEGIN = "begin"
    END = "end"
    STARTTLS = "starttls"


@frozen
class Refusal:
    """
    The machine refuses a message; the answer is this reply, or this reply with
    the name of a record.

    @ivar mail: what was said, when the message was refused at MAIL.
    """

    reply: Reply
    mail: Mail | None = None


#: A L{Reply} is the machine's own answer and is answered with itself; octets
#: are a piece of the body and need no answer.
Event = Signal | Hello | Mail | Rcpt | Login | Refusal | Reply | bytes
