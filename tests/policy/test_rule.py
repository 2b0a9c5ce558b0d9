"""Who may write what to whom: the rules, and what they say of messages."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.rule import LAST, Addressee, Mail, Ruling
from smfd.policy.rule import Rulebook, group_names, protected
from smfd.policy.rule_fields import FIELDS, INSIDE
from smfd.policy.rule_text import described, read_rule, write_rule

BOARD, DESK = "board@home.example", "desk@home.example"
BOSS, CHIEF, HELP, BOB = (
    f"{name}@home.example" for name in ("boss", "chief", "help", "bob")
)
GROUPS = {BOARD: frozenset({BOSS, CHIEF}), DESK: frozenset({HELP})}
#: Noon of a Monday, UTC.
MONDAY = 1_774_267_200.0


def book(*documents: dict[str, Any]) -> Rulebook:
    """These rules, named by their number unless they say otherwise."""
    rules = [
        read_rule({"name": str(number), **document})
        for number, document in enumerate(documents)
    ]
    return Rulebook(tuple(rules), GROUPS)


def mail(sender: str = "a@far.example", *to: str, **known: Any) -> Mail:
    """Inbound mail, to the boss unless somebody is named."""
    direction = known.pop("direction", "inbound")
    recipients = tuple(Addressee(one, direction) for one in to or (BOSS,))
    return Mail(sender, recipients, known.pop("time", MONDAY), **known)


def own(account: str, *to: str, **known: Any) -> Mail:
    """What a user who logged in sends to people of ours."""
    proven = frozenset({account})
    return mail(
        account, *to, direction="local", account=account, proven=proven, **known
    )


def said(rules: Rulebook, message: Mail) -> list[str]:
    """What becomes of it, for each recipient."""
    return [f"{one.action} {one.rule}" for one in rules.judge(message)]


class ManagementTests(SynchronousTestCase):
    """Nobody but the board's desk may write to the board."""

    RULES = book(
        {
            "name": "board",
            "to": f"group:{BOARD}",
            "not_from": f"group:{DESK}",
            "action": "reject",
            "text": "Write to the desk",
        }
    )

    def test_seed(self) -> None:
        """The desk may, others may not, whatever they send and from wherever."""
        self.assertEqual(["allow last"], said(self.RULES, own(HELP, CHIEF)))
        self.assertEqual(
            [
                Ruling(BOSS, "reject", "board", "Write to the desk"),
                Ruling(BOB, "allow", LAST),
            ],
            list(self.RULES.judge(own(BOB, BOSS, BOB))),
        )
        self.assertEqual(["reject board"], said(self.RULES, mail()))
        self.assertEqual(["reject board"], said(self.RULES, mail("")))

    def test_forged(self) -> None:
        """Whoever writes the desk's name on a letter is not the desk."""
        self.assertEqual(["reject board"], said(self.RULES, mail(HELP, author=HELP)))
        proven = mail("x@far.example", author=HELP, proven=frozenset({HELP}))
        self.assertEqual(["allow last"], said(self.RULES, proven))
        # Nor is somebody who proved to be somebody else.
        other = mail("x@far.example", author=HELP, proven=frozenset({"x@far.example"}))
        self.assertEqual(["reject board"], said(self.RULES, other))

    def test_ways(self) -> None:
        """A tag, other letters or an alias are no way round."""
        self.assertEqual(
            ["reject board"], said(self.RULES, mail("", "BOSS@home.example"))
        )
        self.assertEqual(
            ["reject board"], said(self.RULES, mail("", "boss+x@home.example"))
        )
        self.assertEqual(
            ["allow last"], said(self.RULES, own("help+x@home.example", BOSS))
        )
        rules = book({"to": "bosses@home.example", "action": "reject"})
        to = Addressee(BOSS, "inbound", ("bosses@home.example",))
        self.assertEqual(["reject 0"], said(rules, Mail("a@far.example", (to,), 0.0)))

    def test_postmaster(self) -> None:
        """RFC 5321 §4.5.1: somebody can always be told that a rule is wrong."""
        for action in ({"action": "reject"}, {"action": "redirect", "redirect": BOB}):
            rules = book({**action, "to": "home.example"})
            message = mail("a@far.example", "Postmaster@home.example", BOSS)
            self.assertEqual(["allow 0", f"{action['action']} 0"], said(rules, message))
            why = [ruling.text for ruling in rules.judge(message)]
            self.assertEqual(["postmaster is always reached", ""], why)
        held = book({"to": "home.example", "action": "quarantine"})
        self.assertEqual(
            ["quarantine 0"], said(held, mail("", "postmaster@home.example"))
        )
        away = book({"direction": "outbound", "from": BOB, "action": "reject"})
        outward = mail(BOB, "postmaster@far.example", direction="outbound")
        self.assertEqual(["reject 0"], said(away, outward))


