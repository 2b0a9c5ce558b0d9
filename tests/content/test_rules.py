"""The rule language: what it means, what is wrong, and what is too slow."""

from pathlib import Path
from time import process_time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.content.features import read_features
from smfd.content.rules import compiled as compiled_module
from smfd.content.rules.compile import (
    RuleFaults,
    RuleSet,
    compile_rules,
    load_rules,
)
from smfd.content.rules.grammar import read_rules
from smfd.content.rules.match import Matcher
from smfd.content.rules.meta import Misspelt, read_expression
from smfd.content.shape import measure

OURS = Path(smfd.__file__).parents[1] / "etc" / "rules.d"

MESSAGE = (
    b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\nTo: a@example.net\r\n"
    b"Subject: Hello there\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n"
    b"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>One  <b>fat</b>\r\nline</p>"
    b'<p>Two <a href="http://www.example.org/x?y=1">here</a></p>\r\n'
    b"--b\r\nContent-Type: application/octet-stream; name=a.exe\r\n"
    b"Content-Disposition: attachment; filename=a.exe\r\n\r\nMZxx\r\n--b--\r\n"
)


def compiled(*lines: str) -> RuleSet:
    """Compile some lines."""
    return compile_rules({"a.cf": "\n".join(lines)})


def hits(*lines: str, message: bytes = MESSAGE, **given: Any) -> set[str]:
    """The names of the rules that hit."""
    seen = read_features(message, given)
    measure(seen)
    matcher = Matcher(compiled(*lines))
    return {hit.symbol for hit in matcher.run(seen, given.get("symbols", ()))}


