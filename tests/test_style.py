"""Small is a gate, not a wish."""

import ast
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
        for path in sorted(ROOT.rglob("*.py")):
            tree = ast.parse(path.read_text())
            self.assertTrue(ast.get_docstring(tree), f"{path} has no docstring")
            for node in ast.walk(tree):
                if isinstance(
                    node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
                ) and not node.name.startswith("_"):
                    if _nested(tree, node):
                        continue
                    self.assertTrue(
                        ast.get_docstring(node) or _overrides(node),
                        f"{path}:{node.lineno} {node.name} has no docstring",
                    )


def _nested(tree: ast.Module, node: ast.AST) -> bool:
    """Whether it lives inside a function, and is nobody's promise."""
    return any(
        node is not outer and node in ast.walk(outer)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _overrides(node: ast.AST) -> bool:
    """Whether Twisted promised it already: camelCase names are Twisted's."""
    name = getattr(node, "name", "")
    return isinstance(node, ast.FunctionDef) and name != name.lower()