class OrderTests(SynchronousTestCase):
    """The first that matches decides."""

    def test_first(self) -> None:
        """Of several that match, the earlier; a disabled one is not asked."""
        rules = book(
            {"enabled": False, "action": "reject"},
            {"to": BOSS, "action": "quarantine"},
            {"to": "home.example", "action": "reject"},
        )
        self.assertEqual(["quarantine 1", "reject 2"], said(rules, mail("", BOSS, BOB)))
        self.assertFalse(book({"enabled": False, "action": "reject"}))

    def test_last(self) -> None:
        """What no rule matches is allowed, and it says by which rule."""
        self.assertEqual([Ruling(BOSS, "allow", LAST)], list(book().judge(mail())))

    def test_claimed(self) -> None:
        """A name opens a door only when it was proven; it shuts one as it is."""
        for action, name, claimed, proven in (
            ("allow", "from", "allow 1", "allow 0"),
            ("reject", "from", "reject 0", "reject 0"),
            ("allow", "not_from", "allow 1", "allow 1"),
            ("reject", "not_from", "reject 0", "allow 1"),
        ):
            rules = book({"action": action, name: HELP}, {"action": "allow"})
            forger = mail(HELP)
            real = mail(HELP, proven=frozenset({HELP}))
            self.assertEqual([claimed], said(rules, forger), (action, name))
            self.assertEqual([proven], said(rules, real), (action, name))

    def test_besides(self) -> None:
        """A header and a letter come with any decision, or with none."""
        rules = book(
            {"to": BOSS, "action": "add-header", "add_header": "X-Board: yes"},
            {"to": BOB, "action": "notify", "notify": [HELP]},
            {
                "to": CHIEF,
                "action": "redirect",
                "redirect": HELP,
                "notify": BOB,
                "add_header": "X-For: chief",
            },
        )
        self.assertEqual(
            [
                Ruling(BOSS, "allow", "0", header="X-Board: yes"),
                Ruling(BOB, "allow", "1", notify=(HELP,)),
                Ruling(
                    CHIEF,
                    "redirect",
                    "2",
                    redirect=HELP,
                    header="X-For: chief",
                    notify=(BOB,),
                ),
            ],
            list(rules.judge(mail("a@far.example", BOSS, BOB, CHIEF))),
        )

    def test_approver(self) -> None:
        """Who approves of others' mail need not ask himself; a forger must."""
        rules = book({"to": BOSS, "action": "hold", "approvers": [HELP]})
        self.assertEqual(["allow 0"], said(rules, own(HELP, BOSS)))
        self.assertEqual(["hold 0"], said(rules, own(BOB, BOSS)))
        self.assertEqual(["hold 0"], said(rules, mail(HELP)))
        self.assertEqual((HELP,), rules.judge(mail())[0].approvers)

    def test_himself(self) -> None:
        """What is redirected to somebody reaches him as it is."""
        rules = book({"to": "home.example", "action": "redirect", "redirect": BOB})
        self.assertEqual(
            ["allow 0", "redirect 0"], said(rules, mail("", "BOB@home.example", BOSS))
        )