class LanguageTests(SynchronousTestCase):
    """Each kind of rule looks where it should."""

    def assertHits(self, *lines: str, **given: Any) -> None:
        """Every rule hits whose name begins with Y, and no other."""
        names = {line.split()[1] for line in lines}
        expected = {name for name in names if name.startswith("Y")}
        self.assertEqual(hits(*lines, **given), expected)

    def test_header(self) -> None:
        """Header rules see decoded values; modifiers choose a part of them."""
        self.assertHits(
            "header Y1 Subject =~ /^hello/i",
            "header N1 Subject =~ /^hello/",
            "header Y2 From =~ /J\u00fcrgen/",
            "header Y3 From:raw =~ /=\\?utf-8/",
            "header N3 From =~ /=\\?utf-8/",
            "header Y4 From:addr =~ /^j@example\\.org$/",
            "header Y5 From:name =~ /^J\u00fcrgen$/",
            "header Y6 Subject !~ /bye/",
            "header N6 Subject !~ /there/",
            "header Y7 exists:Message-ID",
            "header N7 exists:X-Mailer",
            "header Y8 X-Mailer =~ /^none$/ [if-unset: none]",
            "header N8 X-Mailer =~ /none/",
            "header NA Subject =~ /^none$/ [if-unset: none]",
            "header Y9 ToCc =~ /example\\.net/",
            "header YA ALL =~ /^Date: Mon/m",
            "header YB EnvelopeFrom =~ /^me@/",
            sender="me@example.org",
        )

    def test_many_fields(self) -> None:
        """Rules are shown 500 fields, and fifty of one name decoded."""
        message = b"".join(b"X-%d: a\r\n" % n for n in range(300)) + b"B: c\r\n" * 300
        self.assertHits(
            "header Y1 exists:X-299",
            "header N1 exists:Subject",
            "header Y2 B:raw =~ /^(?:c\\n){200}$/",
            "header Y3 B =~ /^(?:c\\n){50}$/",
            message=message + b"Subject: d\r\n\r\n",
        )

    def test_body(self) -> None:
        """Body rules see text in lines of a paragraph, subject first."""
        self.assertHits(
            "body Y1 /One fat line/",
            "body Y2 /^Two here$/",
            "body Y3 /^Hello there$/",
            "body N1 /<b>/",
            "rawbody Y4 /<b>fat/",
            "full Y5 /^--b\\r$/m",
            "full Y6 /name=a\\.exe/",
        )

    def test_uri_and_mime(self) -> None:
        """Address rules see each address, MIME rules the fields of parts."""
        self.assertHits(
            "uri Y1 /^http:\\/\\/www\\.example\\.org\\/x/",
            "uri Y2 m{^http://www\\.example\\.org/x\\?y=1$}",
            "uri N1 /ftp/",
            "mimeheader Y3 Content-Disposition =~ /attachment.*\\.exe/",
            "mimeheader N3 Content-Type =~ /image/",
        )

    def test_meta(self) -> None:
        """Metas calculate, in any order, with findings of other stages."""
        self.assertEqual(
            hits(
                "meta Y1 Y2 && !N2",
                "meta Y2 __A + __B >= 2",
                "meta N2 __A && __C || __D",
                "meta Y3 SPF_PASS && (__A || UNHEARD_OF)",
                "meta Y4 !__C + !__D == 2",
                "meta N4 __A / __C",
                "body __A /fat/",
                "body __B /here/",
                "body __C /nowhere/",
                "body __D /never/",
                symbols=["SPF_PASS"],
            ),
            {"Y1", "Y2", "Y3", "Y4"},
        )

    def test_namesakes(self) -> None:
        """A rule decides about its name, whatever was found before."""
        self.assertHits(
            "header N1 exists:X-Mailer",
            "body N2 eval:html_tag_exists('form')",
            "meta N3 __A",
            "body __A /nowhere/",
            "body Y1 /fat/",
            "body Y2 /nowhere/",
            symbols=["N1", "N2", "N3", "Y1", "Y2"],
        )

    def test_what_vectorscan_cannot(self) -> None:
        """Looking around and back is confirmed, not only filtered."""
        self.assertHits(
            "body Y1 /fat(?= line)/",
            "body N1 /fat(?! line)/",
            "body Y2 /\\b(\\w)\\w*\\s\\w+\\s\\w*(?<=line)/",
            "body N2 /(fat) \\1/",
        )

    def test_scores(self) -> None:
        """Scores are given, or 1; of four the first counts; multiple counts."""
        rules = compiled(
            "body A /e/",
            "body B /l/",
            "score B -0.5 1 2 3",
            "body C /l/",
            "tflags C multiple maxhits=2",
            "score C 0.5",
            "body T_D /e/",
            "body E /e/",
            "score E 0",
            "describe A It has an e",
        )
        found = {hit.symbol: hit for hit in Matcher(rules).run(read_features(MESSAGE))}
        scores = {name: hit.score for name, hit in found.items()}
        self.assertEqual(scores, {"A": 1.0, "B": -0.5, "C": 1.0, "T_D": 0.01})
        self.assertEqual(found["A"].describe, "It has an e")
        self.assertIn("e", found["A"].evidence)

    def test_evidence_of_whole_characters(self) -> None:
        """A match that ends within a character shows the characters before it."""
        rules = compiled("header A Subject =~ /\\xf0\\x9f/")
        message = "Subject: Grüße 🎉\r\n\r\n".encode()
        (hit,) = Matcher(rules).run(read_features(message))
        self.assertEqual("Grüße", hit.evidence)

    def test_eval(self) -> None:
        """Functions are called with their arguments."""
        self.assertHits(
            "body Y1 eval:html_tag_exists('b')",
            "body N1 eval:html_tag_exists('form')",
            "full Y2 eval:shape('attachment-program', 1)",
            "full N2 eval:shape('attachments', 2, 9)",
            "header Y3 eval:check_for_mime_html_only()",
            "header N3 eval:check_for_shifted_date(1, 2)",
        )

    def test_version(self) -> None:
        """The version changes with the files, and only then."""
        first = compiled("body A /a/").version
        self.assertEqual(first, compiled("body A /a/").version)
        self.assertNotEqual(first, compiled("body A /b/").version)


