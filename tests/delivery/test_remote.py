"""Mail to the world: the right server, one after the other, and what it says."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import deferLater

from smfd.delivery import approach
from smfd.delivery.soon import WAIT
from smfd.delivery.tlspolicy import TLSPolicies
from smfd.model.entry import Asked, Outcome, State
from smfd.model.origin import Origin
from smfd.model.said import Said, parse_said
from smfd.net.smtp_client import Patience
from smfd.policy.mta_sts import STS
from smfd.policy.networks import networks
from smfd.policy.origins import Origins
from smfd.policy.paces import NONE, Pause
from smfd.policy.route import Routes, parse_hop
from tests.delivery.next_hop import Drip, Hop
from tests.delivery.world import PATIENCE, US, WorldCase, letter
from tests.dns_stub import FAULTS
from tests.store.making import REACTOR

DONE, DUE, FAILED = State.DELIVERED, State.DUE, State.FAILED


@contextlib.contextmanager
def wall(case: WorldCase) -> Iterator[None]:
    """At 127.0.0.3 nobody accepts; when the queue is full nobody answers either."""
    with socket.socket() as server, contextlib.ExitStack() as stack:
        server.bind(("127.0.0.3", 0))
        server.listen(0)
        case.port = server.getsockname()[1]
        for _ in range(3):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.3", case.port))
        yield


def said(outcome: Outcome) -> Said:
    """The last word."""
    return parse_said(outcome.detail)


class OrderTests(WorldCase):
    """Which server gets it (R86)."""

    async def test_best(self) -> None:
        """The best server gets all of it, however the DNS orders them."""
        second, best = self.server(2, "b.mx"), self.server(3, "a.mx")
        self.mx("far.test", "20 b.mx", "10 a.mx")
        told, other = await self.fate("u@far.test", "V@FAR.Test")
        self.assertEqual((DONE, False), (told.state, told.of_site))
        self.assertEqual(DONE, other.state)
        self.assertEqual((1, 0), (len(best.messages), len(second.messages)))
        self.assertEqual((b"u@far.test", b"V@FAR.Test"), best.messages[0][1])
        expected = Said("2.0.0", "taken", 250, "a.mx", "127.0.0.3")
        self.assertEqual(expected, said(told))

    async def test_without_mx(self) -> None:
        """A domain without MX records is its own server."""
        server = self.server(2, "far.test")
        (told,) = await self.fate("u@far.test")
        self.assertEqual((DONE, 1), (told.state, len(server.messages)))

    async def test_literal(self) -> None:
        """Where users may write to an address, the server there is spoken to."""
        server = self.server(2)
        self.where = evolve(self.where, literals=networks(["127.0.0.0/30"]))
        (told,) = await self.fate("u@[127.0.0.2]")
        self.assertEqual((DONE, 1), (told.state, len(server.messages)))
        (told,) = await self.fate("u@[127.0.0.5]")
        self.assertEqual(("5.1.3", 1), (said(told).status, len(server.messages)))

    async def test_alias(self) -> None:
        """A server that is an alias is found all the same."""
        server = self.server(2, "host.test")
        self.zone["a.mx"] = {"CNAME": ["host.test"]}
        self.mx("far.test", "10 a.mx")
        (told,) = await self.fate("u@far.test")
        self.assertEqual((DONE, 1), (told.state, len(server.messages)))

    async def test_dead_first(self) -> None:
        """Where the first is not there, the second gets it."""
        live = self.server(2, "b.mx")
        self.zone["a.mx"] = {"A": ["127.0.0.3", "127.0.0.4"]}
        self.mx("far.test", "10 a.mx", "20 b.mx")
        (told,) = await self.fate("u@far.test")
        self.assertEqual((DONE, 1), (told.state, len(live.messages)))
        self.assertEqual(("b.mx", "127.0.0.2"), (said(told).host, said(told).address))

    async def test_closed_first(self) -> None:
        """One that serves nobody, whatever its words, is passed over."""
        live = self.server(2, "b.mx")
        first = self.server(3, "a.mx")
        self.mx("far.test", "10 a.mx", "20 b.mx")
        for says in (
            {b"220": b"554 5.7.1 go away\r\n"},
            {b"220": b"421 4.3.2 busy\r\n"},
            {b"220": b"HTTP/1.1 200 OK\r\n"},
            {b"220": b""},
            {b"EHLO": b"550 no\r\n"},
            {b"EHLO": b""},
        ):
            first.says = dict(says)
            self.hops.hang_up()
            (told,) = await self.fate("u@far.test")
            self.assertEqual(DONE, told.state, says)
        self.assertEqual(6, len(live.messages))
        self.assertEqual((6, []), (first.connections, first.messages))

    async def test_nobody(self) -> None:
        """Where nobody is, all mail of the domain waits, with the last reason."""
        self.server(9)
        self.zone["a.mx"] = {"A": ["127.0.0.2"]}
        self.zone["b.mx"] = {"A": ["127.0.0.3"]}
        self.mx("far.test", "10 a.mx", "20 b.mx")
        batch = [c for _ in range(3) for c in letter("u@far.test", "v@far.test")]
        for told in await self.send(batch):
            self.assertEqual((DUE, True), (told.state, told.of_site))
            word = said(told)
            self.assertEqual(("4.4.1", 0, "b.mx"), (word.status, word.code, word.host))
            self.assertRegex(
                word.text, r"\Acannot connect to smtp://b.mx:\d+: Connection refused\Z"
            )

    async def test_all_closed(self) -> None:
        """A block list at the door costs nobody his mail: it waits."""
        self.server(2, "a.mx", **{"220": b"554 5.7.1 you are listed\r\n"})
        self.mx("far.test", "10 a.mx")
        (told,) = await self.fate("u@far.test")
        self.assertEqual(
            (DUE, True, "4.3.2"), (told.state, told.of_site, said(told).status)
        )
        self.assertIn("554 5.7.1 you are listed", said(told).text)
        (attempt,) = self.told
        assert attempt.answer is not None
        self.assertEqual((554, "a.mx"), (attempt.answer.code, attempt.host))

    async def test_no_way(self) -> None:
        """What the DNS says there is not is returned; what it does not say, waits."""
        self.zone |= {"null.test": {"MX": ["0 ."]}, "dark.test": "servfail"}
        self.zone |= {
            "us.test": {"MX": ["5 " + US]},
            "private.test": {"A": ["10.0.0.1"]},
        }
        self.zone |= {"silent.test": "silent", "empty.test": {"TXT": ["x"]}}
        self.zone |= {"nohost.test": {"MX": ["5 gone.test"]}}
        self.zone |= {"dark-mx.test": {"MX": ["5 dark.test"]}}
        for domain, status, code in (
            ("null.test", "5.1.10", 556),
            ("gone.test", "5.1.2", 550),
            ("empty.test", "5.1.2", 550),
            ("us.test", "5.4.6", 554),
            ("private.test", "5.4.4", 550),
            ("nohost.test", "5.4.4", 550),
            ("[127.0.0.1]", "5.1.3", 550),
            ("dark.test", "4.4.3", 0),
            ("silent.test", "4.4.3", 0),
            ("dark-mx.test", "4.4.3", 0),
        ):  # fmt: skip
            (told,) = await self.fate(f"u@{domain}")
            word = said(told)
            self.assertEqual((status, code, ""), (word.status, word.code, word.host))
            state = FAILED if code else DUE
            self.assertEqual((state, not code), (told.state, told.of_site), domain)
            self.assertEqual((state, ""), (self.told[0].state, self.told[0].host))
            self.assertEqual(status, self.told[0].status)

    async def test_dns_faults(self) -> None:
        """However name servers fail, no mail comes back; what is known is used."""
        live = self.server(2, "b.mx")
        for fault in FAULTS:
            self.zone[f"{fault}.test"] = {"MX": fault, "A": ["127.0.0.2"]}
            self.zone[f"host-{fault}.test"] = fault
            self.mx(f"dark-{fault}.test", f"10 host-{fault}.test")
            self.mx(f"half-{fault}.test", f"10 host-{fault}.test", "20 b.mx")
        for kind, state in (("", DUE), ("dark-", DUE), ("half-", DONE)):
            self.told.clear()
            batch = [c for fault in FAULTS for c in letter(f"u@{kind}{fault}.test")]
            told = await self.send(batch)
            self.assertEqual({state}, {o.state for o in told}, kind)
            if state is DUE:
                self.assertEqual({"4.4.3"}, {said(o).status for o in told})
                self.assertEqual({True}, {o.of_site for o in told})
        self.assertEqual(len(FAULTS), len(live.messages))

    async def test_routes(self) -> None:
        """A route wins over the MX, the domain over what is above it, that over *."""
        hosts = {name: self.server(n, f"{name}.mx") for n, name in enumerate("mabc", 2)}
        for domain in ("x.test", "a.test", "sub.b.test", "deep.sub.b.test", "b.test"):
            self.mx(domain, "10 m.mx")
        named = {
            "a.test": parse_hop(f"smtp://127.0.0.3:{self.port}"),
            "*.b.test": parse_hop(f"smtp://b.mx:{self.port}"),
        }
        self.where = evolve(self.where, routes=Routes(named))
        for address, name in (
            ("u@x.test", "m"), ("u@a.test", "a"), ("u@b.test", "m"),
            ("u@sub.b.test", "b"), ("u@deep.sub.b.test", "b"),
        ):  # fmt: skip
            (told,) = await self.fate(address)
            self.assertEqual(DONE, told.state)
            self.assertEqual(1, len(hosts[name].messages), address)
            hosts[name].messages.clear()
        smart = parse_hop(f"smtp://c.mx:{self.port}")
        self.where = evolve(self.where, routes=Routes({**named, "*": smart}))
        await self.fate("u@x.test", "u@a.test")
        sizes = [len(hosts[name].messages) for name in "mac"]
        self.assertEqual([0, 1, 1], sizes)

    async def test_rerouted(self) -> None:
        """What an operator sends elsewhere for now goes there, and nowhere else."""
        first, other = self.server(2, "a.mx"), self.server(3)
        self.mx("far.test", "10 a.mx")
        to = {"far.test": f"smtp://127.0.0.3:{self.port}", "odd.test": "nonsense"}
        self.where = evolve(self.where, route_of=lambda site: to.get(site, ""))
        (told,) = await self.fate("u@far.test")
        self.assertEqual(
            (DONE, 0, 1), (told.state, len(first.messages), len(other.messages))
        )
        way = await self.where.of("far.test")
        self.assertEqual(["dane"], [hop.tls for hop in way.hops])
        (told,) = await self.fate("u@odd.test")
        self.assertEqual((DUE, "4.4.4"), (told.state, said(told).status))


class AnswerTests(WorldCase):
    """What the server says of each recipient."""

    async def test_each(self) -> None:
        """Some are taken, some refused, some not now: each for himself."""
        server = self.server(
            2,
            "a.mx",
            **{
                "RCPT TO:<V@": b"550 5.1.1 no such user\r\n",
                "RCPT TO:<W@": b"450 4.2.1 later\r\n",
                "RCPT TO:<X@": b"551 gone\r\n",
            },
        )
        self.mx("far.test", "10 a.mx")
        names = ("u@far.test", "v@far.test", "w@far.test", "x@far.test")
        told = await self.fate(*names)
        self.assertEqual([DONE, FAILED, DUE, FAILED], [o.state for o in told])
        self.assertEqual({""}, {o.category for o in told})
        self.assertEqual({False}, {o.of_site for o in told})
        self.assertEqual(
            [
                "250 2.0.0 host a.mx [127.0.0.2]: taken",
                "550 5.1.1 host a.mx [127.0.0.2]: no such user",
                "450 4.2.1 host a.mx [127.0.0.2]: later",
                "551 5.0.0 host a.mx [127.0.0.2]: gone",
            ],
            [o.detail for o in told],
        )
        self.assertEqual((b"u@far.test",), server.messages[0][1])
        self.assertEqual([o.state for o in told], [a.state for a in self.told])

    async def test_later_is_later(self) -> None:
        """Whom one server tells to come later is not brought to the next."""
        self.server(2, "a.mx", RCPT=b"450 4.7.1 greylisted\r\n")
        other = self.server(3, "b.mx")
        self.mx("far.test", "10 a.mx", "20 b.mx")
        (told,) = await self.fate("u@far.test")
        self.assertEqual((DUE, False, 0), (told.state, told.of_site, other.connections))

    async def test_breaks_off_early(self) -> None:
        """One that breaks off before it has a message is left for the next."""
        first, other = self.server(2, "a.mx", DATA=b""), self.server(3, "b.mx")
        self.mx("far.test", "10 a.mx", "20 b.mx")
        batch = [c for _ in range(5) for c in letter("u@far.test")]
        self.assertEqual({DONE}, {o.state for o in await self.send(batch)})
        self.assertEqual((1, 5), (first.connections, len(other.messages)))
        other.says[b"RCPT"] = b""
        for told in await self.fate("u@far.test", "v@far.test"):
            self.assertEqual(
                (DUE, False, "b.mx"), (told.state, told.of_site, said(told).host)
            )

    async def test_breaks_off(self) -> None:
        """One that breaks off behind each gets two tries, the next one the rest."""
        first, other = self.server(2, "a.mx"), self.server(3, "b.mx")
        first.says[b"."] = b""
        self.mx("far.test", "10 a.mx", "20 b.mx")
        batch = [c for _ in range(5) for c in letter("u@far.test")]
        told = await self.send(batch)
        self.assertEqual([DUE] * 2 + [DONE] * 3, [o.state for o in told])
        self.assertEqual({False}, {o.of_site for o in told})
        self.assertEqual("4.4.2", said(told[0]).status)
        self.assertEqual((2, 3), (first.connections, len(other.messages)))

    async def test_thoughtful(self) -> None:
        """One that thinks about each recipient has time for each."""
        self.hops = self.connections(patience=evolve(PATIENCE, reply=1, recipient=5))
        server = self.server(2, "a.mx", RCPT=Drip(b"250 2.1.5 fine\r\n"))
        server.says[b"EHLO"] = b"250 hop.example\r\n"
        self.mx("far.test", "10 a.mx")
        told = await self.fate(*[f"{name}@far.test" for name in "uvwxyz"])
        self.assertEqual({DONE}, {o.state for o in told})

    async def test_old(self) -> None:
        """After five days it comes back, with the last words."""
        self.server(2, "a.mx", RCPT=b"450 4.2.1 later\r\n")
        self.mx("far.test", "10 a.mx")
        told = await self.send(letter("u@far.test"), self.remote(lifetime=-1.0))
        self.assertEqual((FAILED, "5.4.7"), (told[0].state, said(told[0]).status))
        self.assertIn("later", said(told[0]).text)

    async def test_not_for_the_author(self) -> None:
        """Nobody who may not have sent it hears that a forward was refused."""
        self.server(2, "a.mx", RCPT=b"550 5.1.1 no such user\r\n")
        self.mx("far.test", "10 a.mx")
        forward = "SRS0=ABCDEFGH=AA=stranger.test=x@ours.test"
        (told,) = await self.fate("u@far.test", sender=forward)
        self.assertEqual((DUE, "undeliverable"), (told.state, told.category))
        self.assertIn("550 5.1.1 host a.mx [127.0.0.2]: no such user", told.detail)
        self.assertIs(State.HELD, self.told[0].state)
        # A bounce that is forwarded is lost to nobody either.
        (told,) = await self.fate("u@far.test", sender="")
        self.assertEqual((DUE, "undeliverable"), (told.state, told.category))

    async def test_hostile_words(self) -> None:
        """Whatever a server says is one line, and not a long one."""
        odd = (
            b"550-5.1.1 \x1b[31m" + b"x" * 1900 + b"\r\n550 5.1.1 host b [1]: \xff\r\n"
        )
        self.server(2, "a.mx", RCPT=odd)
        self.mx("far.test", "10 a.mx")
        (told,) = await self.fate("u@far.test")
        self.assertTrue(told.detail.isprintable())
        self.assertLess(len(told.detail), 1200)
        word = said(told)
        self.assertEqual((550, "5.1.1", "a.mx"), (word.code, word.status, word.host))

    async def test_listener(self) -> None:
        """Who listens badly to what became of mail costs nobody his note."""
        self.server(2, "a.mx")
        self.mx("far.test", "10 a.mx")

        def broken(attempt: Any) -> None:
            self.told.append(attempt)
            raise RuntimeError("deaf")

        remote = self.remote()
        remote._road = evolve(remote._road, tell=broken)
        (told,) = await self.send(letter("u@far.test"), remote)
        self.assertEqual(DONE, told.state)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    async def test_faults(self) -> None:
        """A fault of ours on the way to one costs no other a second copy."""
        server, other = self.server(2, "a.mx"), self.server(3, "b.mx")
        self.mx("far.test", "10 a.mx")
        self.mx("odd.test", "10 a.mx")

        def route_of(site: str) -> str:
            if site == "odd.test":
                raise LookupError(site)
            return ""

        self.where = evolve(self.where, route_of=route_of)
        batch = [*letter("u@far.test"), *letter("u@odd.test")]
        told = await self.send(batch)
        self.assertEqual([DONE, DUE], [o.state for o in told])
        self.assertEqual("4.3.0", said(told[1]).status)
        self.assertEqual((1, 1), (len(server.messages), len(self.flushLoggedErrors())))
        self.mx("third.test", "10 a.mx", "20 b.mx")
        real = TLSPolicies.hop

        def hop(policies: Any, hop: Any, *more: Any) -> Any:
            if hop.host == "a.mx":
                raise UnicodeError(hop.host)
            return real(policies, hop, *more)

        self.patch(TLSPolicies, "hop", hop)
        (outcome,) = await self.fate("u@third.test")
        self.assertEqual((DONE, 1), (outcome.state, len(other.messages)))
        self.assertEqual(1, len(self.flushLoggedErrors(UnicodeError)))

    async def test_breaks_within(self) -> None:
        """What breaks in the middle of a batch leaves what was sent as sent."""
        server = self.server(2, "a.mx")
        self.mx("far.test", "10 a.mx")
        pauses = iter([NONE, NONE])
        remote = self.remote()
        remote._road = evolve(remote._road, pace=lambda host, source: next(pauses))
        batch = [c for _ in range(4) for c in letter("u@far.test")]
        told = await self.send(batch, remote)
        self.assertEqual([DONE, DONE, DUE, DUE], [o.state for o in told])
        self.assertEqual(2, len(server.messages))
        self.assertEqual(1, len(self.flushLoggedErrors()))
        self.assertEqual([], [c for c in self.hops._clients if c.alive])

    async def test_crowded(self) -> None:
        """Who takes one recipient at a time gets the message once for each, at once."""
        fine, many = b"250 2.1.5 fine\r\n", b"452 4.5.3 too many\r\n"
        server = self.server(2, "a.mx", RCPT=[fine, many, many, fine, many, fine])
        self.mx("far.test", "10 a.mx")
        names = [f"{name}@far.test" for name in "uvw"]
        told = await self.fate(*names)
        self.assertEqual([DONE] * 3, [outcome.state for outcome in told])
        wanted = [(name.encode(),) for name in names]
        self.assertEqual(wanted, [to for _, to, _ in server.messages])
        self.assertEqual(1, server.connections)

    async def test_no_room(self) -> None:
        """Where nobody finds room all wait, and those whose mailbox is full."""
        full = [b"250 2.1.5 fine\r\n", b"452 4.2.2 full\r\n"]
        for says, states in (
            (b"452 4.5.3 too many\r\n", [DUE, DUE]),
            (full, [DONE, DUE]),
        ):
            server = self.server(2, "a.mx", RCPT=says)
            self.mx("far.test", "10 a.mx")
            told = await self.fate("u@far.test", "v@far.test")
            self.assertEqual(states, [outcome.state for outcome in told])
            asked = [line for line in server.heard if line[:4] == b"RCPT"]
            self.assertEqual(2, len(asked))
            await server.close()
            server.port, self.port = None, 0
            self.hops = self.connections()

    async def test_unasked(self) -> None:
        """What was never said to a server is not told as its answer."""
        server = self.server(2, "a.mx", EHLO=b"250-a.mx\r\n250 SIZE 10\r\n")
        self.mx("far.test", "10 a.mx")
        (told,) = await self.fate("u@far.test")
        word = Said("5.3.4", "it takes no message of that size", 0, "a.mx", "127.0.0.2")
        self.assertEqual((FAILED, word), (told.state, said(told)))
        self.assertEqual([], [line for line in server.heard if line[:4] == b"MAIL"])

    async def test_pace(self) -> None:
        """What a provider does not want so fast waits as long as it must."""
        server = self.server(2, "a.mx")
        self.mx("far.test", "10 a.mx")
        pauses = iter([NONE, Pause(40.0, "enough")])
        remote = self.remote()
        remote._road = evolve(remote._road, pace=lambda host, source: next(pauses))
        batch = [c for _ in range(4) for c in letter("u@far.test")]
        told = await self.send(batch, remote)
        self.assertEqual([DONE, DUE, DUE, DUE], [o.state for o in told])
        self.assertEqual(1, len(server.messages))
        for outcome in told[1:]:
            self.assertFalse(outcome.of_site)
            self.assertEqual(
                ("4.4.5", "enough"), (said(outcome).status, said(outcome).text)
            )
            wait = outcome.next_try - REACTOR.seconds()
            self.assertTrue(20 < wait <= 40, wait)
        remote._road = evolve(
            remote._road, pace=lambda host, source: Pause(86_400.0, "enough")
        )
        self.told.clear()
        (outcome,) = await self.send(letter("u@far.test"), remote)
        self.assertLess(outcome.next_try, REACTOR.seconds() + 1000)


class SoonTests(WorldCase):
    """Between the 250 of another server and our note of it (R10, RFC 1047)."""

    async def test_noted(self) -> None:
        """What was taken is noted though the next message of its batch hangs."""
        server = self.server(2, "a.mx")
        self.mx("far.test", "10 a.mx")
        noted: Deferred[list[Outcome]] = Deferred()
        notes: list[Outcome] = []

        def settle(outcomes: Any) -> Deferred[None]:
            notes.extend(outcomes)
            noted.callback(list(outcomes))
            return fail(OSError("no disk"))

        remote = self.remote()
        remote._road = evolve(remote._road, settle=settle)
        server.says[b"."] = [b"250 fine\r\n", b"250-slow\r\n"]
        batch = [*letter("u@far.test", "v@far.test"), *letter("u@far.test")]
        sending = remote.deliver(batch)
        await noted
        self.assertFalse(sending.called)
        first = [c.key for c in batch[:2]]
        self.assertEqual(first, [o.key for o in notes])
        self.assertEqual({DONE}, {o.state for o in notes})
        await maybeDeferred(server.close)
        server.port = None
        told = {o.key: o.state for o in await sending}
        states = [told[c.key] for c in batch]
        self.assertEqual([DONE, DONE, DUE], states)
        self.assertEqual(2, len(notes))

    async def test_quick(self) -> None:
        """A batch that is quick is noted as a whole, and costs nothing more."""
        self.server(2, "a.mx")
        self.mx("far.test", "10 a.mx")
        notes: list[Any] = []
        remote = self.remote()

        def settle(outcomes: Any) -> Deferred[None]:
            notes.append(outcomes)
            return succeed(None)

        remote._road = evolve(remote._road, settle=settle)
        await self.send([c for _ in "123" for c in letter("u@far.test")], remote)
        await deferLater(REACTOR, WAIT * 1.5)
        self.assertEqual([], notes)


class ConnectionTests(WorldCase):
    """Few connections, from where we want."""

    async def test_shared(self) -> None:
        """Domains with the same server share a connection."""
        server = self.server(2, "a.mx")
        for n in range(5):
            self.mx(f"{n}.test", "10 a.mx")
            (told,) = await self.fate(f"u@{n}.test")
            self.assertEqual(DONE, told.state)
        self.assertEqual((1, 5), (server.connections, len(server.messages)))

    async def test_worn(self) -> None:
        """A connection carries so many messages, then there is a new one."""
        self.hops = self.connections(messages=3)
        server = self.server(2, "a.mx")
        self.mx("far.test", "10 a.mx")
        batch = [c for _ in range(7) for c in letter("u@far.test")]
        await self.send(batch)
        self.assertEqual((3, 7), (server.connections, len(server.messages)))
        self.assertEqual(2, server.heard.count(b"QUIT"))

    async def test_gone_meanwhile(self) -> None:
        """One that hangs up between two messages costs the second no try."""
        server = self.server(2, "a.mx")
        self.mx("far.test", "10 a.mx")
        await self.fate("u@far.test")
        server.says[b"MAIL"] = [b"", b"250 2.1.0 fine\r\n"]
        (told,) = await self.fate("u@far.test")
        self.assertEqual((DONE, 2), (told.state, len(server.messages)))
        self.assertEqual(2, server.connections)

    async def test_absent(self) -> None:
        """Who was not there is left alone for a while by all, then tried again."""
        self.hops = self.connections(absence=0.6)
        live = self.server(2, "b.mx")
        self.zone["a.mx"] = {"A": ["127.0.0.3"]}
        for domain in ("x.test", "y.test", "z.test"):
            self.mx(domain, "10 a.mx", "20 b.mx")
        await self.fate("u@x.test")
        back = self.server(3)
        await self.fate("u@y.test")
        self.assertEqual((0, 2), (back.connections, len(live.messages)))
        await deferLater(REACTOR, 0.7)
        await self.fate("u@z.test")
        self.assertEqual((1, 2), (len(back.messages), len(live.messages)))

    async def test_told_better(self) -> None:
        """Who was not there is tried at once when an operator knows better."""
        self.server(2)
        self.zone["a.mx"] = {"A": ["127.0.0.3"]}
        self.mx("far.test", "10 a.mx")
        (told,) = await self.fate("u@far.test")
        back = self.server(3)
        (told,) = await self.fate("u@far.test")
        self.assertEqual((DUE, 0), (told.state, back.connections))
        self.hops.forget()
        (told,) = await self.fate("u@far.test")
        self.assertEqual((DONE, 1), (told.state, len(back.messages)))

    async def test_silent(self) -> None:
        """Who lets one wait for the greeting lets nobody else wait for it."""
        self.hops = self.connections(patience=Patience(5, 0.4, 5, 5))
        silent = self.server(3, "a.mx", **{"220": b"220-wait\r\n"})
        live = self.server(2, "b.mx")
        for domain in ("x.test", "y.test"):
            self.mx(domain, "10 a.mx", "20 b.mx")
            (told,) = await self.fate(f"u@{domain}")
            self.assertEqual(DONE, told.state)
        self.assertEqual((1, 2), (silent.connections, len(live.messages)))

    async def test_sources(self) -> None:
        """Mail comes from the address that is ours for it, under its name."""
        server = self.server(2, "a.mx")
        self.mx("far.test", "10 a.mx")
        mail = Origin("127.0.0.21", "out.ours.test")
        others = Origin("127.0.0.22", "bounces.ours.test")
        self.where = evolve(self.where, origins=Origins((mail,), (others,)))
        for sender in ("ann@ours.test", ""):
            (told,) = await self.fate("u@far.test", sender=sender)
            self.assertEqual(DONE, told.state)
        self.assertEqual(["127.0.0.21", "127.0.0.22"], server.peers)
        hellos = [line for line in server.heard if line.startswith(b"EHLO")]
        self.assertEqual([b"EHLO out.ours.test", b"EHLO bounces.ours.test"], hellos)
        self.assertEqual("127.0.0.22", self.told[0].source)

    async def test_not_our_address(self) -> None:
        """An address that this machine does not have makes mail wait, and says so."""
        self.server(2, "a.mx")
        self.mx("far.test", "10 a.mx")
        origins = Origins((Origin("192.0.2.77"),))
        self.where = evolve(self.where, origins=origins)
        (told,) = await self.fate("u@far.test")
        self.assertEqual((DUE, True), (told.state, told.of_site))
        self.assertIn("cannot send from 192.0.2.77", said(told).text)
        self.where = evolve(self.where, origins=Origins())
        (told,) = await self.fate("u@far.test")
        self.assertEqual(DONE, told.state)

    async def test_turns(self) -> None:
        """A server that many speak to makes the others wait, and not for ever."""
        self.patch(approach, "TURN", 0.3)
        self.hops = self.connections(connections=1)
        server = self.server(2, "a.mx", MAIL=b"")
        server.says[b"MAIL"] = b"250-slow\r\n"
        for domain in ("x.test", "y.test"):
            self.mx(domain, "10 a.mx")
        remote = self.remote()
        first = remote.deliver(letter("u@x.test"))
        (told,) = await remote.deliver(letter("u@y.test"))
        self.assertEqual((DUE, False), (told.state, told.of_site))
        self.assertEqual("4.4.5", said(told).status)
        self.assertGreater(told.next_try, REACTOR.seconds())
        await maybeDeferred(server.close)
        server.port = None
        await first
        self.assertEqual(1, server.connections)

    async def test_many_at_a_wall(self) -> None:
        """Of three hundred domains behind a dead server few wait for time-outs."""
        self.hops = self.connections(patience=Patience(0.5, 5, 5, 5), connections=5)
        self.zone["a.mx"] = {"A": ["127.0.0.3"]}
        domains = [f"{n}.test" for n in range(300)]
        for domain in domains:
            self.mx(domain, "10 a.mx")
        tries = 0
        real = TCP4ClientEndpoint.connect

        def connect(endpoint: Any, factory: Any) -> Any:
            nonlocal tries
            tries += 1
            return real(endpoint, factory)

        self.patch(TCP4ClientEndpoint, "connect", connect)
        with wall(self):
            batch = [c for domain in domains for c in letter(f"u@{domain}")]
            told = await self.send(batch)
        self.assertEqual({(DUE, True)}, {(o.state, o.of_site) for o in told})
        self.assertEqual(5, tries)

    async def test_few(self) -> None:
        """Who wants one connection has one, the one kept for a next message counted."""
        first, second = self.server(2, "a.big"), self.server(3, "b.big")
        self.hops = self.connections(whose=lambda host: (host.partition(".")[2], 1))
        for domain, server, told in (
            ("far.test", "a.big", (1, 0)),
            ("near.test", "b.big", (0, 1)),
            ("near.test", "b.big", (0, 1)),
        ):
            self.mx(domain, f"10 {server}")
            (outcome,) = await self.fate(f"u@{domain}")
            self.assertEqual(DONE, outcome.state)
            self.assertEqual(told, (len(first.open), len(second.open)))
        self.assertEqual((1, 1), (first.connections, second.connections))

    async def test_stopping_at_a_wall(self) -> None:
        """A connection that does not come about does not hold up the end."""
        with wall(self):
            self.hops = self.connections(patience=Patience(40, 5, 5, 5))
            self.zone["a.mx"] = {"A": ["127.0.0.3"]}
            self.mx("far.test", "10 a.mx")
            sending = Deferred.fromCoroutine(self.fate("u@far.test"))
            await deferLater(REACTOR, 0.3)
            self.assertFalse(sending.called)
            self.hops.close()
            self.assertTrue(sending.called)
            (told,) = await sending
            self.assertEqual(DUE, told.state)
            self.assertIn("we are stopping", told.detail)

    async def test_stopping_at_a_greeting(self) -> None:
        """Who lets us wait for his greeting does not hold up the end, nor is blamed."""
        with socket.socket() as silent:
            silent.bind(("127.0.0.3", 0))
            silent.listen()
            self.port = silent.getsockname()[1]
            self.zone["a.mx"] = {"A": ["127.0.0.3"]}
            self.mx("far.test", "10 a.mx")
            sending = Deferred.fromCoroutine(self.fate("u@far.test"))
            while not self.hops._opening:
                await deferLater(REACTOR, 0.01)
            self.hops.close()
            (told,) = await sending
        self.assertEqual((DUE, False), (told.state, told.of_site))
        self.assertIn("we are stopping", told.detail)

    async def test_stopping(self) -> None:
        """Who stops waits for no connection; mail stays due, from the next start on."""
        self.server(2)
        self.zone["a.mx"] = {"A": ["127.0.0.3"]}
        self.mx("far.test", "10 a.mx")
        self.hops.close()
        (told,) = await self.fate("u@far.test")
        self.assertEqual((DUE, False), (told.state, told.of_site))
        self.assertIn("we are stopping", told.detail)
        self.assertTrue(0 < told.next_try < REACTOR.seconds() + 2)

    async def test_stopping_between(self) -> None:
        """Who stops finishes the message under way, and begins no other."""
        server = self.server(2)
        self.zone["a.mx"] = {"A": ["127.0.0.2"]}
        self.mx("far.test", "10 a.mx")
        said = Hop.reply

        def reply(hop: Hop, line: bytes) -> bytes:
            if line == b".":
                self.hops.close(grace=1.0)
            return said(hop, line)

        self.patch(Hop, "reply", reply)
        self.addCleanup(deferLater, REACTOR, 1.0)
        first, second = await self.send(letter("u@far.test") + letter("v@far.test"))
        self.assertEqual((DONE, DUE), (first.state, second.state))
        self.assertIn("we are stopping", second.detail)
        self.assertTrue(0 < second.next_try < REACTOR.seconds() + 2)
        self.assertEqual(1, len(server.messages))


class PolicyTests(WorldCase):
    """How safe it must be is asked for each server."""

    def permit(self, host: str) -> None:
        """Every domain's policy names this one, and no other."""
        policy = STS("enforce", (host,), 86400)

        async def published(domain: str) -> STS | None:
            return policy

        self.tls = TLSPolicies(self.resolver, published=published)
        self.where = evolve(self.where, tls=self.tls)

    async def test_not_named(self) -> None:
        """A server that the domain's MTA-STS policy does not name gets nothing."""
        server = self.server(2, "evil.mx")
        self.mx("far.test", "10 evil.mx")
        self.permit("good.mx")
        (told,) = await self.fate("u@far.test")
        self.assertEqual(
            (DUE, True, "4.7.0"), (told.state, told.of_site, said(told).status)
        )
        self.assertEqual(0, server.connections)

    async def test_despite(self) -> None:
        """What tells of a fault of TLS does not wait until it is mended."""
        server = self.server(2, "evil.mx")
        self.mx("far.test", "10 evil.mx")
        self.permit("good.mx")
        (told,) = await self.fate("u@far.test", asked=Asked(despite_tls=True))
        self.assertIs(State.DELIVERED, told.state)
        self.assertEqual(1, len(server.messages))

    async def test_required(self) -> None:
        """Where TLS must be, a server without it is passed over."""
        first = self.server(2, "a.mx")
        self.mx("far.test", "10 a.mx")
        self.tls = TLSPolicies(self.resolver, {"far.test": "required"})
        self.where = evolve(self.where, tls=self.tls)
        (told,) = await self.fate("u@far.test")
        self.assertEqual(
            (DUE, True, "4.7.0"), (told.state, told.of_site, said(told).status)
        )
        self.assertEqual([], first.messages)
        self.assertNotIn(b"MAIL", b"".join(first.heard))
