"""The limits, as the settings have them."""

from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime

from smfd.config.limits import Limits, OfAddress, OfNetwork
from smfd.config.schema import Config
from smfd.net.descriptors import connections
from smfd.policy.limits import Limit, Scope, Table, Tally, What
from smfd.policy.networks import networks
from smfd.smtpd.limits_gate import LimitsGate
from smfd.smtpd.stress import StressLimits

_MINUTE = 60.0


def limits_gate(config: Config, clock: IReactorTime) -> LimitsGate:
    """The gate that counts."""
    settings = config.limits
    address, network = settings.address, settings.network
    near = _of_source("your address", address, settings.window)
    around = _of_source("your network", network, settings.window, network.connections)
    return LimitsGate(
        Table(near, settings.remembered),
        Table(around, settings.remembered),
        Table(_of_domain(settings), settings.remembered),
        Tally(_of_all(settings)),
        clock.seconds,
        settings.penalty,
        networks(config.mx.exempt),
    )


def _of_source(
    name: str, of: OfAddress | OfNetwork, window: float, connections: int = 0
) -> Scope:
    known = {
        What.CONNECTIONS: Limit(connections),
        What.RATE: Limit(of.rate, _MINUTE),
        What.MESSAGES: Limit(of.messages, _MINUTE),
        What.RECIPIENTS: Limit(of.recipients, _MINUTE),
        What.ERRORS: Limit(of.errors, window),
        What.UNKNOWN: Limit(of.unknown, window),
        What.OCTETS: Limit(of.octets),
    }
    return Scope(name, _real(known))


def _of_domain(settings: Limits) -> Scope:
    of = settings.domain
    known = {
        What.MESSAGES: Limit(of.messages, _MINUTE),
        What.RECIPIENTS: Limit(of.recipients, _MINUTE),
    }
    return Scope("the sender's domain", _real(known))


def _of_all(settings: Limits) -> Scope:
    of = settings.all
    known = {
        What.RATE: Limit(of.rate, _MINUTE),
        What.MESSAGES: Limit(of.messages, _MINUTE),
        What.RECIPIENTS: Limit(of.recipients, _MINUTE),
        What.OCTETS: Limit(of.octets),
    }
    return Scope("all together", _real(known))


def _real(known: Mapping[What, Limit]) -> dict[What, Limit]:
    """Those that are limits: 0 is none."""
    return {what: limit for what, limit in known.items() if limit.most}


def stress_limits(config: Config, descriptors: int) -> StressLimits:
    """When it begins, and what changes then."""
    stress = config.limits.stress
    return StressLimits(
        stress.mode,
        capacity(config, descriptors),
        stress.share / 100,
        stress.timeout,
        stress.errors,
    )


def capacity(config: Config, descriptors: int) -> int:
    """How many connections there may be at once, with so many descriptors."""
    return min(config.mx.connections, connections(descriptors))
