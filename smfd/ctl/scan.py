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
_ASKING = ("spf", "dkim", "dmarc")


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
    chosen = evolve(config.scan, stages=(*stages, *wanted), workers=1)
    letter = Letter(file, client, sender, helo)
    transaction, verdict = judge(evolve(config, scan=chosen), letter)
    document = _document(config, transaction.findings, verdict)
    face.show(document, _lines(document))


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
