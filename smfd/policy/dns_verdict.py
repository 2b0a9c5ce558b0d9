"""
Whether what is in the DNS is what has to be there, and what to do if not.

Standards: RFC 6376 §3.6.1 (keys), RFC 7208 §4.5 (one SPF record), RFC 7489 §6.3
and §6.6.3 (DMARC), RFC 7505 (null MX), RFC 7672 §3.1 (TLSA).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from smfd.format.tags import NotTags, read_tags
from smfd.model.hop import TLSA
from smfd.policy.dns_site import Wanted
from smfd.policy.dns_zone import quoted
from smfd.policy.mta_sts import read_id

OK, WARN, FAIL = "OK", "WARN", "FAIL"

#: Octets of a record, and records of a name, that people are shown.
_SHOWN, _MOST = 500, 20

#: Octets of a TXT record that are read.
_LONGEST = 4096


@frozen
class Found:
    """
    What the DNS said.

    @ivar answered: False when it could not be asked.
    @ivar records: as L{Answer <smfd.net.dns_answer.Answer>} has them.
    @ivar secure: the answer was signed (DNSSEC), and is right.
    @ivar spf: what the domain's SPF comes to, by address of ours.
    """

    answered: bool = True
    records: Sequence[Any] = ()
    secure: bool = False
    spf: Mapping[str, str] = field(factory=dict)


@frozen
class Advice:
    """
    What is to be said of one record.

    @ivar verdict: L{OK}, L{WARN} or L{FAIL}.
    @ivar found: what is there, for people.
    @ivar fix: what to do, a sentence; "" when all is well.
    """

    wanted: Wanted
    verdict: str
    found: tuple[str, ...]
    fix: str = ""


#: A verdict, and what to do.
_Said = tuple[str, str]
_GOOD: _Said = (OK, "")


def judged(wanted: Wanted, found: Found) -> Advice:
    """Compare one record with what was found of it."""
    shown = tuple(_shown(one) for one in found.records[:_MOST])
    if not found.answered:
        fix = "It could not be looked up; try again later."
        return Advice(wanted, WARN, (), fix)
    verdict, fix = _JUDGES[wanted.what](wanted, found)
    if verdict == OK and wanted.late:
        verdict, fix = WARN, wanted.late
    return Advice(wanted, verdict, shown, fix)


def is_judged(wanted: Wanted) -> bool:
    """Whether there is anything to find out; some is a matter of taste."""
    return wanted.what in _JUDGES


def has_key(found: bytes, record: str) -> bool:
    """
    Whether a TXT record is as good as ours: the same key, of the same kind.

    @param record: what we would have there.
    """
    wanted = read_tags(record.encode("ascii"))
    tags = _tags(found)
    public = b"".join(tags.get(b"p", b"").split())
    return public == wanted[b"p"] and tags.get(b"k", b"rsa") == wanted[b"k"]


def _tags(record: bytes) -> dict[bytes, bytes]:
    try:
        return read_tags(record[:_LONGEST])
    except NotTags:
        return {}


def _missing(wanted: Wanted) -> _Said:
    """Nothing is there."""
    return FAIL if wanted.needed else WARN, f"Publish it: {_written(wanted)}"


def _written(wanted: Wanted) -> str:
    value = quoted(wanted.value) if wanted.type == "TXT" else wanted.value
    return f"{wanted.name}. {wanted.type} {value}"


def _mx(wanted: Wanted, found: Found) -> _Said:
    host = wanted.value.partition(" ")[2].rstrip(".")
    hosts = [str(name).lower() for _, name in found.records]
    if not hosts:
        return _missing(wanted)
    if hosts == ["."]:
        return FAIL, "It says that the domain takes no mail; replace it with ours."
    if host not in hosts:
        return FAIL, f"Mail goes elsewhere. Publish {_written(wanted)}"
    others = sorted({*hosts} - {host})
    if others:
        return WARN, f"Mail may come past us, to {', '.join(others[:5])[:300]}."
    return _GOOD


def _begins(record: bytes, version: bytes) -> bool:
    return re.match(version + rb"(?:[ \t;]|$)", record.lstrip(), re.I) is not None


def _spf(wanted: Wanted, found: Found) -> _Said:
    records = [one for one in found.records if _begins(one, b"v=spf1")]
    if not records:
        return _missing(wanted)
    if len(records) > 1:
        return FAIL, "There are several SPF records, so none counts; leave one."
    words = records[0].lower().split()
    if {b"all", b"+all"} & {*words}:
        return FAIL, "It lets everybody send for the domain; end it with ~all."
    refused = [a for a, said in found.spf.items() if said not in ("pass", "temperror")]
    if refused:
        which = ", ".join(refused[:5])
        add = " ".join(wanted.value.split()[1:-1])[:_SHOWN]
        return FAIL, f"It does not let {which} send, which we do; add what lacks: {add}"
    if "temperror" in found.spf.values():
        return WARN, "What it refers to could not be looked up; try again later."
    if b"?all" in words:
        return WARN, "It says nothing of all others; end it with ~all."
    return _GOOD


def _dkim(wanted: Wanted, found: Found) -> _Said:
    if not found.records:
        return _missing(wanted)
    if len(found.records) > 1:
        return FAIL, "There are several records; leave ours alone."
    record = found.records[0]
    if not has_key(record, wanted.value):
        fix = f"It is another key, or cut. Publish {_written(wanted)}"
        return FAIL if wanted.needed else WARN, fix
    if b"y" in _tags(record).get(b"t", b""):
        return WARN, "t=y says that signatures do not count; take it out."
    return _GOOD


def _dmarc(wanted: Wanted, found: Found) -> _Said:
    records = [one for one in found.records if _begins(one, b"v=dmarc1")]
    if not records:
        return _missing(wanted)
    # RFC 7489 §6.6.3: of several none counts.
    if len(records) > 1:
        return FAIL, "There are several DMARC records, so none counts; leave one."
    tags = _tags(records[0])
    policy = tags.get(b"p", b"").lower()
    if policy not in (b"none", b"quarantine", b"reject"):
        return FAIL, f"Its policy p= is none that there is. Publish {_written(wanted)}"
    if policy == b"none":
        return WARN, "p=none stops nobody who forges the domain; p=quarantine does."
    if b"rua" not in tags:
        return WARN, "Nobody is told of forgeries; add rua=mailto: and an address."
    return _GOOD


def _allowed(wanted: Wanted, found: Found) -> _Said:
    if not any(_begins(one, b"v=dmarc1") for one in found.records):
        return _missing(wanted)
    return _GOOD


def _tlsrpt(wanted: Wanted, found: Found) -> _Said:
    records = [one for one in found.records if _begins(one, b"v=tlsrptv1")]
    if not records:
        return _missing(wanted)
    # RFC 8460 §3: one, and it says whereto.
    if len(records) > 1 or not _tags(records[0]).get(b"rua"):
        return FAIL, f"It is not one record with rua=. Publish {_written(wanted)}"
    return _GOOD


def _mta_sts(wanted: Wanted, found: Found) -> _Said:
    if not any(_begins(one, b"v=stsv1") for one in found.records):
        return _missing(wanted)
    if not read_id(found.records):
        return FAIL, "It is not one record with an id=; others take it for none."
    return _GOOD


def _srv(wanted: Wanted, found: Found) -> _Said:
    if not found.records:
        return _missing(wanted)
    said = {" ".join(str(one).lower().rstrip(".").split()[2:]) for one in found.records}
    own = " ".join(wanted.value.rstrip(".").split()[2:])
    if said != {own}:
        return WARN, f"Mail programs go elsewhere. Publish {_written(wanted)}"
    return _GOOD


def _address(wanted: Wanted, found: Found) -> _Said:
    if not found.records:
        fix = "Others cannot reach us under our name; make an A record for it."
        return FAIL, fix
    return _GOOD


def _source(wanted: Wanted, found: Found) -> _Said:
    if wanted.value not in map(str, found.records):
        return FAIL, f"Who looks up our name does not find us; {_missing(wanted)[1]}"
    return _GOOD


def _ptr(wanted: Wanted, found: Found) -> _Said:
    host = wanted.value.rstrip(".")
    names = [str(one).lower().rstrip(".") for one in found.records]
    if host not in names:
        fix = f"Many refuse mail from an address whose name is not {host}; whoever"
        return FAIL, f"{fix} gave you the address sets its PTR record."
    if len(names) > 1:
        return WARN, f"It has several names; leave {host} alone."
    return _GOOD


def _tlsa(wanted: Wanted, found: Found) -> _Said:
    own = wanted.value.rpartition(" ")[2]
    if not found.records:
        if not found.secure:
            return _GOOD
        return WARN, f"The zone is signed, DANE can be had: {_written(wanted)}"
    records = [one for one in found.records if isinstance(one, TLSA)]
    if not found.secure:
        return WARN, "Without DNSSEC nobody believes it; sign the zone."
    if any(
        (one.usage, one.selector, one.matching, one.octets.hex()) == (3, 1, 1, own)
        for one in records
    ):
        return _GOOD
    fix = "No record is that of our certificate: who obeys DANE sends us nothing."
    return FAIL, f"{fix} Publish {_written(wanted)}"


_JUDGES: Mapping[str, Callable[[Wanted, Found], _Said]] = {
    "mx": _mx,
    "spf": _spf,
    "host-spf": _spf,
    "dkim": _dkim,
    "dmarc": _dmarc,
    "allowed": _allowed,
    "tlsrpt": _tlsrpt,
    "mta-sts": _mta_sts,
    "srv": _srv,
    "address": _address,
    "ptr": _ptr,
    "source": _source,
    "tlsa": _tlsa,
}


def _shown(record: Any) -> str:
    """A record, for people."""
    if isinstance(record, bytes):
        text = record.decode("utf-8", "replace")
    elif isinstance(record, tuple):
        text = " ".join(map(str, record))
    else:
        text = str(record)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
