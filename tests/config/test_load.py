"""A settings file is understood whole, or not at all."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smfd.config.fault import Fault, Unusable
from smfd.config.load import LARGEST, load, read
from smfd.config.schema import Config

HERE = Path("/home/of/smfd/smfd.toml")


def faults(text: str) -> list[Fault]:
    """What is wrong with a text."""
    try:
        read(text, HERE)
    except Unusable as unusable:
        return list(unusable.faults)
    return []


class ReadTests(SynchronousTestCase):
    """Settings that are right."""

    def test_nothing(self) -> None:
        """An empty file is all defaults."""
        self.assertEqual(Config(path=HERE), read("", HERE))

    def test_values(self) -> None:
        """What is written is what we get, of the right type."""
        config = read(
            '[mx]\r\nlisten = ["127.0.0.1:25"]\r\ncommand_timeout = 60\r\n'
            "[scan.on_error]\nspf = 'defer'\n"
            "[[dns.record]]\nname='a.example'\ntype='A'\nvalue='192.0.2.1'\n"
            "[scores]\nSPF_FAIL = 3\n",
            HERE,
        )
        self.assertEqual(("127.0.0.1:25",), config.mx.listen)
        self.assertEqual("60.0", repr(config.mx.command_timeout))
        self.assertEqual("defer", config.scan.on_error.spf)
        self.assertEqual("pass", config.scan.on_error.dkim)
        self.assertEqual("192.0.2.1", config.dns.record[0].value)
        self.assertEqual({"SPF_FAIL": 3.0}, config.scores)

    def test_relative_paths(self) -> None:
        """A path is relative to the home, and the home to the file's folder."""
        self.assertEqual(Path("/home/of/smfd"), read("", HERE).home)
        config = read('[server]\nhome = "data"', HERE)
        self.assertEqual(Path("/home/of/smfd/data/run/x"), config.resolve("run/x"))
        self.assertEqual(Path("/abs"), config.resolve("/abs"))

    def test_rules(self) -> None:
        """The rules that come with smfd are found under their own name."""
        first, second = read('[content]\nrules = ["builtin", "mine"]', HERE).rules
        self.assertTrue(first.parent.joinpath("smfd.toml").exists(), first)
        self.assertEqual(Path("/home/of/smfd/mine"), second)


