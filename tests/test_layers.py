"""The direction of imports, as a test."""

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import smfd

ROWS = [
    {"proto", "format"},
    {"model"},
    {"content", "policy", "config"},
    {"interfaces"},
    {"store", "net"},
    {"scan", "delivery"},
    {"control"},
    {"smtpd", "access", "console"},
    {"service", "ctl"},
    {"tap"},
]

#: The rooms that must work without a reactor.
PURE = {"proto", "format", "model", "content", "policy", "config"}

ROOT = Path(smfd.__file__).parent


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


class LayerTests(SynchronousTestCase):
    """Imports go down only."""

    def test_one_way(self) -> None:
        """No room imports a later row, or a neighbour in its own."""
        row = {room: n for n, rooms in enumerate(ROWS) for room in rooms}
        for path in sorted(ROOT.rglob("*.py")):
            room = path.relative_to(ROOT).with_suffix("").parts[0]
            if room == "__init__":
                continue
            for name in imports(path):
                top, _, rest = name.partition(".")
                if top == "twisted":
                    self.assertNotIn(room, PURE, f"{path} imports {name}")
                other = rest.partition(".")[0]
                if top == "smfd" and other in row and other != room:
                    self.assertLess(row[other], row[room], f"{path} imports {name}")

    def test_no_global_reactor(self) -> None:
        """Only tap and ctl may name the reactor."""
        for path in sorted(ROOT.rglob("*.py")):
            room = path.relative_to(ROOT).with_suffix("").parts[0]
            if room in {"tap", "ctl"}:
                continue
            self.assertNotIn("twisted.internet.reactor", set(imports(path)), f"{path}")
