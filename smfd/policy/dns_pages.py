"""
What a web server has to have for a domain; smfd has none.

Standards: RFC 8461 §3.2 and §3.3 (MTA-STS).
"""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from attrs import frozen

from smfd.policy.dns_site import IMAPS, SUBMISSIONS, Service, Site


@frozen
class Page:
    """
    One page.

    @ivar what: "mta-sts" or "autoconfig".
    @ivar kind: its Content-Type.
    @ivar why: what it is for, a clause.
    """

    what: str
    url: str
    kind: str
    text: str
    why: str


def pages(site: Site) -> Iterator[Page]:
    """All of them; that of mail programs where they can read mail, too."""
    yield Page(
        "mta-sts",
        site.policy_url,
        "text/plain",
        site.policy,
        "MTA-STS: who sends us mail asks for this text",
    )
    if site.program:
        yield Page(
            "autoconfig",
            f"https://autoconfig.{site.domain}/mail/config-v1.1.xml",
            "text/xml",
            _autoconfig(site.domain, *site.program),
            "Thunderbird and others ask for their settings",
        )


def _autoconfig(domain: str, reading: Service, writing: Service) -> str:
    name = escape(domain)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<clientConfig version="1.1">',
        f'  <emailProvider id="{name}">',
        f"    <domain>{name}</domain>",
        f"    <displayName>{name}</displayName>",
        *_server("incomingServer", "imap", reading),
        *_server("outgoingServer", "smtp", writing),
        "  </emailProvider>",
        "</clientConfig>",
    ]
    return "\n".join(lines) + "\n"


def _server(element: str, kind: str, service: Service) -> Iterator[str]:
    at_once = service.name in (IMAPS, SUBMISSIONS)
    yield f'    <{element} type="{kind}">'
    yield f"      <hostname>{escape(service.host)}</hostname>"
    yield f"      <port>{service.port}</port>"
    yield f"      <socketType>{'SSL' if at_once else 'STARTTLS'}</socketType>"
    yield "      <authentication>password-cleartext</authentication>"
    yield "      <username>%EMAILADDRESS%</username>"
    yield f"    </{element}>"
