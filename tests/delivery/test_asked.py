"""What the sender asked for, at the next server (RFC 3461)."""

from attrs import evolve

from smfd.model.entry import Asked, Consignment, Outcome, Recipient, State
from tests.delivery.test_relay import RelayTestCase
from tests.store.making import make_entry

EHLO = b"250-hop.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 "


def letter() -> tuple[Consignment, ...]:
    """A message whose sender wants to hear of one recipient, and how."""
    asked = Recipient(
        1,
        "u@far.example",
        "remote",
        notify="SUCCESS,DELAY",
        orcpt="rfc822;team@far.example",
    )
    entry = make_entry(recipients=[asked, Recipient(2, "v@far.example", "remote")])
    return evolve(entry, asked=Asked("HDRS", "QQ1", "8BITMIME")).consignments()


class AskedTests(RelayTestCase):
    """Once it is told, by whoever is the last that can."""

    async def ends(self, offer: bytes) -> list[Outcome]:
        """What became of it at a server that offers this."""
        relay = self.relay(EHLO=EHLO + offer + b"\r\n")
        told = await self.deliver(relay, letter())
        return [told[key] for key in sorted(told)]

    async def test_understood(self) -> None:
        """A server that knows how is told what was asked, and tells the sender."""
        outcomes = await self.ends(b"DSN")
        self.assertEqual(["", ""], [o.notice for o in outcomes])
        said = [line for line in self.hop.heard if line[:4] in (b"MAIL", b"RCPT")]
        mail, asked, plain = said
        self.assertTrue(mail.endswith(b" RET=HDRS ENVID=QQ1"), mail)
        self.assertEqual(
            b"RCPT TO:<u@far.example> NOTIFY=SUCCESS,DELAY"
            b" ORCPT=rfc822;team@far.example",
            asked,
        )
        self.assertEqual(b"RCPT TO:<v@far.example>", plain)

    async def test_not_understood(self) -> None:
        """Of one that does not, we tell him: it was passed on, and no more is heard."""
        outcomes = await self.ends(b"HELP")
        self.assertEqual(["relayed", ""], [o.notice for o in outcomes])
        self.assertFalse([line for line in self.hop.heard if b"NOTIFY" in line])

    async def test_refused(self) -> None:
        """A refusal is told by us, whatever the server knows."""
        self.hop.says[b"RCPT TO:<V@"] = b"550 5.1.1 nobody\r\n"
        (_, refused) = await self.ends(b"DSN")
        self.assertEqual("undeliverable", refused.category)

    async def test_colleague(self) -> None:
        """
        What a server of ours refuses is held, for its sender may be forged; a
        user who logged in is told.
        """
        recipient = Recipient(1, "v@branch.example", "relay")
        strange = make_entry(recipients=[recipient])
        ours = evolve(make_entry(recipients=[recipient]), account="a@b.example")
        late = evolve(ours, id=strange.id[:-1] + "z", received=1.0)
        relay = self.relay(
            **{
                "RCPT TO:<V@": [
                    b"550 5.1.1 nobody\r\n",
                    b"550 5.1.1 nobody\r\n",
                    b"450 4.2.1 not now\r\n",
                ]
            }
        )
        batch = [*strange.consignments(), *ours.consignments(), *late.consignments()]
        told = await self.deliver(relay, batch)
        held, failed, old = (told[c.entry_id, 1] for c in batch)
        self.assertEqual(("undeliverable", ""), (held.category, held.notice))
        self.assertEqual(
            (State.FAILED, "failed", ""), (failed.state, failed.notice, failed.category)
        )
        self.assertTrue(failed.detail.startswith("550 5.1.1 host "), failed.detail)
        self.assertEqual((State.FAILED, "failed"), (old.state, old.notice))
        self.assertIn("not delivered in 5 days: 450 4.2.1 not now", old.detail)
