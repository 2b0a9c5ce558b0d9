"""What reports on TLS say, in sentences."""

from collections.abc import Iterable

from attrs import frozen

#: What is wrong, and what to do, by the word of RFC 8460 §4.3.
_MEANINGS = {
    "starttls-not-supported": "does not offer STARTTLS to them: see [tls], and what "
    "stands between it and the world",
    "certificate-host-mismatch": "has a certificate for another name: it must have the "
    "name that the MX record has",
    "certificate-expired": "has a certificate that is not valid any more: renew it",
    "certificate-not-trusted": "has a certificate that no authority has signed, or "
    "without the certificates in between",
    "validation-failure": "fails in the handshake",
    "tlsa-invalid": "has TLSA records that cannot be read",
    "dnssec-invalid": "has DNS that cannot be proven: see the signatures of the zone",
    "dane-required": "has no TLSA records where somebody wants them",
    "sts-policy-fetch-error": "has an MTA-STS policy that cannot be fetched: see the "
    "web server at mta-sts.{domain}",
    "sts-policy-invalid": "has an MTA-STS policy that cannot be understood",
    "sts-webpki-invalid": "has an MTA-STS web server with a wrong certificate",
}


@frozen
class Failed:
    """
    Connections that failed in one way.

    @ivar host: our MX host, or "".
    """

    result: str
    host: str
    number: int
    reporters: int


def tls_answer(domain: str, good: int, bad: int, faults: Iterable[Failed]) -> list[str]:
    """What a postmaster should know of it, the weightiest first."""
    if not good + bad:
        return [
            "No reports came: see that the DNS has them sent to an address of ours "
            f"(_smtp._tls.{domain})."
        ]
    said = [_said(domain, fault) for fault in list(faults)[:5]]
    return [*said, f"Of {good + bad} connections to {domain} {bad} failed."]


def _said(domain: str, fault: Failed) -> str:
    meaning = _MEANINGS.get(fault.result, f"is said to have: {fault.result}")
    whose = fault.host or domain
    number = f"{fault.number} connections, told by {fault.reporters}"
    return f"{whose} {meaning.replace('{domain}', domain)} ({number})."
