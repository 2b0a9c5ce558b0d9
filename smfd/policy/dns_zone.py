"""
Records as a zone file has them.

Standards: RFC 1035 §3.3.14 (strings of 255 octets) and §5.1.
"""

import textwrap
from collections.abc import Iterator

from smfd.policy.dns_pages import pages
from smfd.policy.dns_site import Site, Wanted

#: Short, so that a mistake is over soon.
_TTL = 300


def zone(site: Site) -> Iterator[str]:
    """
    Lines that can be imported, a comment above each record.

    What needs a thought first is a comment itself.
    """
    yield f"; {site.domain}, with mail at {site.hostname}."
    yield "; What begins with ;; needs a thought first. Raise $TTL when all is well."
    yield f"$TTL {_TTL}"
    before = ""
    for one in site.wanted():
        why = " ".join(filter(None, (one.why, one.late)))
        if why != before:
            yield ""
            yield from _comment(why)
            before = why
        yield _record(one)
    for page in pages(site):
        yield ""
        yield from _comment(
            f"{page.why}. A web server must have it as {page.kind}, with a certificate"
            f" for that name, at {page.url}:"
        )
        yield from (f";   {line}" for line in page.text.splitlines())


def _comment(text: str) -> list[str]:
    # An address is not to be cut.
    lines = textwrap.wrap(text, 76, break_long_words=False, break_on_hyphens=False)
    return [f"; {line}" for line in lines]


def _record(one: Wanted) -> str:
    value = quoted(one.value) if one.type == "TXT" else one.value
    line = f"{one.name}. IN {one.type} {value or 'ADDRESS'}"
    return line if one.plain and one.value else f";; {line}"


def quoted(text: str) -> str:
    """A TXT value in strings that are short enough."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return " ".join(f'"{text[at : at + 250]}"' for at in range(0, len(text), 250))
