"""Tests for L{smfd.policy.source}."""

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.finding import Finding, Result
from smfd.policy.networks import networks
from smfd.policy.source import (
    Judged,
    Rule,
    Rules,
    Zone,
    helo_flaw,
    listing,
    refusals,
    reversed_name,
)

OURS = (ip_address("192.0.2.25"), ip_address("2001:db8::25"))
CLIENT = "198.51.100.7"


class NameTests(SynchronousTestCase):
    """What a name in HELO says of who says it."""

    def flaw(self, name: str, client: str = CLIENT) -> str:
        """The symbol, or nothing."""
        found = helo_flaw(name, client, "mx.home.example", OURS)
        return found.symbol if found else ""

    def test_ours(self) -> None:
        """Nobody else is called as we are, by name or by address."""
        for name in (
            "mx.home.example",
            "MX.Home.Example.",
            "[192.0.2.25]",
            "192.0.2.25",
            "[IPv6:2001:db8::25]",
            "[ipv6:2001:DB8:0::25]",
            "[::ffff:192.0.2.25]",
        ):
            self.assertEqual("HELO_OURS", self.flaw(name), name)
            self.assertEqual("", self.flaw(name, "192.0.2.25"), name)

    def test_others(self) -> None:
        """An address stands in brackets and is one's own."""
        for name, symbol in {
            "[198.51.100.7]": "",
            "[IPv6:::ffff:198.51.100.7]": "",
            "[198.51.100.8]": "HELO_FOREIGN_ADDRESS",
            "[IPv6:2001:db8::7]": "HELO_FOREIGN_ADDRESS",
            "198.51.100.7": "HELO_BARE_ADDRESS",
            "2001:db8::7": "HELO_BARE_ADDRESS",
        }.items():
            self.assertEqual(symbol, self.flaw(name), name)

    def test_names(self) -> None:
        """A name has a domain, and is one."""
        for name, symbol in {
            "mail.a.example": "",
            "mail.a.example.": "",
            "xn--bcher-kva.example": "",
            "localhost": "HELO_UNQUALIFIED",
            "WIN-4711": "HELO_UNQUALIFIED",
            "mail_1.a.example": "HELO_INVALID",
            "-a.example": "HELO_INVALID",
            "a..example": "HELO_INVALID",
            "1.2.3": "HELO_INVALID",
            "[1.2.3]": "HELO_INVALID",
            "": "HELO_INVALID",
        }.items():
            self.assertEqual(symbol, self.flaw(name), name)

    @given(st.text(max_size=300))
    def test_anything(self, name: str) -> None:
        """Whatever a client calls itself, there is an answer."""
        self.flaw(name)


class ListTests(SynchronousTestCase):
    """How lists are asked, and what an answer is (RFC 5782)."""

    def test_reversed(self) -> None:
        """The name that is asked for."""
        self.assertEqual("7.100.51.198.bl.example", reversed_name(CLIENT, "bl.example"))
        self.assertEqual(
            "7.100.51.198.bl.example", reversed_name(f"::ffff:{CLIENT}", "bl.example")
        )
        name = reversed_name("2001:db8::1", "bl.example")
        self.assertTrue(name.startswith("1.0.0.0."))
        self.assertTrue(name.endswith("8.b.d.0.1.0.0.2.bl.example"))

    def test_answers(self) -> None:
        """Only the answers that are asked for count."""
        match = (ip_network("127.0.0.2"), ip_network("127.0.0.4/30"))
        for answers, found in (
            ([], ""),
            (["127.0.0.2"], "127.0.0.2"),
            (["127.0.0.3"], ""),
            (["127.0.0.3", "127.0.0.6"], "127.0.0.6"),
        ):
            self.assertEqual(found, listing(answers, match))

    def test_no_answers(self) -> None:
        """A parked domain, and "do not ask me so", list nobody."""
        everything = (ip_network("0.0.0.0/0"),)
        for text in ("203.0.113.9", "127.255.255.254", "127.255.255.252"):
            self.assertRaises(ValueError, listing, [text], everything)


