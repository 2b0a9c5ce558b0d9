"""Whether look-ups are answered, and checked by DNSSEC."""

from collections.abc import Iterator
from ipaddress import ip_address

from dns.exception import DNSException
from dns.flags import Flag
from dns.resolver import NXDOMAIN, NoAnswer, NoResolverConfiguration, Resolver

from smfd.config.schema import Config
from smfd.config.value import split_server
from smfd.ctl.probe import Report, State, error, ok, warning


def probe_dns(config: Config) -> Iterator[Report]:
    """The servers answer, and know our own name."""
    if config.dns.offline:
        yield warning(
            "dns",
            "Offline: nothing is looked up, only [[dns.record]] counts. Mail from "
            "the world cannot be authenticated so. Set [dns] offline = false.",
        )
        return
    try:
        resolver = resolver_of(config)
        servers = ", ".join(str(server) for server in resolver.nameservers)
        resolver.resolve(config.hostname, "A", lifetime=config.dns.lifetime)
    except (NXDOMAIN, NoAnswer):
        yield warning(
            "dns",
            f"DNS answers, and has no address for {config.hostname}. Other servers "
            "will not find us under that name; make an A record.",
        )
    except NoResolverConfiguration:
        yield error("dns", "/etc/resolv.conf names no server; set [dns] servers.")
    except DNSException as failure:
        yield error(
            "dns",
            f"No server answers ({type(failure).__name__}). Without DNS no sender can "
            "be authenticated. Set [dns] servers to a resolver of your own.",
        )
    else:
        yield ok("dns", f"{servers} answers")
        yield from _dane(config, resolver)


def _dane(config: Config, resolver: Resolver) -> Iterator[Report]:
    """Whether TLSA records count, and whose mail waits when they do not."""
    sites = [one.name for one in config.tls_out.site if one.policy == "dane-only"]
    routes = [one.name for one in config.relay.route if one.tls == "dane-only"]
    if not (config.tls_out.dane or sites or routes):
        return
    report = _dnssec(resolver)
    if report.state is State.OK or not (sites or routes):
        yield report
    else:
        names = ", ".join([*sites, *routes])
        yield error(
            "dnssec", f'With "dane-only", mail for {names} waits. {report.text}'
        )


def _dnssec(resolver: Resolver) -> Report:
    """Whether answers are checked, and come to us from nowhere else."""
    if not all(ip_address(str(server)).is_loopback for server in resolver.nameservers):
        return warning(
            "dnssec",
            "The resolver is another machine, so that anybody on the way could say "
            "that it checked an answer: DANE is off, MTA-STS is not. Run a validating "
            "resolver here, such as unbound, and set [dns] servers to it.",
        )
    resolver.use_edns(0, 0, 1232)
    # RFC 6840 §5.7: AD in a question asks for AD in the answer.
    resolver.flags = Flag.RD | Flag.AD
    try:
        signed = resolver.resolve(".", "SOA", lifetime=resolver.lifetime).response
    except DNSException as failure:
        return warning(
            "dnssec",
            f"The resolver has no answer for the root ({type(failure).__name__}): DANE "
            "is off. Let it reach the root servers, and try again.",
        )
    if signed.flags & Flag.AD:
        return ok("dnssec", "answers are checked: DANE is obeyed")
    return warning(
        "dnssec",
        "The resolver does not check answers by DNSSEC: DANE is off. In unbound, that "
        'is module-config: "validator iterator" and an auto-trust-anchor-file.',
    )


def resolver_of(config: Config) -> Resolver:
    """One as the settings have it."""
    resolver = Resolver(configure=not config.dns.servers)
    resolver.timeout = config.dns.timeout
    resolver.lifetime = config.dns.lifetime
    if config.dns.servers:
        found = [split_server(text) for text in config.dns.servers]
        resolver.nameservers = [host for host, _ in found]
        resolver.nameserver_ports = dict(found)
    return resolver
