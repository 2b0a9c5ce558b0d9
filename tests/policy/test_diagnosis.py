"""Tests for L{smfd.policy.diagnosis} and L{smfd.policy.listed}."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.cause import Kind
from smfd.policy.diagnosis import Evidence, answer, tallies, total
from smfd.policy.listed import Listed, Named

Row = tuple[str, str, bool, int]
ANN = "ann@home.example"


def said(providers: list[Row], accounts: list[Row], *listed: str) -> str:
    """The answer to these counts."""
    return " ".join(answer(Evidence(tallies(providers), tallies(accounts), listed)))


class AnswerTests(SynchronousTestCase):
    """Why do others reject us?"""

    def test_well(self) -> None:
        """Where nobody does, that is the answer."""
        text = said([("google", "sent", False, 100), ("x", "server", False, 2)], [])
        self.assertEqual(
            "Nobody rejects us for what we are: of 102 tries 2 did not go well:"
            " trouble at their server (2).",
            text,
        )
        well = [("google", "sent", False, 1)]
        self.assertEqual("Nobody rejects us: all went well.", said(well, []))
        self.assertEqual(
            "Nobody rejects us, but 1 recipient called a message spam.",
            said([*well, ("google", "complaint", False, 1)], []),
        )
        self.assertEqual("Nothing was sent.", said([], []))

    def test_few(self) -> None:
        """What speaks of us is never called another's fault, however few it is."""
        text = said([("x", "sent", False, 5), ("x", "authentication", True, 1)], [])
        self.assertEqual(
            "Of 6 tries 1 did not go well: SPF, DKIM or DMARC did not prove the"
            " sender (1).",
            text,
        )

    def test_bad_name(self) -> None:
        """One reply that we are on a list is enough to be told."""
        address, domain = "reputation_address", "reputation_domain"
        text = said([("x", "sent", False, 500), ("x", address, True, 1)], [])
        self.assertEqual(
            "Our address has a bad name with x: so 1 reply; what to do stands below.",
            text,
        )
        many = [(name, domain, True, n) for n, name in enumerate("vwxyz", 1)]
        self.assertIn(
            "Our domain has a bad name with z, y, x, 2 more: so 15 replies;",
            said(many, []),
        )

    def test_one_account(self) -> None:
        """One thief's spam that makes all others suffer is named, with the verb."""
        providers = [
            ("google", "sent", False, 500),
            ("google", "content", True, 60),
            ("yahoo", "reputation_address", False, 40),
            ("yahoo", "mailbox_full", False, 500),
        ]
        text = said(providers, [(ANN, "content", True, 60), (ANN, "sent", False, 9)])
        self.assertIn(f"{ANN} has 60 of the 60 refusals", text)
        self.assertIn(f"user held show {ANN}", text)
        text = said(providers, [(ANN, "content", True, 30)])
        self.assertNotIn(ANN, text)
        text = said(providers, [(ANN, "reputation_address", False, 40)])
        self.assertNotIn(ANN, text)
        text = said(providers, [(ANN, "mailbox_full", False, 90)])
        self.assertNotIn(ANN, text)

    def test_listed(self) -> None:
        """A list comes first, before what it brings about."""
        text = said([("x", "reputation_address", True, 50)], [], "LISTED: it is.")
        self.assertRegex(text, r"\ALISTED: it is\. Our address .* x: 50 of 50 tries")

    def test_provider(self) -> None:
        """Who refuses more than he takes is named with his main reason."""
        providers = [
            ("google", "sent", False, 500),
            ("google", "rate", False, 100),
            ("microsoft", "sent", False, 20),
            ("microsoft", "reputation_address", True, 30),
            ("microsoft", "unknown_recipient", True, 5),
            ("small", "rate", False, 3),
        ]
        self.assertIn(
            "microsoft: 35 of 55 tries did not go well, 30 of them: our address has"
            " a bad name.",
            said(providers, []),
        )

    def test_everywhere(self) -> None:
        """Bought lists, missing proofs and complaints show wherever mail goes."""
        for kind, number, word in (
            ("unknown_recipient", 60, "bought lists"),
            ("authentication", 20, "SPF, DKIM or DMARC"),
            ("complaint", 7, "three in a thousand"),
        ):
            rows = [("a", "sent", False, 1000), ("b", "sent", False, 1000)]
            text = said([*rows, ("a", kind, kind != "complaint", number)], [])
            self.assertEqual(kind != "unknown_recipient", word in text, text)
            text = said([*rows, ("a", kind, kind != "complaint", number * 2)], [])
            self.assertIn(word, text)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from("abc"),
                st.sampled_from([k.value for k in Kind] + ["sent", "complaint", "?"]),
                st.booleans(),
                st.integers(0, 10**6),
            )
        )
    )
    def test_sums(self, rows: list[Row]) -> None:
        """Nothing is lost in adding up, and there is always an answer."""
        parts = tallies(rows)
        all_ = total(parts)
        counted = all_.tries + all_.complaints
        self.assertEqual(sum(number for *_, number in rows), counted)
        self.assertTrue(answer(Evidence(parts, parts)))
        self.assertTrue(0 <= all_.share <= 1)


class ListedTests(SynchronousTestCase):
    """What lists and names mean."""

    def test_meaning(self) -> None:
        """Spamhaus's answers are known by their names; others' are shown."""
        for zone, answer_, word in (
            ("zen.spamhaus.org", "127.0.0.2", "SBL"),
            ("zen.spamhaus.org", "127.0.0.11", "PBL"),
            ("zen.spamhaus.org", "127.0.0.99", "127.0.0.99"),
            ("bl.example.org", "127.0.0.2", "127.0.0.2"),
        ):
            self.assertIn(word, Listed("192.0.2.1", zone, answer_, 0.0).meaning)

    def test_names(self) -> None:
        """A name that is there, is our own, and is what HELO says, is right."""
        for names, own, fault in (
            ((), (), "no name"),
            (("a.example",), (), "a.example is not its own"),
            (("a.example",), ("a.example",), "HELO says mx.example"),
            (("a.example", "mx.example"), ("a.example", "mx.example"), ""),
        ):
            found = Named("192.0.2.1", names, own).fault("mx.example")
            (self.assertIn if fault else self.assertEqual)(fault, found)
