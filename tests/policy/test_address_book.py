"""Tests for L{smfd.policy.address_book}."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.directory import Domain, Known
from smfd.model.hop import NextHop
from smfd.policy.address_book import Endless, Expansion, candidates, risks

HOME = Domain("h.ex")
NAMES = [f"a{n}@h.ex" for n in range(8)]
#: Who stands for whom; and who is a mailbox too.
BOOKS = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(st.lists(st.sampled_from(NAMES), max_size=4), st.booleans()),
)
Book = dict[str, tuple[list[str], bool]]


def follow(book: Book, name: str, most: int = 1000, deep: int = 10) -> Expansion:
    """An address followed through a book."""
    expansion = Expansion(most, deep)
    expansion.follow(name)
    while (address := expansion.next()) is not None:
        targets, keep = book.get(address, ([], False))
        known = Known(address, HOME, tuple(targets), keep or not targets)
        expansion.tell(known if address in book else None)
    expansion.close()
    return expansion


def reachable(book: Book, name: str) -> set[str]:
    """Everything that an address leads to, and itself."""
    found, waiting = set(), [name]
    while waiting:
        address = waiting.pop()
        if address not in found:
            found.add(address)
            waiting += book.get(address, ([], False))[0]
    return found


class ExpansionTests(SynchronousTestCase):
    """Where mail ends."""

    @given(BOOKS, st.sampled_from(NAMES))
    def test_ends(self, book: Book, name: str) -> None:
        """Every mailbox behind an address, once; circles end, or are told."""
        there = reachable(book, name)
        ends = {a for a in there & set(book) if book[a][1] or not book[a][0]}
        lost = there - set(book)
        try:
            found = follow(book, name)
        except Endless:
            self.assertEqual((set(), set()), (ends, lost))
            return
        self.assertEqual(ends, set(found.ends))
        self.assertEqual((lost, len(lost)), (set(found.lost), len(found.lost)))

    def test_wide(self) -> None:
        """So many addresses, and not one more."""
        book: Book = {"all@h.ex": ([f"u{n}@h.ex" for n in range(10)], False)}
        self.assertEqual(10, len(follow(book, "all@h.ex", most=11).lost))
        self.assertRaises(Endless, follow, book, "all@h.ex", most=10)

    def test_deep(self) -> None:
        """So many aliases one behind the other, and not one more."""
        book: Book = {f"a{n}@h.ex": ([f"a{n + 1}@h.ex"], False) for n in range(5)}
        book["a5@h.ex"] = ([], True)
        self.assertEqual(["a5@h.ex"], list(follow(book, "a0@h.ex", deep=5).ends))
        self.assertRaises(Endless, follow, book, "a0@h.ex", deep=4)

    def test_circle(self) -> None:
        """Who leads to himself through others ends nowhere."""
        book: Book = {"a@h.ex": (["b@h.ex"], False), "b@h.ex": (["a@h.ex"], False)}
        self.assertRaises(Endless, follow, book, "a@h.ex")


class TagTests(SynchronousTestCase):
    """user+tag@."""

    def test_candidates(self) -> None:
        """The exact address first, then the one without its tag."""
        for address, delimiter, found in (
            ("a@h.ex", "+", ("a@h.ex",)),
            ("a+b+c@h.ex", "+", ("a+b+c@h.ex", "a@h.ex")),
            ("a-b@h.ex", "-", ("a-b@h.ex", "a@h.ex")),
            ("a+b@h.ex", "", ("a+b@h.ex",)),
            ("+b@h.ex", "+", ("+b@h.ex",)),
            ("a", "+", ()),
            ("@h.ex", "+", ()),
        ):
            self.assertEqual(found, candidates(address, delimiter))


class RiskTests(SynchronousTestCase):
    """What is said aloud."""

    def test_risks(self) -> None:
        """No verification and a catch-all are risks; nothing else is."""
        hop = NextHop("smtp", "192.0.2.1", 25)
        self.assertEqual([], list(risks(Domain("h.ex"))))
        for verify, count in ("callout", 0), ("list", 0), ("none", 1):
            said = risks(Domain("h.ex", "relay", next_hop=hop, verify=verify))
            self.assertEqual(count, len(said))
        self.assertIn("a@h.ex", risks(Domain("h.ex", catch_all="a@h.ex"))[0])
