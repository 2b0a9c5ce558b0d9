"""C{smfdctl scan}: judge a message in a file, as the daemon would."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from attrs import evolve

from smfd.config.fault import Unusable
from smfd.config.load import load, read
from smfd.config.schema import Config
from smfd.ctl.face import Face, verb
from smfd.model.verdict import Verdict

#: Stages that need a running house, or a sender from outside.
_DAEMON = ("lists", "identity")
_ASKING = ("spf", "dkim", "arc", "dmarc")

#: Seconds for viruses, and for all else; with the start that is under ten.
_PATIENCE = 4.0


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dns", is_flag=True, help="Ask DNS, for SPF, DKIM and DMARC.")
@click.option("--client", default="127.0.0.1", help="The sending address, for SPF.")
@click.option("--sender", default="", help="The envelope sender; else Return-Path.")
@click.option("--helo", default="", help="What the client called itself.")
@verb
def scan(
    face: Face, file: Path, dns: bool, client: str, sender: str, helo: str
) -> None:
    """Judge the message in FILE; no daemon is needed."""
    try:
        config = load(face.config) if face.config.exists() else read("", face.config)
    except Unusable as wrong:
        face.refuse(str(wrong))
    # Imported late: the other verbs need no Twisted.
    from smfd.ctl.judging import Letter, judge

    wanted = _ASKING if dns else ()
    stages = [s for s in config.scan.stages if s not in _DAEMON and s not in _ASKING]
    if file.stat().st_size > config.mx.message_size:
        face.refuse(
            f"{file} is larger than [mx] message_size ({config.mx.message_size} "
            "octets): the door would answer 552."
        )
    letter = Letter(file, client, sender, helo)
    transaction, verdict = judge(_hurried(config, (*stages, *wanted)), letter)
    document = _document(config, transaction.findings, verdict)
    face.show(document, _lines(document))


def _hurried(config: Config, stages: Sequence[str]) -> Config:
    """Somebody waits: no stage takes longer than some seconds."""
    scan, virus = config.scan, config.virus
    return evolve(
        config,
        scan=evolve(
            scan,
            stages=tuple(stages),
            workers=1,
            deadline=min(scan.deadline, _PATIENCE),
            worker_deadline=min(scan.worker_deadline, _PATIENCE),
        ),
        virus=evolve(virus, deadline=min(virus.deadline, _PATIENCE)),
    )


def _document(
    config: Config, findings: Sequence[Any], verdict: Verdict
) -> dict[str, Any]:
    return {
        "verdict": verdict.category,
        "score": verdict.score,
        "threshold": config.content.threshold,
        "reason": verdict.fates[0].reason,
        "findings": [
            {
                "stage": f.stage,
                "symbol": f.symbol,
                "score": f.score,
                "reason": f.reason,
                "evidence": f.evidence,
                "ms": f.ms,
            }
            for f in findings
        ],
    }


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield f"{document['verdict']}: {document['reason']}"
    yield ""
    for f in document["findings"]:
        score = "" if f["score"] is None else f"{f['score']:g}"
        yield f"  {f['stage']:<9}{f['symbol']:<28}{score:>6}  {f['reason']}"
