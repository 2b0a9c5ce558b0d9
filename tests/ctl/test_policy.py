"""Groups and mail policies from the command line."""

import tomllib

import click

from smfd.ctl.policy import _CONDITIONS, add
from smfd.policy.rule_fields import FIELDS
from tests.ctl.asking import CtlTestCase

BOARD, DESK = "board@home.example", "desk@home.example"
ANN, BOB, POST = "ann@home.example", "bob@home.example", "postmaster@home.example"
SEED = (
    *("policy", "add", "board", "--to", f"group:{BOARD}"),
    *("--not-from", f"group:{DESK}", "--action", "reject"),
)


class GroupTests(CtlTestCase):
    """Users who are spoken of together."""

    async def test_group(self) -> None:
        """Made, joined, left, shown, removed; each is an act."""
        await self.open()
        said = await self.run_ctl("group", "add", BOARD, ANN, "--note", "The top")
        self.assertEqual("board@home.example has 1 member.\n", said.out)
        self.assertEqual(2, (await self.done("group", "join", BOARD, BOB))["members"])
        said = await self.run_ctl("group", "members", BOARD)
        self.assertEqual(f"{ANN}\n{BOB}\n", said.out)
        await self.done("group", "leave", BOARD, ANN)
        page = await self.done("group", "members", BOARD, "--limit", "1")
        self.assertEqual([BOB], [one["address"] for one in page["items"]])
        page = await self.done("group", "list", "--search", "top")
        self.assertEqual(
            [(BOARD, 1)], [(g["name"], g["members"]) for g in page["items"]]
        )
        self.assertEqual(
            0, (await self.done("group", "list", "--search", "zzz"))["total"]
        )
        said = await self.run_ctl("group", "remove", BOARD)
        self.assertEqual("board@home.example is no group.\n", said.out)
        self.assertEqual(1, (await self.run_ctl("group", "show", BOARD)).code)
        acts = await self.done("audit", "--subject", BOARD)
        self.assertEqual(
            ["group remove", "group leave", "group join", "group add"],
            [act["act"] for act in acts["items"]],
        )

    async def test_unprotected(self) -> None:
        """Groups that everybody may write to are listed, and in the status (S54)."""
        await self.open()
        for name, member in ((BOARD, ANN), (DESK, BOB)):
            await self.done("group", "add", name, member)
        await self.done(*SEED)
        page = await self.done("group", "list", "--unprotected")
        self.assertEqual([DESK], [one["name"] for one in page["items"]])
        warnings = " ".join((await self.done("status"))["warnings"])
        self.assertIn("group list --unprotected", warnings)
        shown = await self.done("group", "show", BOARD)
        self.assertEqual(["board"], shown["policies"])
        said = await self.run_ctl("group", "remove", BOARD)
        self.assertEqual(1, said.code)
        self.assertIn("Rules speak of board@home.example: board.", said.err)