class ConditionTests(SynchronousTestCase):
    """All that a rule may look at."""

    def matches(self, message: Mail, **conditions: Any) -> bool:
        """Whether a rule of these conditions matches a message."""
        return said(book({**conditions, "action": "quarantine"}), message) == [
            "quarantine 0"
        ]

    def check(self, message: Mail, fits: dict[str, Any], other: Any) -> None:
        """A condition holds of a message, another does not, NOT turns both."""
        for name, value in fits.items():
            self.assertTrue(self.matches(message, **{name: value}), name)
            self.assertFalse(self.matches(message, **{f"not_{name}": value}), name)
            self.assertFalse(self.matches(message, **{name: other}), name)
            self.assertTrue(self.matches(message, **{f"not_{name}": other}), name)

    def test_each(self) -> None:
        """Each field, as it is and negated."""
        message = mail(
            "a@mail.far.example",
            author="a@far.example",
            proven=frozenset({"a@mail.far.example", "a@far.example"}),
            client="192.0.2.7",
            subject="Your [Invoice] no. 7",
            header=(("list-id", "<news.far.example>"),),
            size=5_000_000,
            files=("plan.PDF", "inner.exe"),
            types=("application/pdf", "zip"),
            verdict={BOSS: "spam"},
        )
        for fits, other in (
            ({"direction": "inbound"}, ["local", "outbound"]),
            ({"from": "a@far.example"}, "b@far.example"),
            ({"from": "mail.far.example"}, "<>"),
            ({"from": "*.far.example"}, "*.mail.far.example"),
            ({"to": f"group:{BOARD}"}, f"group:{DESK}"),
            ({"to": ["x.example", "home.example"]}, "*.home.example"),
            ({"network": "192.0.2.0/24"}, ["192.0.3.0/24", "2001:db8::/32"]),
            ({"authenticated": "yes"}, "no"),
            ({"verdict": ["spam", "blocked"]}, "clean"),
            ({"time": "mon-fri 08:00-18:00"}, "tue"),
            ({"subject": "INVOICE"}, "in?oice"),
            ({"subject": "*[invoice]*"}, "[xi]nvoice"),
            ({"header": "List-Id: news"}, "List-Id: olds"),
            ({"header": "List-Id"}, "X-List-Id"),
            ({"size_over": "4M"}, "5M"),
            ({"recipients_over": "0"}, "1"),
            ({"attachment": ["*.scr", "*.exe"]}, ["exe", "?.exe", "*.ex"]),
            ({"attachment": "plan.pdf"}, "lan.pdf"),
            ({"attachment": "inner.*"}, "inner.*y"),
            ({"attachment": "*ner.e?e"}, "*ner.?"),
            ({"attachment": "*"}, "*["),
            ({"attachment_type": ["application/pdf"]}, "application"),
        ):
            self.check(message, fits, other)
        bounce, letter = mail(""), mail()
        self.check(bounce, {"from": "<>"}, "far.example")
        self.check(letter, {"authenticated": "no"}, "yes")
        self.assertFalse(self.matches(letter, **{"from": "<>"}))

    def test_together(self) -> None:
        """All conditions must be met; of the values of one, any."""
        values = {"from": ["x.example", "far.example"], "subject": "plan"}
        self.assertTrue(self.matches(mail(subject="The plan"), **values))
        self.assertFalse(self.matches(mail(subject="The plot"), **values))
        self.assertFalse(self.matches(mail("a@b.example", subject="plan"), **values))

    def test_hours(self) -> None:
        """Hours end before their end, go past midnight, and know their zone."""
        for hours, after, holds in (
            ("12:00-13:00", 0, True),
            ("11:00-12:00", 0, False),
            ("12:00-12:01", 59, True),
            ("12:00-12:01", 60, False),
            ("mon 22:00-06:00", 10 * 3600, True),
            ("mon 22:00-06:00", 18 * 3600 - 1, True),
            ("mon 22:00-06:00", 18 * 3600, False),
            ("sun 22:00-06:00", -6 * 3600 - 1, True),
            ("tue 22:00-06:00", 10 * 3600, False),
            ("fri-mon", 0, True),
            ("fri-sun", 0, False),
            # Summer time is two days ahead: Berlin is one hour before UTC.
            ("13:00-14:00 Europe/Berlin", 0, True),
            ("12:00-13:00 Europe/Berlin", 0, False),
            ("14:00-15:00 Europe/Berlin", 7 * 86400, True),
        ):
            message = mail(time=MONDAY + after)
            self.assertEqual(holds, self.matches(message, time=hours), (hours, after))
        self.assertFalse(self.matches(mail(time=1e30), time="00:00-24:00"))

    def test_needs(self) -> None:
        """It is known beforehand what rules want to see."""
        rules = book(
            {"header": ["List-Id: x", "X-A"], "action": "reject"},
            {"enabled": False, "attachment": "*.exe", "action": "reject"},
        )
        self.assertEqual({"list-id", "x-a"}, rules.fields)
        self.assertFalse(rules.looks_inside)
        for name in INSIDE:
            self.assertTrue(book({name: "*", "action": "reject"}).looks_inside)

    def test_groups(self) -> None:
        """It is known which groups rules speak of, and which they protect."""
        rules = book(
            {"to": f"group:{BOARD}", "not_from": f"group:{DESK}", "action": "reject"},
            {"to": f"group:{DESK}", "action": "allow"},
        )
        self.assertEqual({BOARD, DESK}, group_names(rules.rules))
        self.assertEqual({BOARD}, protected(rules.rules))

    def test_open(self) -> None:
        """S54: a rule about what is written, or when, keeps nobody out."""
        shut = {"to": f"group:{BOARD}", "action": "reject"}
        for more in (
            {"size_over": "10M"},
            {"subject": "*x*"},
            {"not_time": "08:00-18:00"},
            {"attachment": "*.exe"},
        ):
            self.assertEqual(set(), protected(book({**shut, **more}).rules), more)
        for who in {"direction": "inbound"}, {"authenticated": "no"}, {"from": BOB}:
            self.assertEqual({BOARD}, protected(book({**shut, **who}).rules), who)