class FaultTests(SynchronousTestCase):
    """What is wrong is said, all of it, with file and line."""

    def test_faults(self) -> None:
        """Every kind of mistake has its line."""
        lines = [
            "body A /(/",
            "body B /a",
            "header C Subject ~ /a/",
            "score D many",
            "bodies E /a/",
            "body 1F /a/",
            "meta G (A",
            "header H Subject:strange =~ /a/",
            "body I /a/q",
            "full J eval:shape(1)",
            "meta K L",
            "meta L K",
            "describe",
        ]
        with self.assertRaises(RuleFaults) as caught:
            compiled(*lines)
        faults = caught.exception.faults
        self.assertEqual({f.line for f in faults}, set(range(1, len(lines) + 1)))
        self.assertTrue(all(str(f).startswith(f"a.cf:{f.line}: ") for f in faults))

    def test_left_out(self) -> None:
        """Conditions and unknown functions are left out, with a note."""
        rules = compiled(
            "ifplugin Mail::Some::Thing",
            "body A /fat/",
            "endif",
            "header B eval:check_rbl('x')",
            "score C 1",
        )
        self.assertEqual(set(rules.text.rules) & {"A"}, set())
        self.assertEqual(len(rules.notes), 2)
        self.assertEqual(Matcher(rules).run(read_features(MESSAGE)), [])

    def test_numbers(self) -> None:
        """A number is one however it is written."""
        for text in "01 + 1", "002", "2.000", "\u0662 * 1":
            self.assertEqual(2.0, read_expression(text).value({}), text)

    @given(st.text(alphabet="AB_()&|!+-*/<>=01. ", max_size=40))
    def test_any_expression(self, text: str) -> None:
        """Whatever an expression says, it has a value or is refused."""
        try:
            expression = read_expression(text)
        except Misspelt:
            return
        values = dict.fromkeys(expression.names, 1.0)
        self.assertIsInstance(expression.value(values), float)

    @given(st.text(max_size=200))
    def test_any_file(self, text: str) -> None:
        """Whatever a file says, reading it ends without a traceback."""
        read_rules({"a.cf": text, "b.cf": "body A " + text, "c.cf": "meta M " + text})


class PatienceTests(SynchronousTestCase):
    """No pattern holds up the mail (R28)."""

    def test_alarm_spells_nothing(self) -> None:
        """
        Setting the alarm does not spell the rules out.

        signal() writes the repr of its handler, and so of us, into an error
        that nobody sees: it was half the time of a message of 60 KB.
        """
        matcher = Matcher(compiled("body A /a(?=b)/"))
        self.assertLess(len(repr(matcher)), 200)

    def test_catastrophic(self) -> None:
        """Patterns that explode in re are run otherwise, or put aside."""
        bad = [
            "(a+)+$",
            "(a|a)*b",
            "(a|aa)+$",
            "(.*a){20}b",
            "([a-z]+)*[0-9]",
            "(\\w+\\s?)+:",
            "^(a?){30}a{30}$",
            "(x+x+)+y",
        ]
        lines = []
        for number, pattern in enumerate(bad):
            lines.append(f"body A{number} /{pattern}/")
            lines.append(f"body B{number} /(?!zzz){pattern}/")
            lines.append(f"body C{number} /{pattern}(?<=q)(\\w)\\1/")
            lines.append(f"header D{number} Subject =~ /(?={pattern}){pattern}/")
        seen = read_features(b"Subject: " + b"a" * 60 + b"\r\n\r\n" + b"ax " * 3000)
        matcher = Matcher(compiled(*lines), budget=0.02)
        began = process_time()
        matcher.run(seen)
        self.assertLess(process_time() - began, 5)
        self.assertTrue(matcher.aside)
        again = process_time()
        matcher.run(seen)
        self.assertLess(process_time() - again, 1)


