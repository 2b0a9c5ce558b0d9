"""
What a domain's owner is told of a message that came in his name.

Standards: RFC 7489 §7.2 and appendix C.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import frozen

from smfd.format.authres import tags

#: Signatures that are told of.
_SIGNATURES = 3

_DISPOSITIONS = {"reject": "reject", "quarantine": "quarantine", "hold": "quarantine"}


@frozen
class Seen:
    """
    One kind of message, as far as reports tell kinds apart.

    @ivar domain: the author's.
    @ivar source: the address it came from.
    @ivar disposition: "none", "quarantine" or "reject".
    @ivar spf: result and domain, "pass a.example"; "" when there was none.
    @ivar dkim: results, domains and selectors: "pass a.example s1", with
        semicolons.
    """

    domain: str
    source: str
    disposition: str
    spf: str
    dkim: str


def seen(record: Mapping[str, Any]) -> Seen | None:
    """
    What a decision record says of it; None where DMARC has no say.

    @param record: as it is stored: a document.
    """
    if record.get("kind") != "message" or record.get("flow") != "inbound":
        return None
    findings = record.get("findings") or ()
    judged = next((f for f in findings if _is_judged(f)), None)
    domain = tags(judged["evidence"]).get("d", "") if judged else ""
    if not judged or not domain:
        return None
    failed = judged["symbol"].startswith("DMARC_FAIL_")
    return Seen(
        domain.lower(),
        str(record.get("client") or ""),
        _disposition(record.get("fates") or ()) if failed else "none",
        next(_results(findings, "SPF"), ""),
        ";".join(list(_results(findings, "DKIM"))[:_SIGNATURES]),
    )


def _is_judged(finding: Mapping[str, Any]) -> bool:
    symbol = str(finding["symbol"])
    return symbol == "DMARC_PASS" or symbol.startswith("DMARC_FAIL_")


def _disposition(fates: Iterable[Mapping[str, Any]]) -> str:
    """What was done to all of them; what some got anyway was not kept back."""
    done = {_DISPOSITIONS.get(fate["disposition"], "none") for fate in fates}
    return done.pop() if len(done) == 1 else "none"


def _results(findings: Iterable[Mapping[str, Any]], method: str) -> Iterator[str]:
    for finding in findings:
        name, _, result = finding["symbol"].partition("_")
        said = tags(finding["evidence"])
        if name == method and finding["stage"] == method.lower() and said.get("d"):
            words = (result.lower(), said["d"].lower(), said.get("s", ""))
            yield " ".join(words).strip()
