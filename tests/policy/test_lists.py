"""Tests for L{smfd.policy.lists}."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.directory import ListEntry
from smfd.policy.lists import (
    Match,
    Pattern,
    book,
    keys,
    matches,
    parse_domain,
    parse_pattern,
    scopes,
)

NOW = 1_000.0


def entry(
    pattern: str,
    scope: str = "user@home.example",
    allow: bool = False,
    locked: bool = False,
    expires: float | None = None,
) -> ListEntry:
    """An entry as the directory stores it."""
    return ListEntry(1, scope, allow, str(parse_pattern(pattern)), locked, expires)


def found(*entries: ListEntry, envelope: str = "", header: str = "") -> list[Match]:
    """What matches mail for user@home.example."""
    return list(matches(entries, "User@home.example", envelope, header, NOW))


class PatternTests(SynchronousTestCase):
    """What a person may write for an entry."""

    def test_address(self) -> None:
        """An address is one sender, whatever its case."""
        self.assertEqual(
            Pattern("ann.b", "example.org"), parse_pattern(" Ann.B@Example.ORG ")
        )

    def test_domain(self) -> None:
        """A domain, or *@ and a domain, is every sender of exactly it."""
        for text in "example.org", "*@example.org", "Example.org.":
            self.assertEqual(Pattern("", "example.org"), parse_pattern(text))

    def test_below(self) -> None:
        """*.domain is everything below it; of a top-level domain, too."""
        for text in "*.example.org", "*@*.example.org":
            self.assertEqual(
                Pattern("", "example.org", below=True), parse_pattern(text)
            )
        self.assertEqual("*.zip", str(parse_pattern("*.zip")))

    def test_international(self) -> None:
        """A domain in any script is stored as the DNS knows it."""
        self.assertEqual("xn--mller-kva.example", str(parse_pattern("Müller.example")))
        self.assertEqual(
            "anna@xn--mller-kva.example", str(parse_pattern("anna@müller.example"))
        )

    def test_mistakes(self) -> None:
        """What cannot be a sender is refused with a sentence."""
        for text in (
            "",
            "   ",
            "*",
            "@",
            "gmail",
            "@example.org",
            "news*@example.org",
            "a b@example.org",
            "user@",
            "user@*",
            "*@",
            "*.",
            "*.*.example.org",
            "exa mple.org",
            "example..org",
            "-example.org",
            "192.0.2.1",
            "user@[192.0.2.1]",
            "a\nb@example.org",
            "x" * 65 + "@example.org",
            "a" * 64 + ".example",
            "ex\u202eample.org",
            "..",
            "user@" + "a." * 200,
        ):
            error = self.assertRaises(ValueError, parse_pattern, text)
            self.assertTrue(str(error).endswith("."), text)
            self.assertLess(len(str(error)), 500)

    @given(st.text(max_size=400))
    def test_any_text(self, text: str) -> None:
        """Any text is a pattern that reads back as itself, or a sentence."""
        try:
            pattern = parse_pattern(text)
        except ValueError as wrong:
            self.assertTrue(str(wrong))
        else:
            self.assertEqual(pattern, parse_pattern(str(pattern)))

    @given(st.text(alphabet="ab.-_*@üß1", max_size=20))
    def test_stored_form(self, text: str) -> None:
        """The stored form is what its own senders are looked up by."""
        try:
            pattern = parse_pattern(text)
        except ValueError:
            return
        sender = f"{pattern.local or 'someone'}@{pattern.domain}"
        if pattern.below:
            sender = f"someone@x.{pattern.domain}"
        self.assertIn(str(pattern), keys(sender))

    def test_domain_is_a_labels(self) -> None:
        """A hosted domain is checked by the same grammar."""
        self.assertEqual("xn--bcher-kva.example", parse_domain("BÜCHER.example"))
        self.assertRaises(ValueError, parse_domain, "a/b.example")


class MatchTests(SynchronousTestCase):
    """Which entries speak about a sender, and which counts more."""

    def test_precedence(self) -> None:
        """
        The operator's locked entries, the user's, the domain's, the
        operator's; in one scope allow before block.
        """
        ladder = [
            entry("a.example", "operator", allow=True, locked=True),
            entry("a.example", "operator", allow=False, locked=True),
            entry("a.example", allow=True),
            entry("a.example"),
            entry("a.example", "home.example", allow=True),
            entry("a.example", "home.example"),
            entry("a.example", "operator", allow=True),
            entry("a.example", "operator"),
        ]
        self.assertEqual(
            ladder,
            [m.entry for m in found(*reversed(ladder), envelope="x@a.example")],
        )

    def test_scope_names(self) -> None:
        """Each match says whose entry it is."""
        names = [
            m.scope
            for m in found(
                entry("a.example", "operator", locked=True),
                entry("a.example"),
                entry("a.example", "home.example"),
                entry("a.example", "operator"),
                envelope="x@a.example",
            )
        ]
        self.assertEqual(["locked", "user", "domain", "operator"], names)

    def test_either_identity(self) -> None:
        """An entry matches the author or the envelope, and says which."""
        one = entry("bad@a.example", allow=True)
        self.assertEqual(
            ["envelope"], [m.identity for m in found(one, envelope="Bad@A.example")]
        )
        self.assertEqual(
            ["header"], [m.identity for m in found(one, header="bad@a.example")]
        )
        both = found(one, envelope="bad@a.example", header="bad@a.example")
        self.assertEqual({"header", "envelope"}, {m.identity for m in both})

    def test_below_is_below(self) -> None:
        """*.a.example is not a.example, and a.example not what is below it."""
        below, exact = entry("*.a.example"), entry("a.example")
        self.assertEqual([], found(below, envelope="x@a.example"))
        self.assertEqual([], found(below, envelope="x@nota.example"))
        self.assertEqual(1, len(found(below, envelope="x@m.n.a.example")))
        self.assertEqual([], found(exact, envelope="x@m.a.example"))

    def test_expiry(self) -> None:
        """An expired entry is no entry."""
        self.assertEqual(
            [], found(entry("a.example", expires=NOW), envelope="x@a.example")
        )
        self.assertEqual(
            1, len(found(entry("a.example", expires=NOW + 1), envelope="x@a.example"))
        )

    def test_others(self) -> None:
        """Another user's or another domain's entries do not count."""
        self.assertEqual(
            [],
            found(
                entry("a.example", "other@home.example"),
                entry("a.example", "else.example"),
                envelope="x@a.example",
            ),
        )

    def test_plus(self) -> None:
        """user+tag@ has the lists of user@."""
        self.assertEqual(
            ("u+t@home.example", "u@home.example", "home.example", "operator"),
            scopes("U+T@home.example"),
        )
        hit = matches(
            [entry("a.example", "u@home.example")],
            "u+t@home.example",
            "x@a.example",
            "",
            NOW,
        )
        self.assertEqual(["user"], [m.scope for m in hit])

    def test_null_sender(self) -> None:
        """A bounce has no sender, and no entry is about it."""
        self.assertEqual([], found(entry("*.example"), envelope="", header=""))

    def test_international_sender(self) -> None:
        """A sender in any script meets its entry."""
        self.assertEqual(
            1, len(found(entry("müller.example"), header="a@MÜLLER.example"))
        )

    def test_book_is_the_same(self) -> None:
        """A book finds what a walk through all entries finds."""
        entries = [
            entry(text)
            for text in ("a.example", "*.example", "x@a.example", "b.example")
        ]
        about = book(entries).about(keys("x@a.example", "y@b.a.example"))
        self.assertEqual(
            {"a.example", "*.example", "x@a.example"}, {e.pattern for e in about}
        )

    @given(st.text(max_size=80), st.text(max_size=80))
    def test_any_sender(self, envelope: str, header: str) -> None:
        """Whatever a sender calls himself, the look-up ends."""
        found(entry("a.example"), envelope=envelope, header=header)

    def test_endless_labels(self) -> None:
        """A sender of ten thousand labels costs nothing."""
        self.assertEqual((), keys("x@" + "a." * 10_000))
