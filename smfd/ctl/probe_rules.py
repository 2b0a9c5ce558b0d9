"""The rules, compiled as a worker would."""

from collections.abc import Iterator
from pathlib import Path

from smfd.config.schema import Config
from smfd.content.rules.compile import RuleFaults, load_rules
from smfd.ctl.probe import Report, error, ok


def probe_rules(config: Config) -> Iterator[Report]:
    """Every folder is there and has rules, and they compile."""
    for folder in config.rules:
        yield from _folder(folder)


def _folder(folder: Path) -> Iterator[Report]:
    try:
        found = load_rules(str(folder))
    except RuleFaults as wrong:
        for fault in wrong.faults:
            yield error("rules", f"{folder / fault.file}:{fault.line}: {fault.text}")
        return
    except OSError as failure:
        yield error("rules", f"{failure.filename}: {failure.strerror}.")
        return
    if found.text.rules:
        yield ok("rules", f"{len(found.text.rules)} in {folder}, {found.version}")
    else:
        yield error("rules", f"{folder} has no rules (*.cf); see [content] rules.")
