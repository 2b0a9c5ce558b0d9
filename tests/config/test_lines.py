"""A fault is named with the line a person must look at."""

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.config.lines import Path, find_lines

DOCUMENT = '''# [no] = "table"
top = 1
a.b."c d" = { x = 1, y = [1, 2] }

[t] # = 3
many = [
  "[t.u]",   # z = 1
  "]",
]
text = """
[t.v]
key = 1
"""
after = 2
[t.u]
[[list]]
name = "first"
[list.below]
key = 1
[[list]]
name = "second"
[list.below]
key = 2
[[list.deep]]
key = 3
'''

EXPECTED = {
    ("top",): 2,
    ("a",): 3,
    ("a", "b", "c d", "x"): 3,
    ("t",): 5,
    ("t", "many"): 6,
    ("t", "text"): 10,
    ("t", "after"): 14,
    ("t", "u"): 15,
    ("list", 0): 16,
    ("list", 0, "name"): 17,
    ("list", 0, "below", "key"): 19,
    ("list", 1): 20,
    ("list", 1, "name"): 21,
    ("list", 1, "below", "key"): 23,
    ("list", 1, "deep", 0, "key"): 25,
}

KEYS = st.sampled_from(["a", "b", '"c.d"', "e.f", "g"])
VALUES = st.sampled_from(["1", '"#"', "[1,\n 2]", "{x = 1}", '"""\n[a]\n"""', "'['"])
ROWS = st.one_of(
    st.builds("{} = {}".format, KEYS, VALUES),
    st.builds("[{}]".format, KEYS),
    st.builds("[[{}]]".format, KEYS),
    st.sampled_from(["", "# a = [", "  "]),
)


def places(node: Any, inside: Path = ()) -> list[Path]:
    """Every key of a document."""
    if not isinstance(node, dict):
        return [inside]
    found = [inside] if inside else []
    for key, below in node.items():
        found += places(below, (*inside, key))
    return found


class LineTests(SynchronousTestCase):
    """Where each key stands."""

    def test_each(self) -> None:
        """Dotted and quoted keys, values over many lines, arrays of tables."""
        tomllib.loads(DOCUMENT)
        found = find_lines(DOCUMENT)
        for place, line in EXPECTED.items():
            self.assertEqual(line, found.get(place), place)
        self.assertNotIn(("t", "v"), found)
        self.assertNotIn(("no",), found)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(ROWS, max_size=12))
    def test_any(self, rows: list[str]) -> None:
        """In any document, the line that is named has the key in it."""
        text = ""
        for row in rows:
            try:
                tomllib.loads(text + row + "\n")
            except tomllib.TOMLDecodeError:
                continue
            text += row + "\n"
        lines = text.split("\n")
        for place, line in find_lines(text).items():
            names = [name for name in place if isinstance(name, str)]
            self.assertTrue(
                names[-1] in lines[line - 1] or type(place[-1]) is int, (place, text)
            )
        top = {place[:1] for place in places(tomllib.loads(text)) if place}
        self.assertEqual(top, {place[:1] for place in find_lines(text)})
