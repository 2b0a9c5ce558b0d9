"""No broken settings file is ever taken for a whole one."""

import re
import string
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.config.fault import Unusable
from smfd.config.load import read
from smfd.config.render import pages, sample
from smfd.config.schema import Config

HERE = Path("/etc/smfd/smfd.toml")
WHOLE = re.sub(r"(?m)^#(?=[a-z\[])", "", sample())
LINES = WHOLE.split("\n")
KEYS = [n for n, line in enumerate(LINES) if re.match(r"[a-z_]+ = ", line)]
NUMBERS = [n for n in KEYS if re.search(r" = -?[0-9.]+$", LINES[n])]
#: One value of each type, none of which is right for two kinds of settings.
VALUES = {
    "text": '"\\u0001"',
    "number": "-123456789",
    "fraction": "-0.5",
    "truth": "true",
    "list": "[1, [2]]",
    "table": "{x = 1}",
    "date": "2026-11-21",
}


def told(text: str) -> set[int]:
    """The lines in which something is wrong; empty when nothing is."""
    try:
        read(text, HERE)
    except Unusable as unusable:
        return {fault.line for fault in unusable.faults}
    return set()


def flat(node: Any, place: str = "") -> dict[str, Any]:
    """Every leaf of a document or of Config, by its dotted name."""
    if attrs.has(type(node)):
        node = {a.name: getattr(node, a.name) for a in attrs.fields(type(node))}
    if isinstance(node, Mapping):
        pairs = list(node.items())
    elif isinstance(node, list | tuple) and node and not isinstance(node[0], str):
        pairs = list(enumerate(node))
    else:
        return {place: tuple(node) if isinstance(node, list) else node}
    found: dict[str, Any] = {}
    for name, below in pairs:
        found |= flat(below, f"{place}.{name}")
    return found


class MutationTests(SynchronousTestCase):
    """From a file that sets everything, one step aside."""

    def test_whole(self) -> None:
        """The file we start from has every setting and is right."""
        self.assertEqual(set(), told(WHOLE))
        settings_ = [k for p in pages() for k in p.keys if not p.key.many]
        self.assertEqual(len(settings_), len(KEYS))

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(KEYS), st.data())
    def test_misspelt(self, number: int, data: st.DataObject) -> None:
        """A key with one letter too many, too few or wrong is named."""
        name = LINES[number].split(" = ")[0]
        at = data.draw(st.integers(0, len(name) - 1))
        sign = data.draw(st.sampled_from(string.ascii_letters + string.digits))
        cut = data.draw(st.integers(0, 1))
        changed = name[:at] + sign + name[at + cut :]
        if changed == name:
            return
        rows = [*LINES]
        rows[number] = LINES[number].replace(name, changed, 1)
        self.assertIn(number + 1, told("\n".join(rows)), rows[number])

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(KEYS), st.sampled_from(sorted(VALUES)))
    def test_wrong_value(self, number: int, kind: str) -> None:
        """A value of another type, or out of all limits, is named."""
        name, _, value = LINES[number].partition(" = ")
        if kind == "truth" and value in ("true", "false"):
            return
        rows = [*LINES]
        rows[number] = f"{name} = {VALUES[kind]}"
        self.assertIn(number + 1, told("\n".join(rows)), rows[number])

    @settings(max_examples=100, deadline=None)
    @given(st.sampled_from(NUMBERS), st.integers(10**16, 10**30))
    def test_too_much(self, number: int, huge: int) -> None:
        """No number is without an upper limit."""
        rows = [*LINES]
        rows[number] = f"{rows[number].split(' = ')[0]} = {huge}"
        self.assertIn(number + 1, told("\n".join(rows)), rows[number])

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, len(WHOLE) - 1),
                st.integers(0, 4),
                st.text(st.sampled_from("\n\r\t #=[]{}\"'.,:-_aZ09\x00é"), max_size=3),
            ),
            min_size=1,
            max_size=3,
        )
    )
    def test_any_scratch(self, scratches: list[tuple[int, int, str]]) -> None:
        """Whatever is scratched: it is refused, or it means what it says."""
        text = WHOLE
        for at, length, put in scratches:
            text = text[:at] + put + text[at + length :]
        try:
            config = read(text, HERE)
        except Unusable as unusable:
            last = text.count("\n") + 1
            for fault in unusable.faults:
                self.assertTrue(0 <= fault.line <= last, fault)
                self.assertTrue(fault.sentence)
            return
        expected = flat(Config(path=HERE)) | flat(tomllib.loads(text))
        self.assertEqual(_pruned(expected), _pruned(flat(config)))


def _pruned(leaves: dict[str, Any]) -> dict[str, Any]:
    """Without the emptiness that stands for a table with nothing in it."""
    return {name: leaf for name, leaf in leaves.items() if leaf not in ((), {})}
