"""Tests for L{smfd.control.held} and L{smfd.control.release}."""

from typing import Any

from attrs import evolve
from twisted.internet.defer import DeferredList, fail

from smfd.control import held, tracking
from smfd.control.house import House
from smfd.control.release import release
from smfd.delivery.relay_body import Pages
from smfd.delivery.signer import Signer
from smfd.model.directory import Refused
from smfd.model.entry import NOTHING, REMOTE, Asked, Entry
from smfd.model.finding import Result
from tests.control.building import OPERATOR, HouseTestCase, later, reactor
from tests.store.test_directory_dkim import PAIRS


class ReleaseTests(HouseTestCase):
    """A held message is let through, once, and looked at again before."""

    async def test_released(self) -> None:
        """It reaches the mailbox, marked, otherwise as it was received."""
        house = await self.build()
        name = await self.receive()
        done = await release(house, OPERATOR, id=f"{name}-1", reason="He asked.")
        await self.settled()
        (mail,) = self.inbox()
        head = (
            b"Return-Path: <x@a.example>\r\nDelivered-To: ann@home.example\r\n"
            b"X-Smfd-Released: " + name.encode() + b"-1; "
        )
        self.assertTrue(mail.startswith(head), mail)
        self.assertTrue(
            mail.endswith(
                b" +0000\r\nReceived: from test\r\n"
                b"From: <x@a.example>\r\nSubject: Pills\r\n\r\nBuy\r\n"
            ),
            mail,
        )
        self.assertEqual("ann@home.example", done["recipient"])
        self.assertEqual(1, self.scanner.seen)

    async def test_forwarded(self) -> None:
        """It goes where mail for him goes now, and stays if he keeps a copy."""
        house = await self.build()
        names = [await self.receive(), await self.receive()]
        for name, keep in zip(names, (False, True), strict=True):
            to = ("zoe@far.example",)
            await house.directory.put_forward(
                "ann@home.example", to, keep, actor="uid:test"
            )
            done = await release(house, OPERATOR, id=f"{name}-1")
            found = await house.reader.record(done["released"])
            assert found is not None
            rows = found["recipients"]
            wanted = ["zoe@far.example"] + ["ann@home.example"] * keep
            self.assertEqual(sorted(wanted), sorted(row["address"] for row in rows))

    async def leaving(self, house: House, **held: Any) -> bytes:
        """What a stranger gets of a message that was held, and is released."""
        signer = Signer(house.dkim, reactor)
        signer.startService()
        self.addCleanup(signer.stopService)
        await house.dkim.add("home.example", PAIRS[:2], actor="uid:test")
        taken: list[Entry] = []
        house = evolve(house, signer=signer, take=taken.append)
        await release(house, OPERATOR, id=f"{await self.receive(**held)}-1")
        (entry,) = taken
        (recipient,) = entry.recipients
        self.assertEqual(REMOTE, recipient.destination)
        pages = Pages(recipient.top + entry.top, entry.body, entry.cuts)
        hands: Any = house.spool
        read, pieces = pages.reader(hands), list[bytes]()
        while piece := await read():
            pieces.append(piece)
        return b"".join(pieces)

    async def test_sent(self) -> None:
        """What a user sent leaves signed, and says nothing of having been held."""
        house = await self.build()
        data = b"From: <ann@home.example>\r\nSubject: Hi\r\n\r\n"
        data += b"A large letter.\r\n" * 20_000
        found = await self.leaving(
            house,
            to=("zoe@far.example",),
            account="ann@home.example",
            top=b"X-Internal: yes\r\nX-Smfd-Released: before\r\n",
            data=data,
        )
        self.assertRegex(found, rb"\AX-Internal: yes\r\nDKIM-Signature: ")
        self.assertEqual(2, found.count(b"DKIM-Signature:"))
        self.assertTrue(found.endswith(b"\r\nReceived: from test\r\n" + data))
        self.assertNotIn(b"x-smfd", found.lower())

    async def test_forward_sealed(self) -> None:
        """What is forwarded is sealed with what was found, and says no more."""
        house = await self.build()
        await house.directory.put_forward(
            "ann@home.example", ("zoe@far.example",), False, actor="uid:test"
        )
        head = b"Authentication-Results: mx; spf=pass\r\nReceived: by us\r\n"
        found = await self.leaving(house, head=head)
        self.assertRegex(found, rb"\ADelivered-To: ann@home.example\r\nARC-Seal: i=1; ")
        self.assertIn(b"\r\nARC-Authentication-Results: i=1; mx; spf=pass\r\n", found)
        for name in b"x-smfd", b"dkim-signature", b"x-spam":
            self.assertNotIn(name, found.lower())

    async def test_forward_again(self) -> None:
        """A forward that nobody took says where it has been, when it is sent again."""
        house = await self.build()
        top = b"Delivered-To: ann@home.example\r\n"
        found = await self.leaving(house, to=("zoe@far.example",), top=top)
        self.assertTrue(found.startswith(top + b"Received: "), found)

    async def test_no_mailbox(self) -> None:
        """What was held for an alias is not put where nobody looks."""
        house = await self.build()
        for nobody in "team@home.example", "SRS0=a=b=c=d@home.example":
            name = await self.receive(to=(nobody,))
            if nobody.startswith("team"):
                await house.directory.put_alias(
                    nobody, ("ann@home.example",), actor="uid:test"
                )
            with self.assertRaises(Refused) as caught:
                await release(house, OPERATOR, id=f"{name}-1")
            self.assertIn("has no mailbox", caught.exception.sentence)

    async def test_ruled(self) -> None:
        """It has the header field that a mail policy put on top for him alone."""
        house = await self.build()
        top = (
            b"Return-Path: <x@a.example>\r\nDelivered-To: ann@home.example\r\n"
            b"X-Spam-Flag: YES\r\nX-Internal: yes\r\n and more\r\n"
        )
        name = await self.receive(top=top)
        await release(house, OPERATOR, id=f"{name}-1")
        await self.settled()
        (mail,) = self.inbox()
        self.assertRegex(
            mail, rb"\r\nX-Smfd-Released: [^\r]+\r\nX-Internal: yes\r\n and"
        )
        self.assertEqual(1, mail.count(b"Return-Path:"))
        self.assertEqual(1, mail.count(b"Delivered-To:"))
        self.assertNotIn(b"X-Spam-Flag", mail)

    async def test_tag(self) -> None:
        """The owner still sees the tag that his address was written with."""
        house = await self.build()
        for said, seen in (
            (b"Ann+shop@home.example", b"Ann+shop@home.example"),
            (b"bob+shop@home.example", b"ann@home.example"),
            (b"ann+shop@far.example", b"ann@home.example"),
        ):
            name = await self.receive(top=b"Delivered-To: " + said + b"\r\n")
            await release(house, OPERATOR, id=f"{name}-1")
            await self.settled()
            mail = self.inbox()[-1]
            self.assertIn(b"\r\nDelivered-To: " + seen + b"\r\nX-Smfd", mail)

    async def test_account(self) -> None:
        """It still says which of our users sent it (S53)."""
        house = await self.build()
        name = await self.receive(account="ann@home.example")
        done = await release(house, OPERATOR, id=f"{name}-1")
        await self.settled()
        new = await tracking.show(house, OPERATOR, id=done["released"])
        self.assertEqual("ann@home.example", new["record"]["account"])

    async def test_account_in_queue(self) -> None:
        """What comes of it counts for him who sent it, and not for nobody."""
        taken: list[Entry] = []
        house = evolve(await self.build(), take=taken.append)
        name = await self.receive(account="ann@home.example")
        await release(house, OPERATOR, id=f"{name}-1")
        self.assertEqual(["ann@home.example"], [entry.account for entry in taken])

    async def test_wishes(self) -> None:
        """What its sender wants to hear of it is not forgotten meanwhile."""
        house = await self.build()
        taken: list[Entry] = []
        name = await self.receive()
        await house.ledger.ask(
            lambda connection, sheet: (
                connection.execute(
                    "UPDATE recipients SET notify = 'NEVER', orcpt = 'rfc822;a@b.c'"
                ).rowcount
            )
        )
        await release(evolve(house, take=taken.append), OPERATOR, id=f"{name}-1")
        ((to,),) = [entry.recipients for entry in taken]
        self.assertEqual(("NEVER", "rfc822;a@b.c"), (to.notify, to.orcpt))

    async def test_asked(self) -> None:
        """It says on its way what it came with: SMTPUTF8, RET, ENVID, BODY."""
        house = await self.build()
        taken: list[Entry] = []
        asked = Asked("HDRS", "QQ1", "8BITMIME", True)
        names = [await self.receive(asked=one) for one in (asked, NOTHING)]
        for name in names:
            await release(evolve(house, take=taken.append), OPERATOR, id=f"{name}-1")
        self.assertEqual([asked, NOTHING], [entry.asked for entry in taken])

    async def test_record(self) -> None:
        """Both records tell of it: who, why, and where it went."""
        house = await self.build()
        name = await self.receive()
        done = await release(house, OPERATOR, id=f"{name}-1", reason="He asked.")
        await self.settled()
        old = await tracking.show(house, OPERATOR, id=name)
        (recipient,) = old["recipients"]
        self.assertEqual("released", recipient["state"])
        self.assertEqual("uid:tester", recipient["actor"])
        (act,) = old["acts"]
        self.assertEqual(("uid:tester", "release"), (act["actor"], act["act"]))
        self.assertIn(f"as {done['released']}. He asked.", act["detail"])
        new = await tracking.show(house, OPERATOR, id=done["released"])
        self.assertEqual("released", new["record"]["verdict"])
        self.assertIn("uid:tester", new["record"]["fates"][0]["reason"])
        self.assertEqual("delivered", new["recipients"][0]["state"])
        self.assertEqual("Pills", new["record"]["subject"])

    async def test_two_people(self) -> None:
        """However many click at once, it arrives once."""
        house = await self.build()
        name = await self.receive()
        clicks = [
            later(release(house, OPERATOR, id=f"{name}-1", reason=str(n)))
            for n in range(5)
        ]
        done = await DeferredList(clicks, consumeErrors=True)
        await self.settled()
        self.assertEqual(1, sum(success for success, _ in done))
        self.assertEqual(1, len(self.inbox()))
        await self.assert_refused("unknown", release(house, OPERATOR, id=f"{name}-1"))

    async def test_only_his(self) -> None:
        """One recipient's release leaves the other's item held."""
        house = await self.build()
        name = await self.receive(to=("ann@home.example", "bob@home.example"))
        await release(house, OPERATOR, id=f"{name}-2")
        await self.settled()
        self.assertEqual(([], 1), (self.inbox("ann"), len(self.inbox("bob"))))
        self.assertEqual(1, len(self.kept()))
        page = await held.page(house, OPERATOR)
        self.assertEqual([f"{name}-1"], [item["id"] for item in page["items"]])
        await release(house, OPERATOR, id=f"{name}-1")
        await self.settled()
        self.assertEqual(([], 1), (self.kept(), len(self.inbox("ann"))))

    async def test_large(self) -> None:
        """A large message goes by a file, and none is left over."""
        house = await self.build()
        data = b"Subject: Large\r\n\r\n" + b"0123456789abcdef" * 20_000 + b"\r\n"
        name = await self.receive(data=data)
        synced: list[Any] = []
        sync, commit = house.spool.sync, house.ledger.commit
        self.patch(house.spool, "sync", lambda b: sync(b).addCallback(synced.append))

        def committed(*args: Any) -> Any:
            synced.append("commit")
            return commit(*args)

        self.patch(house.ledger, "commit", committed)
        await release(house, OPERATOR, id=f"{name}-1")
        self.assertEqual([None, "commit"], synced)
        await self.settled()
        (mail,) = self.inbox()
        self.assertTrue(mail.endswith(data))
        await self.services.stopService()
        files = [p for p in (self.home / "spool").rglob("*") if p.is_file()]
        self.assertEqual(([], []), (self.kept(), files))

    async def test_infected_since(self) -> None:
        """What today's signatures find stays, and is not decided."""
        house = await self.build()
        name = await self.receive()
        for says in Result.FAIL, Result.SUSPECT, Result.ERROR, None:
            self.scanner.says = says
            await self.assert_refused(
                "conflict", release(house, OPERATOR, id=f"{name}-1")
            )
        self.flushLoggedErrors(OSError)
        self.assertEqual([], self.inbox())
        self.scanner.says = Result.PASS
        await release(house, OPERATOR, id=f"{name}-1")
        await self.settled()
        self.assertEqual(1, len(self.inbox()))

    async def test_virus(self) -> None:
        """A virus leaves only by force, with a reason, by the operator."""
        house = await self.build()
        item = f"{await self.receive(category='virus')}-1"
        self.scanner.says = Result.FAIL
        await self.assert_refused("conflict", release(house, OPERATOR, id=item))
        await self.assert_refused(
            "invalid", release(house, OPERATOR, id=item, force=True, reason=" ")
        )
        user = evolve(OPERATOR, role="user")
        await self.assert_refused(
            "conflict", release(house, user, id=item, force=True, reason="x")
        )
        await release(house, OPERATOR, id=item, force=True, reason="For the lab.")
        await self.settled()
        self.assertEqual(1, len(self.inbox()))
        found = await tracking.show(house, OPERATOR, id=item[:-2])
        self.assertIn("by force. For the lab.", found["acts"][0]["detail"])

    async def test_unscanned_is_dangerous(self) -> None:
        """What could never be scanned is no safer than a virus."""
        house = await self.build()
        item = f"{await self.receive(category='unscanned')}-1"
        await self.assert_refused("conflict", release(house, OPERATOR, id=item))

    async def test_no_virus_stage(self) -> None:
        """A house without a virus stage releases and says so."""
        house = evolve(await self.build(), virus=None)
        item = f"{await self.receive()}-1"
        done = await release(house, OPERATOR, id=item)
        await self.settled()
        record = await tracking.show(house, OPERATOR, id=done["released"])
        self.assertIn("left out", record["record"]["findings"][0]["reason"])

    async def test_unknown(self) -> None:
        """What is not held cannot be let through."""
        house = await self.build()
        name = await self.receive("maildir", "clean")
        for item in "", "x", f"{name}-1", f"{name}-0", f"{name}-2", name, "../x-1":
            await self.assert_refused("unknown", release(house, OPERATOR, id=item))
        await self.assert_refused(
            "invalid", release(house, OPERATOR, id="x-1", reason="r" * 501)
        )

    async def test_failed_commit(self) -> None:
        """When the disk says no, the item stays held and can be tried again."""
        house = await self.build()
        item = f"{await self.receive()}-1"
        commit = house.ledger.commit
        self.patch(house.ledger, "commit", lambda *_, **__: fail(OSError("full")))
        await self.assertFailure(later(release(house, OPERATOR, id=item)), OSError)
        self.patch(house.ledger, "commit", commit)
        await release(house, OPERATOR, id=item)
        await self.settled()
        self.assertEqual(1, len(self.inbox()))

    async def test_hostile_sender(self) -> None:
        """No sender breaks out of the lines that a release writes."""
        house = await self.build()
        item = f"{await self.receive()}-1"
        found = await house.reader.held_item(item)
        assert found is not None
        found["sender"] = "x\r\nBcc: <evil@a.example>"
        entries: list[Any] = []
        self.patch(house.reader, "held_item", lambda _: _fired(found))
        await release(evolve(house, take=entries.append), OPERATOR, id=item)
        (entry,) = entries
        self.assertEqual(3, entry.recipients[0].top.count(b"\n"))


