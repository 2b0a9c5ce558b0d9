"""
The stages that the settings ask for, and the services behind them.
"""

from typing import Any

from attrs import frozen
from publicsuffixlist import PublicSuffixList
from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime

from smfd.config.schema import Config
from smfd.interfaces import IHands, IStage
from smfd.net import dns
from smfd.net.conclusions import Conclusions
from smfd.net.dns import Resolver
from smfd.policy.decide import Policy
from smfd.policy.scores import SCORES
from smfd.scan.arc import ARCStage
from smfd.scan.chain import Chain
from smfd.scan.clamd import Clamd
from smfd.scan.content import ContentStage
from smfd.scan.dkim import DKIMStage
from smfd.scan.dmarc import DMARCStage
from smfd.scan.identity import IdentityStage
from smfd.scan.lists import ListsStage
from smfd.scan.locks import LocksStage, Thorough
from smfd.scan.source_known import Sources, sources
from smfd.scan.spf import SPFStage
from smfd.scan.turns import Turns
from smfd.scan.virus import BuiltinScanner, Scanner, VirusStage
from smfd.scan.workers import Workers, command
from smfd.store.directory import Directory
from smfd.store.directory_entries import Lists


@frozen
class Scan:
    """
    The stages that are on, the services they need, and who judges sources.

    @ivar resolver: looks things up, for others too.
    @ivar workers: look into messages, for others too; None when no stage does.
    """

    stages: dict[str, IStage]
    services: tuple[IService, ...]
    sources: Sources
    resolver: Resolver
    workers: Workers | None = None

    @property
    def virus(self) -> IStage | None:
        """All that looks for viruses, for whoever has no chain."""
        virus, locks = self.stages.get("virus"), self.stages.get("locks")
        return virus if virus is None or locks is None else Thorough(virus, locks)


def stages(config: Config, directory: Directory, hands: IHands, reactor: Any) -> Scan:
    """
    Everything from the virus scanner to the rules, not yet started.

    @param hands: ask clamd.
    """
    workers = Workers(
        reactor,
        command(
            tuple(str(path) for path in config.rules),
            str(config.home / "spool"),
            max(1, int(config.scan.worker_deadline)),
            str(config.home / "compiled"),
        ),
        size=config.scan.workers,
        deadline=config.scan.worker_deadline,
    )
    resolver = dns.resolver(config.dns, reactor)
    look_ups = config.dns.per_message
    virus = _virus(config, workers, hands)
    # clamd calls most of what is locked clean.
    locks = "virus" in config.scan.stages and config.virus.engine != "builtin"
    every: dict[str, IStage] = {
        "virus": virus,
        "lists": ListsStage(Lists(directory), reactor),
        "spf": SPFStage(
            *(resolver, SCORES, look_ups, config.hostname),
            past=Conclusions(reactor.seconds),
        ),
        "dkim": DKIMStage(resolver, workers, SCORES, look_ups),
        "arc": ARCStage(resolver, workers, SCORES, look_ups, _sealers(config)),
        "dmarc": DMARCStage(
            resolver, PublicSuffixList(), SCORES, Conclusions(reactor.seconds)
        ),
        "identity": IdentityStage(directory.is_hosted, vouched=config.lmtp.vouched),
        "content": ContentStage(workers, locks),
    }
    chosen = {name: every[name] for name in config.scan.stages}
    if locks:
        chosen["locks"] = LocksStage(workers, virus)
    working = {"virus", "dkim", "arc", "content"}
    services = (workers,) if working & set(chosen) else ()
    judging = sources(config, resolver, directory.is_hosted, reactor)
    return Scan(chosen, services, judging, resolver, workers if services else None)


def _sealers(config: Config) -> frozenset[str]:
    """Whose seals count."""
    return frozenset(name.rstrip(".").lower() for name in config.arc.trusted)


def chain(config: Config, scan: Scan, clock: IReactorTime) -> Chain:
    """The stages with their deadlines; clamd's own is told to us in time."""
    patience = config.virus.deadline + 5.0
    turns = Turns(config.limits.scans, config.limits.scan_wait, clock)
    deadline = config.scan.deadline
    total = config.scan.total
    return Chain(scan.stages, deadline, clock, {"virus": patience}, turns, total)


def policy(config: Config) -> Policy:
    """What the settings say of judging."""
    deferring, threshold = config.scan.on_error.deferring, config.content.threshold
    encrypted = frozenset(name.lower() for name in config.virus.pass_encrypted)
    return Policy(deferring, config.scores, threshold, encrypted)


def _virus(config: Config, workers: Workers, hands: IHands) -> VirusStage:
    settings = config.virus
    if "virus" not in config.scan.stages or settings.engine == "builtin":
        scanner: Scanner = BuiltinScanner(workers)
        return VirusStage(scanner, config.mx.message_size)
    clamd = Clamd(hands, settings.clamd, settings.deadline)
    return VirusStage(clamd, settings.max_size)
