"""Lists of tags, as signatures and keys are written."""

from dkim.util import InvalidTagValueList, parse_tag_value
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.format.tags import NotTags, read_tags

#: What such lists are made of, right and wrong.
PIECES = st.sampled_from([*(bytes([n]) for n in b"ab1_=;; \t\r\n\x0b\xff"), b"v=1;"])


class TagTests(SynchronousTestCase):
    """One reading of a list, and it is everybody's."""

    def test_read(self) -> None:
        """Space around names and values is nothing, inside it stays."""
        self.assertEqual(
            {b"v": b"1", b"h": b"from :\r\n to", b"b": b""},
            read_tags(b" v=1; h = from :\r\n to ;b=;"),
        )

    def test_no_list(self) -> None:
        """No name, no equals sign, a name twice, a gap: it is no list."""
        for text in (b"a", b"=1", b"1=a", b"a=1;a=2", b"a=1;;", b"a=1;;b=2", b";"):
            self.assertRaises(NotTags, read_tags, text)

    @given(st.lists(PIECES, max_size=30).map(b"".join))
    def test_as_others(self, text: bytes) -> None:
        """A list that dkimpy reads is read the same, and another is none."""
        try:
            theirs = parse_tag_value(text)
        except InvalidTagValueList:
            self.assertRaises(NotTags, read_tags, text)
        else:
            self.assertEqual(theirs, read_tags(text))