class DeleteTests(HouseTestCase):
    """A held message is thrown away."""

    async def test_deleted(self) -> None:
        """It is gone from the list and the disk; the record says who did it."""
        house = await self.build()
        name = await self.receive()
        await held.delete(house, OPERATOR, id=f"{name}-1")
        self.assertEqual(0, (await held.page(house, OPERATOR))["total"])
        found = await tracking.show(house, OPERATOR, id=name)
        self.assertEqual("deleted", found["recipients"][0]["state"])
        self.assertEqual("uid:tester", found["recipients"][0]["actor"])
        self.assertEqual("delete", found["acts"][0]["act"])
        await self.assert_refused(
            "unknown", held.delete(house, OPERATOR, id=f"{name}-1")
        )
        await self.services.stopService()
        self.assertEqual([], self.kept())

    async def test_release_or_delete(self) -> None:
        """Of a release and a deletion at once, one happens."""
        house = await self.build()
        name = await self.receive()
        both = [
            later(release(house, OPERATOR, id=f"{name}-1")),
            later(held.delete(house, OPERATOR, id=f"{name}-1")),
        ]
        done = await DeferredList(both, consumeErrors=True)
        await self.settled()
        self.assertEqual(1, sum(success for success, _ in done))
        self.assertEqual(int(done[0][0]), len(self.inbox()))


