"""Small is a gate, not a wish."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import smfd

ROOT = Path(smfd.__file__).parent


class SizeTests(SynchronousTestCase):
    """When a gate pinches, find the missing noun."""

    def test_modules(self) -> None:
        """A module stays under 400 lines."""
        for path in sorted(ROOT.rglob("*.py")):
            self.assertLess(len(path.read_text().splitlines()), 400, str(path))

    def test_patterns(self) -> None:
        """
        No pattern repeats a group possessively: C{(?>(?:...)*)} does the same.

        Python 3.11.2, which Debian 12 has, forgets to go back when such a
        group ends in the middle: an address kept its last dot, HTML its tags.
        """
        for path in sorted(ROOT.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(
                    node.value, str | bytes
                ):
                    text = node.value
                    text = text if isinstance(text, str) else text.decode("latin-1")
                    found = re.search(r"(?<!\\)\)(?:[*+?]|\{[\d,]*\})\+", text)
                    self.assertIsNone(found, f"{path}:{node.lineno}")

    def test_functions(self) -> None:
        """A function stays under 40 lines, its docstring not counted."""
        for path in sorted(ROOT.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    assert node.end_lineno is not None
                    first = node.body[0]
                    text = 0
                    if ast.get_docstring(node) is not None:
                        assert first.end_lineno is not None
                        text = first.end_lineno - first.lineno + 1
                    size = node.end_lineno - node.lineno + 1 - text
                    self.assertLess(size, 40, f"{path}:{node.lineno} {node.name}")

    def test_docstrings(self) -> None:
        """Every public module, class and function says what it promises."""
        missing = []
        for path in sorted(ROOT.rglob("*.py")):
            tree = ast.parse(path.read_text())
            if not ast.get_docstring(tree):
                missing.append(str(path))
            missing += [
                f"{path}:{node.lineno} {node.name}"
                for node in _promising(tree)
                if not ast.get_docstring(node) and not _is_of_twisted(node)
            ]
        self.assertEqual([], missing)


Promise = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _promising(parent: ast.Module | ast.ClassDef) -> Iterator[Promise]:
    """What others may use: not what lives in a function or a private class."""
    for node in parent.body:
        if isinstance(node, Promise) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _promising(node)


def _is_of_twisted(node: Promise) -> bool:
    """Whether Twisted promised it already: camelCase names are Twisted's."""
    return not isinstance(node, ast.ClassDef) and node.name != node.name.lower()
