"""
How a domain's mail would go: where to, how safe, and, tried, how far it gets.

No message is sent, and nothing that is tried here counts for real mail.
"""

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, gatherResults

from smfd.delivery.tlspolicy import SitePolicy, TLSPolicies
from smfd.delivery.where import Way, Where
from smfd.model.hop import NextHop
from smfd.net.smtp_client import Trouble
from smfd.net.smtp_client_open import Hops, Line, Step
from smfd.net.smtp_client_tls import Proof

#: Makes connections that are watched.
Watched = Callable[[Step], Hops]


@frozen
class Came:
    """How far it came, and after how many seconds."""

    name: str
    seconds: float


@frozen
class Tried:
    """
    One server.

    @ivar hop: as it must be spoken to, or as it was named when it must not be.
    @ivar trouble: why mail would not go there, or "".
    @ivar steps: what went well; none where nothing was tried.
    @ivar tls: as in L{Line <smfd.net.smtp_client_open.Line>}.
    @ivar fault: what was wrong with TLS, though mail may go.
    @ivar offers: what it can do.
    """

    hop: NextHop
    trouble: str = ""
    steps: tuple[Came, ...] = ()
    tls: str = ""
    fault: str = ""
    offers: tuple[str, ...] = ()


@frozen
class Found:
    """
    All of it.

    @ivar way: where to, and how safe.
    """

    way: Way
    servers: tuple[Tried, ...]


@define
class _Watch:
    """Looks on while one server is tried."""

    clock: Any
    began: float
    steps: list[Came] = field(factory=list)
    fault: str = ""

    def step(self, name: str) -> None:
        """It came so far."""
        self.steps.append(Came(name, self.clock.seconds() - self.began))

    def note(self, hop: NextHop, proof: Proof) -> None:
        """What became of TLS."""
        self.fault = "" if proof.good and not proof.fault else proof.why


@frozen
class Rehearsal:
    """
    Goes the way of mail, without any.

    @ivar watched: connections of its own.
    """

    where: Where
    tls: TLSPolicies
    clock: Any
    watched: Watched

    async def of(self, domain: str, live: bool = False) -> Found:
        """
        How a domain's mail would go now.

        @param live: try each server, as far as EHLO.
        @raise NoWay: it would not.
        """
        way = await self.where.of(domain)
        # All at once: somebody waits for it.
        tries = [Deferred.fromCoroutine(self._server(way, h, live)) for h in way.hops]
        return Found(way, tuple(await gatherResults(tries)))

    async def _server(self, way: Way, hop: NextHop, live: bool) -> Tried:
        try:
            hop = await self._safely(way.policy, hop, way.secure)
        except Trouble as error:
            return Tried(hop, str(error))
        return await self._live(hop) if live else Tried(hop)

    async def _safely(
        self, policy: SitePolicy | None, hop: NextHop, secure: bool
    ) -> NextHop:
        return hop if policy is None else await self.tls.hop(hop, policy, secure)

    async def _live(self, hop: NextHop) -> Tried:
        watch = _Watch(self.clock, self.clock.seconds())
        hops = self.watched(watch.step)
        line: Line | None = None
        trouble = ""
        try:
            line = await hops.line(hop, watch.note)
            await line.client.leave()
        except Trouble as error:
            trouble = str(error)
        finally:
            hops.close(grace=0.0)
        tls, words = ("", {}) if line is None else (line.tls, line.skills.words)
        steps = tuple(watch.steps)
        return Tried(hop, trouble, steps, tls, watch.fault, tuple(sorted(words)))
