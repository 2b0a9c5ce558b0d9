"""
The front door and the back door as the settings have them, and what is behind both.
"""

from collections.abc import Callable
from typing import Any

from attrs import evolve

from smfd.config.schema import Config
from smfd.control.stock import Stock
from smfd.policy.networks import networks
from smfd.scan.stages import Scan, chain, policy
from smfd.smtpd.accept import Acceptance
from smfd.smtpd.counting import limits_gate
from smfd.smtpd.custody import Custody
from smfd.smtpd.guarded import Gates
from smfd.smtpd.lmtp import LMTP
from smfd.smtpd.mx import MX
from smfd.smtpd.policed import Policed
from smfd.smtpd.recipients import recipients
from smfd.smtpd.recorder import Recorder
from smfd.smtpd.source_gate import source_gate
from smfd.smtpd.trace import Tracer


def acceptance(
    config: Config, stock: Stock, scan: Scan, ids: Callable[[], str], reactor: Any
) -> Acceptance:
    """
    Who judges what comes in by the front door, and makes it ours.

    @param ids: makes the ids of our own letters.
    """
    spf = scan.stages.get("spf")
    gates = Gates(
        (
            limits_gate(config, reactor),
            source_gate(config.source, scan.sources, reactor, spf),
        )
    )
    custody = Custody(
        stock.spool,
        stock.ledger,
        stock.runner,
        Recorder(stock.ledger, stock.maillog, reactor, gates),
        config.mx.header_size,
        config.mx.header_fields,
        stock.signer,
    )
    whose = recipients(config, stock.directory, reactor)
    return Acceptance(
        custody,
        chain(config, scan, reactor),
        policy(config),
        stock.directory,
        whose,
        Tracer(config.hostname),
        reactor,
        Policed.of(custody, whose, config.hostname, ids, scan.workers),
        gates,
    )


def front(
    config: Config, behind: Acceptance, ids: Callable[[], str], capacity: int
) -> MX:
    """
    Where the world comes in.

    @param capacity: connections at once.
    """
    settings = config.mx
    return MX(
        config.hostname,
        behind.custody.spool,
        behind.custody.recorder,
        behind,
        behind.clock,
        ids,
        capacity,
        settings.connections_per_address,
        networks(settings.exempt),
    )


def back(config: Config, front: MX, behind: Acceptance) -> LMTP:
    """The same house from behind, where no gates stand."""
    recorder = evolve(front.recorder, gates=Gates())
    custody = evolve(behind.custody, recorder=recorder)
    return LMTP(
        config.hostname,
        front.spool,
        recorder,
        evolve(behind, custody=custody, gates=Gates()),
        front.clock,
        front.ids,
        connections=config.lmtp.connections,
        per_address=config.lmtp.connections,
        networks=networks(config.lmtp.networks),
    )