class PolicyTests(CtlTestCase):
    """Rules, in an order that people give them."""

    async def begin(self) -> None:
        """Two groups, and the seed's rule."""
        await self.open()
        await self.done("group", "add", BOARD, ANN)
        await self.done("group", "add", DESK, BOB)
        said = await self.run_ctl(*SEED, "--text", "Write to the desk")
        self.assertEqual(
            f"1. board: reject (to group:{BOARD}, not from group:{DESK})\n",
            said.out,
            said.err,
        )

    async def test_rules(self) -> None:
        """Added, edited, moved, listed, removed; the last one is always there."""
        await self.begin()
        await self.done(
            *(
                "policy",
                "add",
                "zip",
                "--attachment",
                "*.zip",
                "--direction",
                "inbound",
            ),
            *("--action", "hold", "--approver", BOB, "--before", "board"),
        )
        edit = ("policy", "edit", "zip")
        await self.done(*edit, "--disable", "--size-over", "1M", "--drop", "attachment")
        slip = await self.run_ctl(*edit, "--drop", "approver")
        self.assertEqual(
            (1, "Rule 'zip': A rule has no 'approver'. Did you mean approvers?\n"),
            (slip.code, slip.err),
        )
        said = await self.run_ctl("policy", "list")
        self.assertRegex(
            said.out, r"\n1 +zip +hold +direction inbound, size over 1048576"
        )
        self.assertRegex(said.out, r"\n3 +last +yes +allow +everything\n")
        moved = await self.done("policy", "move", "zip", "--last")
        self.assertEqual(2, moved["position"])
        said = await self.run_ctl("policy", "show", "zip")
        self.assertEqual(
            {
                "rule": [
                    {
                        "name": "zip",
                        "enabled": False,
                        "direction": ["inbound"],
                        "size_over": ["1048576"],
                        "action": "hold",
                        "approvers": [BOB],
                    }
                ]
            },
            tomllib.loads(said.out),
        )
        await self.done("policy", "remove", "zip")
        self.assertEqual(2, (await self.done("policy", "list"))["total"])
        for wrong in (
            ("policy", "remove", "last"),
            ("policy", "show", "zip"),
            SEED,
            ("policy", "move", "board", "--before", "nobody"),
            ("policy", "add", "x", "--action", "reject", "--to", "x"),
        ):
            self.assertEqual(1, (await self.run_ctl(*wrong)).code, wrong)

    async def test_faults(self) -> None:
        """What cannot stand beside the others is refused, and named."""
        await self.begin()
        for words, rule in (
            (
                "'x' is never reached: 'board' before it",
                (
                    "--to",
                    f"group:{BOARD}",
                    "--not-from",
                    f"group:{DESK}",
                    "--subject",
                    "x",
                    "--action",
                    "reject",
                ),
            ),
            (
                "'x' would keep back everybody's mail",
                ("--before", "board", "--action", "reject"),
            ),
            ("'x' never matches", ("--to", ANN, "--not-to", ANN, "--action", "reject")),
            (
                "There is no group x@home.example",
                ("--to", "group:x@home.example", "--action", "reject"),
            ),
            (
                "nobody@home.example does not exist",
                ("--action", "notify", "--notify", "nobody@home.example"),
            ),
            (
                "far.example is not hosted here",
                ("--action", "redirect", "--to", ANN, "--redirect", "x@far.example"),
            ),
        ):
            said = await self.run_ctl("policy", "add", "x", *rule)
            self.assertEqual(1, said.code, rule)
            self.assertIn(words, said.err)
        lead = ("--action", "redirect", "--redirect")
        await self.done("policy", "add", "there", "--to", BOB, *lead, POST)
        said = await self.run_ctl("policy", "add", "back", "--to", POST, *lead, BOB)
        self.assertIn("'back' redirects to bob@home.example, whose mail", said.err)
        said = await self.run_ctl("user", "remove", BOB)
        self.assertEqual(0, said.code, said.err)

    async def test_misspelt(self) -> None:
        """Who names somebody who is not there is asked whether he means it."""
        await self.begin()
        add = ("policy", "add", "x", "--action", "reject", "--to", BOB, "--from")
        said = await self.run_ctl(*add, "bbo@home.example", "--not-from", "a@b.example")
        self.assertEqual(0, said.code)
        self.assertIn("nobody here with the address bbo@home.example; is", said.out)
        self.assertNotIn("a@b.example; is", said.out)
        edit = ("policy", "edit", "x", "--from")
        said = await self.run_ctl(*edit, f"{ANN[:3]}+x@home.example")
        self.assertNotIn("nobody here", said.out)
        self.assertEqual([], (await self.done("policy", "show", "x"))["unknown"])

    async def test_apply(self) -> None:
        """What is exported is applied; all of it, or nothing changes."""
        await self.begin()
        await self.done(
            "policy",
            "add",
            "odd",
            "--subject",
            'a "b" \\ ü',
            "--action",
            "reject",
            "--note",
            "Why?",
        )
        said = await self.run_ctl("policy", "export")
        file = self.home / "rules.toml"
        file.write_text(said.out)
        await self.done("policy", "remove", "odd")
        self.assertEqual(
            ["board", "odd"],
            (await self.done("policy", "apply", str(file)))["applied"],
        )
        self.assertEqual(said.out, (await self.run_ctl("policy", "export")).out)
        for text in (
            '[[rule]]\nname = "a"\naction = "reject"\n',
            '[[rule]]\nname = "a"\nto = "x.example"\naction = "reject"\n' * 2,
            '[[rule]]\nname = "a"\naktion = "reject"\n',
            "rule = 1\n",
            "x = [",
        ):
            file.write_text(text)
            no = await self.run_ctl("policy", "apply", str(file))
            self.assertEqual(1, no.code, text)
        file.write_text(f'{said.out}\n[[rule]]\naction = "reject"\n')
        no = await self.run_ctl("policy", "apply", str(file))
        self.assertIn("Rule 3: A rule's name has", no.err)
        self.assertEqual(said.out, (await self.run_ctl("policy", "export")).out)
        file.write_text("")
        no = await self.run_ctl("policy", "apply", str(file))
        self.assertEqual(1, no.code)
        self.assertIn("there are 2: all would go", no.err)
        self.assertEqual(said.out, (await self.run_ctl("policy", "export")).out)
        empty = ("policy", "apply", str(file), "--empty")
        self.assertEqual([], (await self.done(*empty))["applied"])
        # Where there is none, none is lost.
        self.assertEqual([], (await self.done(*empty[:-1]))["applied"])

    async def test_question(self) -> None:
        """May A write to B?  The rule that decides is named."""
        await self.begin()
        ask = ("policy", "test", "--to", f"group:{BOARD}", "--from")
        said = await self.run_ctl(*ask, "x@far.example")
        self.assertEqual(
            f"{ANN} (inbound): reject Write to the desk, by the rule board:"
            f" to group:{BOARD}, not from group:{DESK}\n",
            said.out,
        )
        for words, answer in (
            ((BOB,), "local allow last"),
            ((POST,), "local reject board"),
            ((BOB, "--unauthenticated"), "inbound reject board"),
            (("<>",), "inbound reject board"),
        ):
            found = (await self.done(*ask, *words))["items"]
            self.assertEqual(
                [answer], [f"{i['direction']} {i['action']} {i['rule']}" for i in found]
            )
        await self.done(
            *("policy", "add", "mark", "--to", BOB, "--action", "add-header"),
            *("--add-header", "X-A: b", "--notify", ANN),
        )
        said = await self.run_ctl("policy", "test", "--from", POST, "--to", BOB)
        self.assertIn(
            f"allow, with 'X-A: b' on top, and writes to {ANN}, by the rule mark",
            said.out,
        )
        await self.done("policy", "remove", "mark")
        team = "team@home.example"
        await self.done("alias", "add", team, ANN, BOB)
        found = (await self.done("policy", "test", "--from", POST, "--to", team))[
            "items"
        ]
        self.assertEqual(
            [(ANN, [team], "board"), (BOB, [team], "last")],
            [(i["recipient"], i["named"], i["rule"]) for i in found],
        )
        await self.done(
            *("policy", "edit", "board", "--time", "mon-fri 08:00-18:00"),
            *("--attachment", "*.zip", "--size-over", "1M", "--header", "X-A: b"),
        )
        full = ("--attachment", "a.ZIP", "--size", "2M", "--header", "X-A: b")
        noon = ("--at", "2026-11-23T12:00:00Z")
        for said_of, rule in (
            ((*full, *noon), "board"),
            ((*full, "--at", "2026-11-22T12:00:00Z"), "last"),
            ((*full[2:], *noon), "last"),
        ):
            found = await self.done(*ask, POST, *said_of)
            self.assertEqual(rule, found["items"][0]["rule"])
        self.assertEqual(1, (await self.run_ctl(*ask, BOB, "--size", "much")).code)
        self.assertEqual(1, (await self.run_ctl(*ask, "nonsense")).code)

    def test_conditions(self) -> None:
        """Every condition has its option."""
        self.assertEqual(list(FIELDS), list(_CONDITIONS))
        assert isinstance(add, click.Command)
        options = {option for one in add.params for option in one.opts}
        for name in FIELDS:
            self.assertIn(f"--{name.replace('_', '-')}", options)
            self.assertIn(f"--not-{name.replace('_', '-')}", options)
