"""The settings of how a message is judged."""

from attrs import field, frozen

from smfd.config import value
from smfd.config.setting import setting, table

MIB = 1024 * 1024
#: What [content] rules calls the rules that came with smfd.
BUILTIN = "builtin"
STAGES = ("virus", "lists", "spf", "dkim", "arc", "dmarc", "identity", "content")


def _on_error(stage: str) -> str:
    text = f'When {stage} cannot answer: "pass" scores nothing and says so, "defer"'
    found: str = setting(
        f"{text} asks the client to come back.", "pass", choices=("pass", "defer")
    )
    return found


@frozen
class OnError:
    """
    What it means when a stage cannot answer.

    A virus scanner that cannot answer means "defer", always: it is not a
    setting.
    """

    spf: str = _on_error("SPF")
    dkim: str = _on_error("DKIM")
    dmarc: str = _on_error("DMARC")
    content: str = _on_error("the content's judgement")

    @property
    def deferring(self) -> frozenset[str]:
        """
        The stages whose failure defers a message.

        Viruses always; and whom a recipient blocks is not delivered because
        his list could not be read.
        """
        named = ("spf", "dkim", "dmarc", "content")
        told = {name for name in named if getattr(self, name) == "defer"}
        return frozenset({"virus", "lists", *told})


@frozen
class Scan:
    """The stages that look at a message."""

    stages: tuple[str, ...] = setting(
        "The stages that run. One that is left out is off, and status says so.",
        STAGES,
        choices=STAGES,
    )
    deadline: float = setting(
        "How long a stage may take; viruses have a deadline of their own.",
        30.0,
        unit="seconds",
        low=0.1,
        high=600,
    )
    total: float = setting(
        "How long all stages may take together, with the wait for a turn; what is "
        "not done then has failed, and without the virus scanner it is 451.",
        60.0,
        unit="seconds",
        low=0.1,
        high=600,
    )
    workers: int = setting(
        "Worker processes that read hostile bytes.", 2, low=1, high=256
    )
    worker_deadline: float = setting(
        "How long a worker may take for a message before it is killed.",
        15.0,
        unit="seconds",
        low=0.1,
        high=600,
    )
    on_error: OnError = table(OnError)


@frozen
class Virus:
    """
    The virus scanner.

    C{builtin} knows the EICAR test string and nothing else: with it, no
    antivirus is installed.
    """

    engine: str = setting("Who scans.", "builtin", choices=("builtin", "clamd"))
    clamd: tuple[str, ...] = setting(
        "Where clamd listens; when one fails, the next is asked.",
        ("unix:/run/clamav/clamd.ctl",),
        check=value.clamd,
    )
    connections: int = setting("Scans by clamd at once.", 8, low=1, high=256)
    deadline: float = setting(
        "How long a scan may take; then the mail is deferred.",
        60.0,
        unit="seconds",
        low=0.1,
        high=600,
    )
    max_size: int = setting(
        "The largest message clamd takes, its StreamMaxLength; a larger one is held.",
        25 * MIB,
        unit="octets",
        low=65536,
        high=4096 * MIB,
    )
    pass_encrypted: tuple[str, ...] = setting(
        "Domains whose recipients get archives and documents that nobody can look "
        "into without a password, judged like other mail; for all others they are "
        'held. "*" is every domain.',
        (),
        check=value.domain,
        example='["example.org"]',
    )


@frozen
class DNSRecord:
    """A record that is answered without asking anyone, for trials and tests."""

    name: str = setting("Its owner.", check=value.domain, example='"example.org"')
    type: str = setting(
        "Its type.",
        choices=("A", "AAAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT", "TLSA"),
        example='"TXT"',
    )
    value: str = setting("Its data, as a zone file has it.", example='"v=spf1 -all"')


@frozen
class DNS:
    """Look-ups."""

    servers: tuple[str, ...] = setting(
        "Whom to ask, for every look-up. Empty: those of /etc/resolv.conf.",
        (),
        check=value.server,
        example='["127.0.0.1:53"]',
    )
    timeout: float = setting(
        "How long to wait for one answer.", 2.0, unit="seconds", low=0.05, high=60
    )
    lifetime: float = setting(
        "How long a look-up may take, all tries together.",
        6.0,
        unit="seconds",
        low=0.05,
        high=120,
    )
    cache: int = setting("Answers that are remembered.", 10000, low=0, high=10000000)
    per_message: int = setting("Look-ups for one message.", 60, low=1, high=10000)
    offline: bool = setting(
        "Ask nobody: every look-up but of a record below fails as if DNS were down.",
        False,
    )
    record: tuple[DNSRecord, ...] = field(default=())


@frozen
class Content:
    """The judgement of content."""

    rules: tuple[str, ...] = setting(
        "Folders with rules (*.cf), read in this order; "
        f'"{BUILTIN}" is the one that came with smfd.',
        (BUILTIN,),
        check=value.path,
    )
    threshold: float = setting(
        "The score at which mail is spam; a domain may have its own.",
        5.0,
        unit="points",
        low=0.1,
        high=1000,
    )
