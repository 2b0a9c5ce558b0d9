"""C{smfdctl demo}: a first look at everything mail can come to."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from smtplib import SMTP, SMTPException
from typing import Any, Protocol

import click
from attrs import frozen

from smfd.config.fault import Unusable
from smfd.config.load import load
from smfd.config.schema import Config
from smfd.config.value import split_address
from smfd.ctl.face import Face, short, verb
from smfd.ctl.letters import Letter, letters
from smfd.ctl.sample import ALICE, DOMAIN

_ID = re.compile(r"\bid=([0-9A-Za-z]+)")
#: How long a message may be on its way inside, seconds.
_PATIENCE = 10.0


@click.group()
def demo() -> None:
    """Sample mail for a first look, in a home made with init --demo."""


@demo.command()
@verb
def hints(face: Face) -> None:
    """Say what to try."""
    config = _load(face)
    lines = list(_hints(face, config))
    face.show({"text": lines}, lines)


@demo.command()
@verb
def send(face: Face) -> None:
    """Send one message for each way it can go, and say where each ended."""
    config = _load(face)
    host, port = _where(config)
    sent = []
    for letter in letters():
        try:
            sent.append(submit(letter, host, port))
        except (OSError, SMTPException) as failure:
            face.later(
                f"Nobody takes mail at {host}:{port} ({_why(failure)}). "
                'Start the demonstration with "make run", then try again.'
            )
    # Here: "make run" asks for the hints before anything else is there.
    from smfd.ctl.client import asking

    with asking(face) as client:
        ends = [(one, come_to_rest(client, one.id)) for one in sent]
    face.show({"sent": [_document(*end) for end in ends]}, _lines(face, ends))


def _why(failure: OSError | SMTPException) -> str:
    strerror = getattr(failure, "strerror", None)
    return str(strerror or failure)


class Asked(Protocol):
    """Who answers questions about records: the daemon, over its socket."""

    def get(self, path: str) -> Any:
        """The JSON document at a path of the control API."""


@frozen
class Sent:
    """
    A letter, and what the server said.

    @ivar id: of the record, or empty when the reply names none.
    """

    letter: Letter
    code: int
    reply: str

    @property
    def id(self) -> str:
        """The id in the reply, or the empty string."""
        found = _ID.search(self.reply)
        return found[1] if found else ""


def _load(face: Face) -> Config:
    """The settings of a demonstration; sample mail is for nobody else."""
    try:
        config = load(face.config)
    except Unusable as unusable:
        face.refuse(str(unusable))
    if DOMAIN not in {record.name for record in config.dns.record}:
        face.refuse(
            f"{short(config.home)} is no demonstration.\n"
            "Make one with: init demo --demo --port-base 20000"
        )
    return config


def _where(config: Config) -> tuple[str, int]:
    """An address we listen on; the wildcard is reached at loopback."""
    host, port = split_address(config.mx.listen[0])
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def submit(letter: Letter, host: str, port: int) -> Sent:
    """One message over SMTP; a refusal of any step is its answer."""
    with SMTP(host, port, local_hostname="mx.friends.example", timeout=60) as smtp:
        smtp.ehlo()
        answer = smtp.mail(letter.sender)
        if answer[0] == 250:
            answers = [smtp.rcpt(recipient) for recipient in letter.recipients]
            answer = answers[0]
            if any(code == 250 for code, _ in answers):
                answer = smtp.data(letter.message)
    return Sent(letter, answer[0], answer[1].decode("utf-8", "replace"))


def come_to_rest(client: Asked, record: str) -> list[dict[str, Any]]:
    """Where each recipient's copy is, when all have come to rest."""
    deadline = time.monotonic() + _PATIENCE
    while record:
        found = client.get(f"/v1/trace/{record}")
        recipients: list[dict[str, Any]] = found["recipients"]
        moving = any(one.get("state") == "due" for one in recipients)
        if not moving or time.monotonic() > deadline:
            return recipients
        time.sleep(0.1)
    return []


def _document(sent: Sent, recipients: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "title": sent.letter.title,
        "sender": sent.letter.sender,
        "recipients": list(sent.letter.recipients),
        "code": sent.code,
        "reply": sent.reply,
        "id": sent.id,
        "ends": recipients,
    }


def _lines(face: Face, ends: list[tuple[Sent, list[dict[str, Any]]]]) -> Iterator[str]:
    for number, (sent, recipients) in enumerate(ends, 1):
        letter = sent.letter
        yield f"{number}. {letter.title}: {letter.moral}"
        yield f"   from {letter.sender} to {', '.join(letter.recipients)}"
        yield f"   answer: {sent.code} {' '.join(sent.reply.split())}"
        for one in recipients:
            yield f"   {_end_line(one)}"
        if sent.id:
            yield f"   why: {face.command} trace show {sent.id}"
        yield ""
    yield f"What is held: {face.command} quarantine list"


def _end_line(recipient: dict[str, Any]) -> str:
    words = (str(recipient.get(name) or "") for name in ("state", "category", "detail"))
    return f"{recipient.get('address', ''):<22} {' '.join(filter(None, words))}"


def _hints(face: Face, config: Config) -> Iterator[str]:
    host, port = _where(config)
    home = Path(short(config.home))
    ctl = face.command
    yield f"A demonstration for {DOMAIN} on {host} port {port}. In another terminal:"
    yield ""
    yield f"  {ctl} demo send"
    yield f"  {ctl} status"
    yield f"  {ctl} trace search"
    yield f"  {ctl} quarantine list"
    yield ""
    yield f"Or send with any mail program to {ALICE}, bob or carol. Mail arrives in"
    yield f"{home / 'mail' / DOMAIN / 'alice' / 'new'}, what is held in"
    yield f"{home / 'quarantine'}. Control-C ends it; remove {home} to begin anew."
    yield ""
