"""The rules, read as a worker would."""

from collections.abc import Iterator
from pathlib import Path

from smfd.config.schema import Config
from smfd.content.rules.grammar import read_rules
from smfd.ctl.probe import Report, error, ok


def probe_rules(config: Config) -> Iterator[Report]:
    """Every folder is there, has rules, and all of them can be read."""
    for folder in config.rules:
        yield from _folder(folder)


def _folder(folder: Path) -> Iterator[Report]:
    try:
        files = {
            path.name: path.read_text(encoding="utf-8", errors="replace")
            for path in sorted(folder.glob("*.cf"))
        }
    except OSError as failure:
        yield error("rules", f"{failure.filename}: {failure.strerror}.")
        return
    found = read_rules(files)
    for fault in found.faults:
        yield error("rules", f"{folder / fault.file}:{fault.line}: {fault.text}")
    if not found.rules:
        yield error("rules", f"{folder} has no rules (*.cf); see [content] rules.")
    elif not found.faults:
        yield ok("rules", f"{len(found.rules)} rules in {folder}")
