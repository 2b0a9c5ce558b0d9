"""What went wrong, as an answer: a status, a sentence, what to do."""

from attrs import frozen

from smfd.console.router import Astray
from smfd.control.house import Document
from smfd.model.directory import Refused
from smfd.store.ledger import NoSpace

_STATUS = {"invalid": 400, "unknown": 404, "conflict": 409}


@frozen
class Answer:
    """
    One answer.

    @ivar status: of HTTP.
    """

    status: int
    document: Document


def refused(no: Refused) -> Answer:
    """What was asked for cannot be."""
    return Answer(_STATUS[no.kind], _error(no.sentence, no.remedy))


def astray(lost: Astray) -> Answer:
    """Nothing is there to be asked, or not so."""
    if lost.methods:
        return Answer(405, _error(f"It takes {', '.join(lost.methods)} only."))
    return Answer(404, _error("There is nothing of that name.", "See docs/api.yaml."))


def broken(error: BaseException) -> Answer:
    """A fault of ours; its text is for the log only."""
    if isinstance(error, NoSpace):
        return Answer(503, _error("The disk is full.", "Make room and try again."))
    return Answer(
        503,
        _error("It cannot be done just now.", "Try again; the log says why."),
    )


LATE = Answer(
    503,
    {
        "error": "It takes longer than anybody waits for.",
        "do": "It may still be done: look again in a minute.",
    },
)


def _error(sentence: str, remedy: str = "") -> Document:
    return {"error": sentence, "do": remedy}
