"""The way to the world, as the settings have it."""

from collections.abc import Callable
from ipaddress import ip_address

from attrs import evolve

from smfd.config import relay
from smfd.config.schema import Config
from smfd.config.value import SYSTEMD, split_address
from smfd.delivery.tlspolicy import TLSPolicies
from smfd.delivery.where import Where, unrouted
from smfd.model.hop import NextHop
from smfd.model.origin import Login, Origin
from smfd.net.dns import Lookup
from smfd.net.local_address import is_local
from smfd.policy.mx import Bounds
from smfd.policy.networks import networks
from smfd.policy.origins import Origins, Spent, never
from smfd.policy.route import Routes, parse_hop


def where(
    config: Config,
    resolver: Lookup,
    tls: TLSPolicies,
    route_of: Callable[[str], str] = unrouted,
    spent: Spent = never,
) -> Where:
    """
    Who knows the way.

    @param route_of: see L{Where}.
    @param spent: see L{Origins}.
    @raise SystemExit: a password cannot be read.
    """
    settings = config.relay
    named = evolve(origins(settings), spent=spent)
    routes = Routes({route.name: _route(config, route) for route in settings.route})
    literals = networks(config.submission.literals)
    return Where(
        resolver,
        tls,
        bounds(config, named),
        named,
        routes,
        settings.port,
        literals,
        route_of,
    )


def origins(settings: relay.Relay) -> Origins:
    """Our addresses."""
    kinds: dict[str, list[Origin]] = {"mail": [], "others": []}
    for source in settings.source:
        hello = source.hello.rstrip(".").lower()
        kinds[source.carries].append(Origin(source.address, hello))
    return Origins(tuple(kinds["mail"]), tuple(kinds["others"]))


def bounds(config: Config, named: Origins) -> Bounds:
    """Whom we do not send to."""
    settings = config.relay
    hellos = {o.hello for o in (*named.mail, *named.others) if o.hello}
    written = (*settings.own, *(source.address for source in settings.source))
    own, here = {str(ip_address(text)) for text in written}, _listening(config)
    return Bounds(
        frozenset({config.hostname, *hellos}),
        lambda address: address in own or here(address),
        networks((*settings.networks_allowed, *_trial(settings))),
        ipv6=settings.ipv6 and named.ipv6,
    )


def _trial(settings: relay.Relay) -> tuple[str, ...]:
    """The world's MX hosts have one port; with another it is a world of one's own."""
    return () if settings.port == 25 else ("127.0.0.0/8", "::1/128")


def _listening(config: Config) -> Callable[[str], bool]:
    """Whether we listen on an address, at the port where MX hosts do."""
    doors = [split_address(t) for t in config.mx.listen if not t.startswith(SYSTEMD)]
    hosts = {host for host, port in doors if port == config.relay.port}
    # systemd's may be anywhere; then they are mostly everywhere.
    systemd = config.relay.port == 25 and len(doors) < len(config.mx.listen)
    every = systemd or bool(hosts & {"0.0.0.0", "::"})
    return lambda address: address in hosts or (every and is_local(address))


def _route(config: Config, route: relay.Route) -> NextHop:
    hop = evolve(parse_hop(route.to), tls=route.tls)
    if not route.username:
        return hop
    path = config.resolve(route.password_file)
    try:
        password = path.read_text().strip()
    except (OSError, UnicodeError) as error:
        raise SystemExit(f"smfd: cannot start: {path}: {error}") from None
    return evolve(hop, login=Login(route.username, password))
