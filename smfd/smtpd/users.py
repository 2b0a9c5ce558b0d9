"""The submission door, as the settings have it."""

from attrs import evolve

from smfd.config.schema import Config
from smfd.control.login import Logins, Remembered
from smfd.control.passwords import Passwords
from smfd.control.quota import Quota
from smfd.control.reputation_settings import Reputation
from smfd.interfaces import IDoor
from smfd.model.transaction import Flow
from smfd.policy.guessing import Terms, Throttle
from smfd.policy.networks import networks
from smfd.smtpd.accept import Acceptance
from smfd.smtpd.counting import limits_gate
from smfd.smtpd.guarded import Gates, Guarded
from smfd.smtpd.mx import MX
from smfd.smtpd.recorder import Recorder
from smfd.smtpd.sent_trace import SentTracer
from smfd.smtpd.submission import Submission
from smfd.smtpd.submitted import Submitted
from smfd.store.directory_grants import Grants
from smfd.store.directory_named import KEY
from smfd.store.directory_passwords import Keys
from smfd.store.homes import Homes
from smfd.store.secret import secret


def submission(
    config: Config,
    front: MX,
    acceptance: Acceptance,
    quota: Quota,
    passwords: Passwords,
    homes: Homes,
    opinion: Reputation,
) -> IDoor:
    """
    The door for our own people, in the same house as the front door.

    @param homes: where they logged in before.
    @param opinion: knows addresses that do not exist.
    @raise SystemExit: the secret of the home can neither be read nor made.
    """
    gates = Gates((limits_gate(config, front.clock),))
    recorder = evolve(front.recorder, gates=gates, flow=Flow.OUTBOUND)
    grants = Grants(acceptance.directory)
    settings = config.submission
    door = Submission(
        front.hostname,
        front.spool,
        recorder,
        _submitted(config, front, acceptance, grants, quota, recorder),
        front.clock,
        front.ids,
        connections=settings.connections,
        per_address=settings.connections_per_address,
        exempt=networks(config.mx.exempt),
        logins=_logins(config, front, acceptance, passwords, homes),
        identities=grants.identities,
        quota=quota,
        literals=networks(settings.literals),
        suppressed=opinion.deliverability.refusal,
    )
    return Guarded(door, gates)


def _logins(
    config: Config,
    front: MX,
    acceptance: Acceptance,
    passwords: Passwords,
    homes: Homes,
) -> Logins:
    settings = config.login
    terms = Terms(
        settings.guesses,
        settings.network_guesses,
        settings.home_guesses,
        settings.remembered,
    )
    return Logins(
        Keys(acceptance.directory),
        passwords,
        Throttle(terms),
        Remembered(settings.good_for, settings.remembered),
        front.clock,
        homes=homes,
    )


def _submitted(
    config: Config,
    front: MX,
    acceptance: Acceptance,
    grants: Grants,
    quota: Quota,
    recorder: Recorder,
) -> Submitted:
    try:
        own = secret(config.home / KEY)
    except OSError as trouble:
        raise SystemExit(f"smfd: cannot start: {trouble}") from None
    custody = evolve(acceptance.custody, recorder=recorder)
    # The same rules as at the front door, and so many letters from both.
    policed = acceptance.policed
    return Submitted(
        custody,
        acceptance.chain,
        acceptance.directory,
        acceptance.recipients,
        SentTracer(front.hostname, own),
        front.clock,
        grants.identities,
        quota,
        policed.rules,
        policed.notices,
        frozenset(name.lower() for name in config.virus.pass_encrypted),
    )
