"""Whether look-ups are answered."""

from collections.abc import Iterator

from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer, NoResolverConfiguration, Resolver

from smfd.config.schema import Config
from smfd.config.value import split_server
from smfd.ctl.probe import Report, error, ok, warning


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
        resolver = _resolver(config)
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


def _resolver(config: Config) -> Resolver:
    resolver = Resolver(configure=not config.dns.servers)
    resolver.timeout = config.dns.timeout
    if config.dns.servers:
        found = [split_server(text) for text in config.dns.servers]
        resolver.nameservers = [host for host, _ in found]
        resolver.nameserver_ports = dict(found)
    return resolver
