"""The sample mail of a first look: one message for each way it can go."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from attrs import frozen

from smfd.content.specimen import test_virus
from smfd.ctl.sample import ALICE, BOB, CAROL, DOMAIN, FRIEND, SHOP

_EICAR = test_virus().decode()
# Joined at run time, so that no filter stumbles over this file.
_GTUBE = "".join(
    ("XJS*C4JDBQADN1.NSBN3*2IDNEN*", "GTUBE-STANDARD-", "ANTI-UBE-TEST-EMAIL*C.34X")
)

_OFFER = f"""Dear customer,

everything must go: watches, pills and money, today only, no questions asked.
The line below makes every spam filter call this spam.

{_GTUBE}
"""


@frozen
class Letter:
    """
    A message to send, and how its end is to be understood.

    @ivar title: what it is.
    @ivar moral: what it shows.
    """

    title: str
    moral: str
    sender: str
    recipients: tuple[str, ...]
    message: bytes


def letters() -> tuple[Letter, ...]:
    """All of them, dated now, each with a name of its own."""
    stranger = "prize@lottery.example"
    return (
        Letter(
            "a clean message",
            "Its sender is authenticated, and nothing speaks against it.",
            FRIEND,
            (ALICE,),
            _message(FRIEND, ALICE, "Lunch on Friday?", "Noon, the usual place?\n"),
        ),
        Letter(
            "a spam",
            "Its score is above the threshold: the quarantine has it.",
            stranger,
            (BOB,),
            _message(stranger, BOB, "You have won", _OFFER),
        ),
        Letter(
            "a virus (the EICAR test file, which is harmless)",
            "No list lets a virus through.",
            FRIEND,
            (ALICE,),
            _message(FRIEND, ALICE, "The report", "See the file.\n", _EICAR),
        ),
        *_odd_ones(),
    )


def _odd_ones() -> tuple[Letter, ...]:
    """Those whose end depends on who sends, or to whom."""
    nobody = f"nobody@{DOMAIN}"
    return (
        Letter(
            "a forged sender of our own",
            "Our people submit their mail; it does not come in from outside.",
            ALICE,
            (BOB,),
            _message(ALICE, BOB, "Urgent transfer", "Please pay this today.\n"),
        ),
        Letter(
            "one spam to three who think differently of its sender",
            "Alice allows the shop, Bob blocks it, Carol leaves it to us.",
            SHOP,
            (ALICE, BOB, CAROL),
            _message(SHOP, ", ".join((ALICE, BOB, CAROL)), "Sale", _OFFER),
        ),
        Letter(
            "a message to nobody",
            "There is no such mailbox: refused at once.",
            FRIEND,
            (nobody,),
            _message(FRIEND, nobody, "Hello?", "Anybody there?\n"),
        ),
    )


def _message(
    sender: str, recipients: str, subject: str, text: str, file: str = ""
) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipients
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message.set_content(text)
    if file:
        message.add_attachment(
            file.encode(),
            maintype="application",
            subtype="x-msdos-program",
            filename="report.com",
        )
    return message.as_bytes()
