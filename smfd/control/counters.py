"""The quota, as the settings have it."""

from typing import Any

from smfd.config.quota import Quota as Settings
from smfd.config.schema import Config
from smfd.control.quota import Quota
from smfd.interfaces import ICounters
from smfd.model.quota import Allowance
from smfd.store.counters import FILE, Counters
from smfd.store.directory import Directory
from smfd.store.directory_holds import Holds
from smfd.store.directory_limits import Allowances
from smfd.store.queue import Queue


def quota(config: Config, directory: Directory, queue: Queue, reactor: Any) -> Quota:
    """What our users may send; its counters are a service, not yet started."""
    return Quota.of(
        _counters(config, reactor),
        Allowances.of(directory, _allowance(config.quota)),
        Holds.of(directory),
        reactor,
        queue,
    )


def _counters(config: Config, reactor: Any) -> ICounters:
    """Those of this box, or of several."""
    local = Counters(config.home / FILE, reactor, reactor)
    settings = config.quota.redis
    if not settings.server:
        return local
    # Only who has Redis pays for what speaks to it.
    from smfd.net.redis import Redis, Server
    from smfd.net.redis_counters import RedisCounters

    server = Server(
        settings.server, settings.password, settings.database, settings.timeout
    )
    return RedisCounters(Redis(server, reactor), local, settings.boxes)


def _allowance(settings: Settings) -> Allowance:
    """What counts for whom nothing else is said of."""
    return Allowance(
        connections=settings.connections,
        rate=settings.rate,
        messages=settings.messages,
        recipients=settings.recipients,
        new_recipients=settings.new_recipients,
        message_recipients=settings.message_recipients,
        message_size=settings.message_size,
        hold_breaches=settings.hold_breaches,
        hold_new_recipients=settings.hold_new_recipients,
        hold_networks=settings.hold_networks,
        hold_identical=settings.hold_identical,
        hold_unknown=settings.hold_unknown,
        hold_unknown_share=settings.hold_unknown_share,
        hold_complaints=settings.hold_complaints,
    )
