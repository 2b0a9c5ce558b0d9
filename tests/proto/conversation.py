"""The machine with a plain door behind it, without a network."""

from collections.abc import Iterable

from attrs import Factory, define

from smfd.proto.command import Hello, Mail, Rcpt
from smfd.proto.event import Event, Refusal, Signal
from smfd.proto.phrase import READY_FOR_TLS, WELCOME
from smfd.proto.reply import Reply
from smfd.proto.sasl import Login
from smfd.proto.server import ServerMachine
from tests.smtpd.doors import GREETING, HELLO, OK_MAIL, TAKEN, WRONG, judge


@define
class Conversation:
    """
    Feeds a machine and answers it at once.

    @ivar events: what it asked; pieces of a body that follow each other are
        one.
    """

    machine: ServerMachine
    sent: bytearray = Factory(bytearray)
    bodies: list[bytes] = Factory(list)
    events: list[object] = Factory(list)
    _body: bytearray = Factory(bytearray)

    def hear(self, chunks: Iterable[bytes]) -> None:
        """Octets come, in these pieces."""
        self._turn()
        for chunk in chunks:
            self.machine.receive(chunk)
            self._turn()

    def _turn(self) -> None:
        while (event := self.machine.next_event()) is not None:
            if isinstance(event, bytes):
                self._body += event
                continue
            self.events.append(event)
            self._meet(event)

    def _meet(self, event: Event) -> None:
        if event is Signal.BEGIN:
            self._body.clear()
            self.sent += self.machine.go_ahead()
            return
        if event is Signal.END:
            self.bodies.append(bytes(self._body))
            self._body.clear()
        self.sent += self.machine.answer(_answer(event))
        if event is Signal.STARTTLS:
            self.machine.secured()


def _answer(event: Event) -> Reply:
    if isinstance(event, Reply):
        return event
    if isinstance(event, Refusal):
        return event.reply
    if isinstance(event, Hello):
        return HELLO
    if isinstance(event, Login):
        return WELCOME if event.password == "secret" else WRONG
    if isinstance(event, Mail):
        return OK_MAIL
    if isinstance(event, Rcpt):
        return judge(event.address)
    return {
        Signal.OPENED: GREETING,
        Signal.END: TAKEN,
        Signal.STARTTLS: READY_FOR_TLS,
    }[event]  # type: ignore[index]