class CompiledTests(SynchronousTestCase):
    """What is kept of them, so that the next start need not compile."""

    LINES = "body A /one.{0,9}two/", "body B /(?!x)three/", "header C Subject =~ /four/"
    SEEN = b"Subject: four\r\n\r\none and two, three\r\n"

    def setUp(self) -> None:
        """An empty folder."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.times = 0
        compiling = compiled_module._compile

        def counted(*arguments: Any) -> Any:
            self.times += 1
            return compiling(*arguments)

        self.patch(compiled_module, "_compile", counted)

    def hits(self, *lines: str) -> set[str]:
        """What hits, with what is kept."""
        rules = compile_rules({"a.cf": "\n".join(lines)}, self.folder)
        return {hit.symbol for hit in Matcher(rules).run(read_features(self.SEEN))}

    def names(self) -> set[str]:
        """The files."""
        return {path.name for path in self.folder.iterdir()}

    def test_again(self) -> None:
        """The second time nothing is compiled, and everything hits as before."""
        first = self.hits(*self.LINES)
        self.assertEqual({"A", "B", "C"}, first)
        self.assertEqual(2, self.times)
        self.assertEqual(first, self.hits(*self.LINES))
        self.assertEqual(2, self.times)

    def test_others(self) -> None:
        """Other patterns, or the same to be read otherwise, are compiled."""
        self.hits("body A /ONE/")
        before = self.names()
        self.assertEqual({"A"}, self.hits("body A /ONE/i"))
        self.assertEqual(2, self.times)
        self.assertEqual((1, set()), (len(self.names()), self.names() & before))

    def test_damaged(self) -> None:
        """A file that is cut, changed or nothing at all is made anew."""
        self.hits(*self.LINES)
        for damage in (
            lambda octets: octets[: len(octets) // 2],
            lambda octets: octets[:-9] + bytes((octets[-9] ^ 1,)) + octets[-8:],
            lambda octets: b"",
        ):
            for path in self.folder.iterdir():
                path.write_bytes(damage(path.read_bytes()))
            self.times = 0
            self.assertEqual({"A", "B", "C"}, self.hits(*self.LINES))
            self.assertEqual(2, self.times)

    def test_nowhere(self) -> None:
        """Without the folder all works, and none is made."""
        self.folder.rmdir()
        self.assertEqual({"A", "B", "C"}, self.hits(*self.LINES))
        self.assertFalse(self.folder.exists())


class OurRulesTests(SynchronousTestCase):
    """The rules that are shipped."""

    def test_sound(self) -> None:
        """They compile, every one that shows has a sentence and a score."""
        rules = load_rules(str(OURS))
        self.assertEqual(rules.notes, [])
        for rule in rules.text.rules.values():
            if not rule.hidden and rules.score(rule.name):
                self.assertIn(rule.name, rules.text.describe)
                self.assertIn(rule.name, rules.text.scores)

    def test_known(self) -> None:
        """The test string is spam without doubt, and plain mail is not."""
        matcher = Matcher(load_rules(str(OURS)))
        string = b"*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
        head = MESSAGE.partition(b"MIME")[0] + b"\r\n"
        for text, low, high in [
            (b"XJS" + string, 1000, 1010),
            (b"Shall we meet at noon? Yours, J.", -5, 1),
        ]:
            seen = read_features(head + text)
            measure(seen)
            score = sum(hit.score for hit in matcher.run(seen))
            self.assertTrue(low <= score <= high, (text, score))

    def test_program(self) -> None:
        """A program attached under the name of a document is enough."""
        message = MESSAGE.replace(b"a.exe", b"invoice.pdf.exe")
        seen = read_features(message)
        measure(seen)
        found = Matcher(load_rules(str(OURS))).run(seen)
        self.assertGreater(sum(hit.score for hit in found), 5)
        self.assertIn("ATT_DOUBLE", {hit.symbol for hit in found})