class PageTests(HouseTestCase):
    """What is held, as people see it."""

    async def test_page(self) -> None:
        """A line says what a person needs to decide."""
        house = await self.build()
        name = await self.receive()
        (item,) = (await held.page(house, OPERATOR, recipient="Ann@home.example"))[
            "items"
        ]
        self.assertLessEqual(
            {
                "id": f"{name}-1",
                "recipient": "ann@home.example",
                "sender": "x@a.example",
                "subject": "Pills",
                "class": "spam",
                "reason": "it is spam",
                "score": 7.5,
            }.items(),
            item.items(),
        )
        self.assertRegex(item["received"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertNotIn("path", item)

    async def test_wanted(self) -> None:
        """By domain, recipient, class and words; in pages."""
        house = await self.build()
        for category in "spam", "virus", "spam":
            await self.receive(category=category)
        await self.receive(to=("bob@home.example",))
        for total, wanted in (
            (4, {}),
            (4, {"domain": "HOME.example"}),
            (0, {"domain": "else.example"}),
            (1, {"recipient": "bob@home.example"}),
            (1, {"category": "virus"}),
            (0, {"category": "unscanned"}),
            (4, {"search": "pills"}),
            (0, {"search": "other"}),
        ):
            page = await held.page(house, OPERATOR, limit=2, **wanted)  # type: ignore[arg-type]
            self.assertEqual(total, page["total"], wanted)
            self.assertLessEqual(len(page["items"]), 2)
        nope = held.page(house, OPERATOR, category="nope")
        await self.assert_refused("invalid", nope)

    async def test_show(self) -> None:
        """One item comes with the record of its message."""
        house = await self.build()
        name = await self.receive()
        item = await held.show(house, OPERATOR, id=f"{name}-1")
        self.assertEqual(name, item["record"]["id"])
        await self.assert_refused("unknown", held.show(house, OPERATOR, id="x-1"))


async def _fired(value: Any) -> Any:
    return value
