"""The rules, read as a worker would."""

from collections.abc import Iterator

from smfd.config.schema import Config
from smfd.ctl.probe import Report, error, ok


def probe_rules(config: Config) -> Iterator[Report]:
    """Every folder is there and has rules."""
    for folder in config.rules:
        count = sum(1 for _ in folder.glob("*.cf")) if folder.is_dir() else 0
        if count:
            yield ok("rules", f"{count} files in {folder}")
        else:
            yield error("rules", f"{folder} has no rules (*.cf); see [content] rules.")
