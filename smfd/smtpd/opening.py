"""
The doors as the settings have them: who listens where, and how it is met.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from attrs import evolve, frozen
from OpenSSL import SSL
from twisted.internet.interfaces import IProtocolFactory

from smfd.config.schema import Config
from smfd.config.value import UNIX
from smfd.interfaces import IDoor
from smfd.net.eager import EagerTLSFactory
from smfd.net.listener import Listener
from smfd.net.proxied import ProxiedFactory
from smfd.net.systemd import handed
from smfd.net.tls import Clients, Pair, ServerTLS, explained
from smfd.policy.networks import networks
from smfd.proto.extension import Offer
from smfd.proto.limits import Budget, Limits
from smfd.proto.lmtp import LMTPMachine
from smfd.proto.sasl import MECHANISMS
from smfd.proto.submission import SubmissionMachine
from smfd.smtpd.factory import SMTPFactory
from smfd.smtpd.reception import Reception
from smfd.smtpd.stress import StressLimits

#: Addresses, and who meets those that come there.
Way = tuple[Sequence[str], IProtocolFactory]


@frozen
class Doors:
    """
    Who meets those that come.

    @ivar front: the world, by SMTP.
    @ivar back: our own hosts, by LMTP.
    @ivar users: our own people.
    @ivar tls: None: mail comes in the clear.
    """

    front: SMTPFactory
    back: SMTPFactory
    users: SMTPFactory
    tls: ServerTLS | None
    reactor: Any

    def reception(self, config: Config) -> Reception:
        """
        Those who let people in, not yet listening.

        The sockets that systemd opened are taken here.
        """
        places = [_place(config, text) for text in config.lmtp.listen]
        sockets = handed()
        listeners = [
            Listener(addresses, factory, self.reactor, sockets)
            for addresses, factory in (*self._ways(config), (places, self.back))
        ]
        return Reception(listeners, [self.front, self.back, self.users])

    def _ways(self, config: Config) -> Iterator[Way]:
        """Where the world and our people come in, and by what they are met."""
        mx, submission = config.mx, config.submission
        ways: list[Way] = [(mx.listen, self.front)]
        if self.tls is not None:
            ways.append((mx.listen_tls, self._secure(self.tls, self.front)))
            # Without TLS nobody could log in: then that door is closed.
            ways.append((submission.listen, self.users))
            ways.append((submission.listen_tls, self._secure(self.tls, self.users)))
        proxies = networks(mx.proxy)
        for addresses, factory in ways:
            if proxies:
                factory = ProxiedFactory(proxies, factory, self.reactor)
            yield addresses, factory

    def _secure(self, tls: ServerTLS, factory: SMTPFactory) -> IProtocolFactory:
        """Under TLS from the first octet on."""
        return EagerTLSFactory(tls, False, factory, self.reactor)


def make_doors(
    config: Config,
    front: IDoor,
    back: IDoor,
    users: IDoor,
    stress: StressLimits,
    ids: Callable[[], str],
    reactor: Any,
) -> Doors:
    """
    All doors.

    @param ids: makes the ids of sessions and of envelopes.
    @raise SystemExit: a certificate cannot be used.
    """
    limits, tls = _limits(config), certificates(config)
    make = partial(
        SMTPFactory,
        clock=reactor,
        ids=ids,
        limits=limits,
        tls=tls,
        budget=Budget(limits.memory),
    )
    # Hosts of our own need not make room for each other.
    calm = StressLimits(mode="never")
    people = evolve(stress, capacity=config.submission.connections)
    offer = Offer(logins=tuple(MECHANISMS))
    return Doors(
        make(front, stress=stress),
        make(back, stress=calm, machine=LMTPMachine),
        make(users, stress=people, machine=SubmissionMachine, offer=offer),
        tls,
        reactor,
    )


def _place(config: Config, text: str) -> str:
    """An address; a UNIX socket's path is made absolute."""
    if not text.startswith(UNIX):
        return text
    return f"{UNIX}{config.resolve(text.removeprefix(UNIX))}"


def certificates(config: Config) -> ServerTLS | None:
    """
    What the settings say of TLS.

    @raise SystemExit: a file cannot be used.
    """
    tls = config.tls
    if not tls.certificate:
        return None
    names = ((tls.certificate, tls.key), *((s.certificate, s.key) for s in tls.sni))
    pairs = [Pair(config.resolve(name), config.resolve(key)) for name, key in names]
    try:
        for pair in pairs:
            ServerTLS(pair)
    except (OSError, ValueError, SSL.Error) as trouble:
        raise SystemExit(
            f"smfd: cannot use the certificate {pair.certificate} with the key"
            f" {pair.key}: {explained(trouble)}"
        ) from None
    authorities = tls.client_authorities
    whom = Clients(config.resolve(authorities) if authorities else None)
    try:
        return ServerTLS(*pairs, clients=whom if tls.ask_clients else None)
    except (OSError, SSL.Error) as trouble:
        raise SystemExit(
            f"smfd: cannot use [tls] client_authorities: {explained(trouble)}"
        ) from None


def _limits(config: Config) -> Limits:
    settings = config.mx
    return Limits(
        command_line=settings.command_line,
        recipients=settings.recipients,
        message_size=settings.message_size,
        errors=settings.errors,
        junk=settings.junk,
        logins=config.login.tries,
        command_timeout=settings.command_timeout,
        data_timeout=settings.data_timeout,
        message_timeout=settings.message_timeout,
        handshake_timeout=config.limits.handshake_timeout,
        data_rate=config.limits.data_rate,
        data_grace=config.limits.data_grace,
        memory=settings.memory,
        message_memory=config.store.inline,
    )