class RuleTests(SynchronousTestCase):
    """What the settings make of a finding."""

    FAIL = Finding("source", "RDNS_NONE", Result.FAIL, 0.0, "it has no name")
    ERROR = Finding("source", "RDNS_ERROR", Result.ERROR, None, "no answer")

    def test_modes(self) -> None:
        """What is watched neither scores nor refuses."""
        for mode, action, score, code in (
            ("observe", "refuse", 0.0, None),
            ("observe", "score", 0.0, None),
            ("enforce", "score", 2.0, None),
            ("enforce", "refuse", 2.0, 550),
        ):
            rule = Rule(mode, action, 2.0)
            said = rule.refusal(self.FAIL, CLIENT)
            self.assertEqual(score, rule.weigh(self.FAIL).score, mode)
            self.assertEqual(code, said and said.code, (mode, action))

    def test_no_answer(self) -> None:
        """A DNS that is down refuses nobody for good."""
        for mode in ("observe", "enforce"):
            for action in ("score", "refuse"):
                rule = Rule(mode, action, 2.0)
                self.assertIs(None, rule.refusal(self.ERROR, CLIENT))
                self.assertIs(None, rule.weigh(self.ERROR).score)
        said = Rule("enforce", "refuse", 2.0, "defer").refusal(self.ERROR, CLIENT)
        assert said is not None
        self.assertEqual((451, "4.4.3"), (said.code, said.status))


class RulesTests(SynchronousTestCase):
    """Which test a finding is of."""

    OFF = Rule("off")

    def finding(self, symbol: str, result: Result = Result.FAIL) -> Finding:
        """Something that was found."""
        return Finding("source", symbol, result, 0.0, "why")

    def test_each(self) -> None:
        """Each finding has the weight of its own test."""
        one, two, three, four, five = (
            Rule("enforce", "score", float(n)) for n in range(1, 6)
        )
        rules = Rules(one, two, three, four, five)
        for score, symbols in enumerate(
            (
                ("RDNS_NONE", "RDNS_UNCONFIRMED"),
                ("HELO_OURS",),
                ("HELO_UNKNOWN", "HELO_INVALID"),
                ("SENDER_NULL_MX",),
                ("SENDER_NO_DOMAIN",),
            ),
            1,
        ):
            for symbol in symbols:
                (found,) = rules.judge([self.finding(symbol)], CLIENT)
                self.assertEqual(float(score), found.finding.score, symbol)

    def test_off(self) -> None:
        """A test that is off has found nothing, whatever else is on."""
        on = Rule("enforce", "refuse", 1.0)
        rules = Rules(on, self.OFF, on, self.OFF, on)
        found = [self.finding(s) for s in ("HELO_OURS", "RDNS_NONE", "SENDER_NULL_MX")]
        judgements = rules.judge(found, CLIENT)
        self.assertEqual(["RDNS_NONE"], [j.finding.symbol for j in judgements])

    def test_pass(self) -> None:
        """A name that is right is worth nothing and refuses nobody."""
        rule = Rule("enforce", "refuse", 3.0)
        rules = Rules(rule, rule, rule, rule, rule)
        right = self.finding("RDNS_PASS", Result.PASS)
        self.assertEqual((Judged(right),), rules.judge([right], CLIENT))

    def test_zone(self) -> None:
        """A list has a weight of its own, for or against, and a time to refuse."""
        for allow, score, at_connect in ((True, -2.0, False), (False, 4.0, True)):
            action = "score" if allow else "refuse"
            rule = Rule("enforce", action, score)
            zone = Zone("l.example", networks(["127.0.0.2"]), allow, at_connect, rule)
            result = Result.PASS if allow else Result.FAIL
            (found,) = zone.judge([self.finding("LIST_L_EXAMPLE", result)], CLIENT)
            self.assertEqual(score, found.finding.score)
            self.assertEqual((allow, at_connect), (not found.refusal, found.at_connect))

    def test_order(self) -> None:
        """What is known is said before what could not be looked up."""
        defers = Rule("enforce", "refuse", 1.0, "defer")
        rules = Rules(defers, defers, defers, defers, defers)
        found = [self.finding("RDNS_ERROR", Result.ERROR), self.finding("HELO_OURS")]
        said = [j.refusal for j in refusals(rules.judge(found, CLIENT))]
        self.assertEqual([550, 451], [one.code for one in said if one])