class FaultTests(SynchronousTestCase):
    """Settings that are wrong: where, and what to do."""

    def assertFault(self, text: str, line: int, key: str, words: str) -> None:
        """There is one fault, there, and it says so."""
        found = faults(text)
        self.assertEqual([(line, key)], [(one.line, one.key) for one in found])
        self.assertIn(words, found[0].sentence)

    def test_all_at_once(self) -> None:
        """Everything that is wrong is said at once, in the order of the lines."""
        text = (
            "[mx]\nrecipents = 5\nerrors = 'x'\njunk =\n[virsu]\n"
            "[[dns.record]]\nname = 'a.example'\ntype = 'A'\nvalue = '::'\n"
            "[[dns.record]]\ntype = 'A'\nvalue = '::'\n[scores]\nlower = 1\n"
        )
        found = [(fault.line, fault.key) for fault in faults(text)]
        self.assertEqual(
            [
                (2, "mx.recipents"),
                (3, "mx.errors"),
                (4, ""),
                (5, "virsu"),
                (10, "dns.record.2.name"),
                (14, "scores.lower"),
            ],
            found,
        )

    def test_did_you_mean(self) -> None:
        """A misspelt key or table is answered with the nearest one."""
        self.assertFault("[mx]\nListen = []", 2, "mx.Listen", 'Did you mean "listen"?')
        self.assertFault("[viruses]", 1, "viruses", 'Did you mean "virus"?')
        self.assertFault("[mx]\nxyzzy = 1", 2, "mx.xyzzy", "There are: listen")

    def test_below_another_header(self) -> None:
        """A key whose own header still has its # is told where it belongs."""
        text = "[server]\nhostname = 'a.example'\n#[tls]\ncertificate = 'a.pem'\n"
        self.assertFault(text, 4, "server.certificate", "below [tls]")
        self.assertFault("[server]\nvalue = 'x'", 2, "server.value", "[[dns.record]]")

    def test_types(self) -> None:
        """A text is no number, a number no text, true is not 1."""
        for value in ("'5'", "true", "5.0", "[5]", "2026-01-01", "{}"):
            self.assertFault(f"[mx]\nerrors = {value}", 2, "mx.errors", "whole number")
        for value in ("'5'", "true", "[]"):
            text = f"[dns]\ntimeout = {value}"
            self.assertFault(text, 2, "dns.timeout", "not a number")
        for value in ("1", "'false'"):
            self.assertFault(f"[dns]\noffline = {value}", 2, "dns.offline", "true or")
        for value in ("'127.0.0.1:25'", "[25]", "[['127.0.0.1:25']]"):
            self.assertFault(f"[mx]\nlisten = {value}", 2, "mx.listen", "a list of")
        self.assertFault("[server]\nhostname = 5", 2, "server.hostname", "a text")
        self.assertFault("mx = 5", 1, "mx", "write [mx]")
        self.assertFault("[dns.record]\nname='a'", 1, "dns.record", "[[dns.record]]")
        self.assertFault("scores = 5", 1, "scores", "write [scores]")

    def test_limits(self) -> None:
        """Too little and too much are told with the limit."""
        self.assertFault("[mx]\nrecipients = 99", 2, "mx.recipients", "least is 100")
        self.assertFault("[mx]\nerrors = 1001", 2, "mx.errors", "most is 1000")
        for number in ("nan", "inf", "-inf"):
            text = f"[dns]\ntimeout = {number}"
            self.assertFault(text, 2, "dns.timeout", "to count with")
        text = f"[mx]\nerrors = {'9' * 400}"
        self.assertFault(text, 2, "mx.errors", "the most is")
        self.assertEqual(1, len(faults(f"[mx]\nerrors = {'9' * 9000}")))

    def test_words(self) -> None:
        """Where only some words make sense, others are refused."""
        text = "[virus]\nengine = 'none'"
        self.assertFault(text, 2, "virus.engine", '"builtin", "clamd"')
        text = "[scan]\nstages = ['spf', 'spf']"
        self.assertFault(text, 2, "scan.stages", "twice")
        text = "[server]\nhome = '/a\\u0007'".replace("'", '"')
        self.assertFault(text, 2, "server.home", "control character")

    def test_addresses(self) -> None:
        """An address, a network, a host name that is none is told apart."""
        for text in (
            "25",
            "1.2.3.4",
            "::1:25",
            "[1.2.3.4]:25",
            "h:25",
            "1.2.3.4:99999",
        ):
            self.assertFault(f"[mx]\nlisten=['{text}']", 2, "mx.listen", "a port")
        self.assertFault("[mx]\nexempt=['10.0.0.1/8']", 2, "mx.exempt", "a network")
        self.assertFault("[dns]\nservers=['dns']", 2, "dns.servers", "an IP address")
        self.assertFault(
            "[virus]\nclamd=['/run/clamd']", 2, "virus.clamd", "clamd could listen"
        )
        for text in ("a b", "-.example", "a..b", "bücher.example", "x" * 64):
            self.assertFault(
                f"[server]\nhostname='{text}'", 2, "server.hostname", "a host name"
            )
        self.assertEqual(
            [],
            faults(
                "[dns]\nservers=['::1', '[::1]:53', '127.0.0.1:5300', '127.0.0.1']\n"
                "[virus]\nclamd=['tcp:localhost:3310', 'unix:/c']\n"
                "[[relay.route]]\ndomain='*'\nto='smtp://[::1]:25'\n"
                "[[relay.route]]\ndomain='a.example'\nto='smtp://127.0.0.1:2526'\n"
            ),
        )

    def test_routes(self) -> None:
        """A server is a name or an address, and a domain has one route."""
        for to in (
            *("127.0.0.1", "lmtp://127.0.0.1", "smtp://", "smtp://1.2.3", "smtp://a:0"),
            *("smtp://[10.0.0.0/8]", "smtp://[2001:db8::/32]:25", "smtp://[::1]25"),
            *("smtp://[192.0.2.1]", "smtp://a:65536", "smtp://a_/b", "smtp://u@a"),
        ):
            text = f"[[relay.route]]\ndomain='*'\nto='{to}'"
            self.assertFault(text, 3, "relay.route.1.to", "is no mail server")
        route = "[[relay.route]]\nto='smtp://mx.a.example'\ndomain="
        self.assertFault(
            f"{route}'a.example'\n{route}'A.example.'",
            6,
            "relay.route.2.domain",
            "another route",
        )

    def test_warm_up(self) -> None:
        """A new address that nothing leaves from is told, and a day that is none."""
        text = "[[reputation.warm_up]]\naddress='192.0.2.26'\nsince='2026-11-22'"
        place = "reputation.warm_up.1"
        self.assertFault(text, 2, f"{place}.address", "nothing leaves there")
        source = "\n[[relay.source]]\naddress='192.0.2.26'"
        wrong = text.replace("2026-11-22", "soon") + source
        self.assertFault(wrong, 3, f"{place}.since", "is not a day")
        self.assertEqual([], faults(text + source))

    def test_tls_sites(self) -> None:
        """A domain has one policy for TLS, by one of five words."""
        site = "[[tls_out.site]]\npolicy='verify'\ndomain="
        place = "tls_out.site.2.domain"
        text = f"{site}'a.example'\n{site}'A.example.'"
        self.assertFault(text, 6, place, "another policy")
        text = "[[tls_out.site]]\ndomain='a.example'\npolicy='dane'"
        self.assertFault(text, 3, "tls_out.site.1.policy", "is none of")

    def test_virus_fails_closed(self) -> None:
        """Nobody can set that unscanned mail passes when the scanner is down."""
        text = "[scan.on_error]\nvirus = 'pass'"
        self.assertFault(text, 2, "scan.on_error.virus", "deferred")

    def test_together(self) -> None:
        """Settings that contradict each other are refused, where they stand."""
        self.assertFault("[mx]\nlisten = []", 2, "mx.listen", "name an address")
        self.assertFault("[tls]\nkey = ''", 1, "tls", "belong together")
        text = "[virus]\nengine = 'clamd'\nclamd = []"
        self.assertFault(text, 3, "virus.clamd", "say where")
        text = "[scan]\nstages = ['virus', 'dmarc']"
        self.assertFault(text, 2, "scan.stages", "to go by")
        text = "[dns]\ntimeout = 9.0"
        self.assertFault(text, 2, "dns.timeout", "longer than lifetime")
        text = "[scan]\nworker_deadline = 31"
        self.assertFault(text, 2, "scan.worker_deadline", "longer than a stage")
        text = "[queue]\nretry_last = 100"
        self.assertFault(text, 1, "queue.retry_first", "longer than the longest")
        text = "[limits]\nscan_wait = 61.0"
        self.assertFault(text, 2, "limits.scan_wait", "part of")

    def test_syntax(self) -> None:
        """What is not TOML is told with its line, and the rest is still read."""
        found = faults("[mx]\nerrors = oops\njunk = 0\n[tls\n[log]\nnope = 1\n")
        self.assertEqual([2, 4], [fault.line for fault in found])
        self.assertIn("not TOML", found[0].sentence)
        found = faults("[mx]\nerrors = oops\njunk = 0\n")
        self.assertEqual([(2, ""), (3, "mx.junk")], [(f.line, f.key) for f in found])
        self.assertEqual(1, len(faults('[mx]\nlisten = ["127.0.0.1:25"\nerrors = 1\n')))
        self.assertEqual(1, len(faults("a = " + "[" * 5000)))

    def test_lines_of_spread_values(self) -> None:
        """A value over several lines is named by its first."""
        text = '[mx]\nlisten = [\n  "127.0.0.1:25",\n]\n\n# x = 1\nerrors = 0\n'
        self.assertFault(text, 7, "mx.errors", "least is 1")
        text = text.replace(":25", "").replace("errors = 0", "")
        self.assertFault(text, 2, "mx.listen", "a port")


class FileTests(SynchronousTestCase):
    """Files that cannot be read at all."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def assertUnusable(self, words: str) -> None:
        """It cannot be used, for one reason, said in these words."""
        error = self.assertRaises(Unusable, load, self.path)
        self.assertIn(words, str(error))
        self.assertEqual(1, len(error.faults))

    def test_missing(self) -> None:
        """No file: how to get one."""
        self.assertUnusable("smfdctl init")

    def test_encoding(self) -> None:
        """Not UTF-8: the line."""
        self.path.write_bytes(b"\n\n\xff")
        self.assertUnusable(":3: This is not UTF-8")

    def test_size(self) -> None:
        """A file that is no settings file is not read to its end."""
        self.path.write_bytes(b"#" * (LARGEST + 1))
        self.assertUnusable("larger than")

    def test_folder(self) -> None:
        """A folder, or anything else that cannot be read."""
        self.path.mkdir()
        self.assertUnusable("cannot be read")
