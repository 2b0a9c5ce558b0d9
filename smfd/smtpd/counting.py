"""The limits, as the settings have them."""

from collections.abc import Mapping
from ipaddress import ip_network

from twisted.internet.interfaces import IReactorTime

from smfd.config.limits import Limits
from smfd.config.schema import Config
from smfd.net.descriptors import connections
from smfd.policy.limits import Limit, Scope, Table, Tally, What
from smfd.smtpd.limits_gate import LimitsGate
from smfd.smtpd.stress import StressLimits

_MINUTE = 60.0


def limits_gate(config: Config, clock: IReactorTime) -> LimitsGate:
    """The gate that counts."""
    settings = config.limits
    return LimitsGate(
        Table(_of_address(settings), settings.remembered),
        Table(_of_network(settings), settings.remembered),
        Table(_of_domain(settings), settings.remembered),
        Tally(_of_all(settings)),
        clock.seconds,
        settings.penalty,
        tuple(ip_network(text) for text in config.mx.exempt),
    )


def _of_address(settings: Limits) -> Scope:
    of = settings.address
    known = {
        What.RATE: Limit(of.rate, _MINUTE),
        What.MESSAGES: Limit(of.messages, _MINUTE),
        What.RECIPIENTS: Limit(of.recipients, _MINUTE),
        What.ERRORS: Limit(of.errors, settings.window),
        What.UNKNOWN: Limit(of.unknown, settings.window),
        What.OCTETS: Limit(of.octets),
    }
    return Scope("your address", _real(known))


def _of_network(settings: Limits) -> Scope:
    of = settings.network
    known = {
        What.CONNECTIONS: Limit(of.connections),
        What.RATE: Limit(of.rate, _MINUTE),
        What.MESSAGES: Limit(of.messages, _MINUTE),
        What.RECIPIENTS: Limit(of.recipients, _MINUTE),
        What.ERRORS: Limit(of.errors, settings.window),
        What.UNKNOWN: Limit(of.unknown, settings.window),
        What.OCTETS: Limit(of.octets),
    }
    return Scope("your network", _real(known))


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