class TextTests(SynchronousTestCase):
    """Rules as people write them."""

    def test_written(self) -> None:
        """What is read is written in one form, and read again the same."""
        document = {
            "name": "Board-1",
            "direction": ["Inbound"],
            "not_from": [f"Group:{DESK.upper()}", "X.Example", "<>"],
            "time": "Mon-Fri 08:00-18:00",
            "size_over": "10 MB",
            "header": "List-ID:  X",
            "network": "192.0.2.7/24",
            "action": "hold",
            "approvers": [HELP.upper()],
            "note": "Päpste",
        }
        rule = read_rule(document)
        self.assertEqual(
            {
                "name": "board-1",
                "note": "Päpste",
                "direction": ["inbound"],
                "not_from": [f"group:{DESK}", "x.example", "<>"],
                "network": ["192.0.2.0/24"],
                "time": ["mon-fri 08:00-18:00 UTC"],
                "header": ["list-id: x"],
                "size_over": ["10485760"],
                "action": "hold",
                "approvers": [HELP],
            },
            write_rule(rule),
        )
        self.assertEqual(rule, read_rule(write_rule(rule)))
        self.assertIn("not from group:desk@home.example or", described(rule))
        plain = read_rule({"name": "x", "action": "allow"})
        self.assertEqual("everything", described(plain))

    def test_numbers(self) -> None:
        """A number may be written as one."""
        made = {"name": "x", "action": "reject", "to": "x.example"}
        self.assertEqual(
            read_rule({**made, "size_over": "5"}), read_rule({**made, "size_over": 5})
        )

    def test_refused(self) -> None:
        """What makes no sense is refused in a sentence that names it."""
        for document, words in (
            ({"frm": "x.example"}, "Did you mean from"),
            ({"name": ""}, "name has 1 to 60"),
            ({"name": "a b"}, "name has 1 to 60"),
            ({"name": "last"}, "always there"),
            ({"name": 7}, "must be a string"),
            ({"action": "drop"}, "There are: allow, reject"),
            ({"direction": "up"}, "direction: 'up' is none of these"),
            ({"to": "x"}, "to: 'x' is neither an address nor"),
            ({"to": "<>"}, "to: "),
            ({"to": "group:home.example"}, "A group is called"),
            ({"to": [7]}, "list of strings"),
            ({"to": {"a": 1}}, "list of strings"),
            ({"authenticated": True}, "list of strings"),
            ({"network": "::1/200"}, "no network"),
            ({"time": "noon"}, "is no time"),
            ({"time": "25:00-26:00"}, "is no time: "),
            ({"time": "24:30-01:00"}, "is no time"),
            ({"time": "08:00-08:00"}, "is no time"),
            ({"time": "mon Europe/Atlantis"}, "is no time zone"),
            ({"time": "a../../etc/passwd"}, "is no time zone"),
            ({"subject": " "}, "1 to 300"),
            ({"subject": "a\nb"}, "1 to 300"),
            ({"header": "no colon"}, "is not like"),
            ({"header": "X: " + "x" * 301}, "1 to 300"),
            ({"size_over": "-1"}, "is no number"),
            ({"size_over": "9" * 30}, "is no number"),
            ({"to": ["x.example"] * 1001}, "more than 1000"),
            ({"action": "reject", "text": "a\r\nb"}, "printable ASCII"),
            ({"text": "why"}, "Only the action reject has"),
            ({"action": "hold"}, "needs approvers: who may let it through"),
            ({"action": "hold", "approvers": "home.example"}, "is not an address"),
            ({"approvers": HELP}, "Only the action hold"),
            ({"action": "redirect"}, "needs redirect"),
            ({"action": "redirect", "redirect": 7}, "is a string"),
            ({"action": "add-header"}, "needs add_header"),
            ({"action": "notify"}, "needs notify"),
            ({"add_header": "X-A: b\r\nFrom: x"}, "one line of ASCII"),
            ({"add_header": "From: boss@home.example"}, "cannot write the field From"),
            ({"add_header": "x-SMFD-Released: 1"}, "cannot write"),
            ({"action": "reject", "add_header": "X-A: b"}, "gets no header"),
            ({"enabled": "no"}, "true or false"),
            ({"note": "x" * 1001}, "at most 1000"),
        ):
            with self.assertRaises(ValueError, msg=document) as caught:
                read_rule({"name": "x", "action": "allow", **document})
            self.assertIn(words, str(caught.exception))

    @given(st.dictionaries(st.sampled_from([*FIELDS, "not_to"]), st.text(max_size=30)))
    def test_any_text(self, conditions: dict[str, str]) -> None:
        """Whatever is written is refused, or can be stored and asked."""
        try:
            rule = read_rule({"name": "x", "action": "reject", **conditions})
        except ValueError:
            return
        self.assertEqual(rule, read_rule(write_rule(rule)))
        Rulebook((rule,), GROUPS).judge(mail())

    @given(st.text(max_size=60), st.text(max_size=60))
    def test_any_mail(self, subject: str, sender: str) -> None:
        """Whatever a message says of itself, it is judged."""
        rules = book(
            {"subject": "*a*b?c*", "not_from": "x.example", "action": "reject"}
        )
        message = mail(sender, subject=subject, author=subject, client=sender)
        self.assertEqual(1, len(rules.judge(message)))
