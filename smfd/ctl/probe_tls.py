"""Certificates: ours as a client would see it, and whom we believe."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509

from smfd.config.schema import Config
from smfd.ctl.probe import Report, error, ok, warning

#: Time enough to get another.
SOON = timedelta(days=14)


def probe_certificate(config: Config) -> Iterator[Report]:
    """It can be read, goes with its key, is in force and has our name."""
    if not config.tls.certificate:
        yield warning(
            "certificate",
            "None is set: mail comes in the clear. Set [tls] certificate and key.",
        )
        return
    tls = config.tls
    yield from _probe(config, tls.certificate, tls.key, config.hostname)
    for sni in tls.sni:
        yield from _probe(config, sni.certificate, sni.key)


def probe_authorities(config: Config) -> Iterator[Report]:
    """Whom other servers' certificates must be signed by can be read."""
    for table, name in (
        ("onward", config.onward.authorities),
        ("tls_out", config.tls_out.authorities),
    ):
        if not name:
            continue
        path = config.resolve(name)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except OSError as failure:
            why = getattr(failure, "reason", "") or failure.strerror
            yield error(
                "authorities",
                f"{path}: {why}. Mail for servers that must prove themselves would "
                f"wait. Mend [{table}] authorities.",
            )
        else:
            yield ok("authorities", f"[{table}] {path}")


def _probe(
    config: Config, certificate_name: str, key_name: str, hostname: str = ""
) -> Iterator[Report]:
    path, key = config.resolve(certificate_name), config.resolve(key_name)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, key)
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ssl.SSLError as failure:
        yield error(
            "certificate",
            f"{path} and {key} do not go together ({failure.reason or 'not PEM'}). "
            "The first must be the server's own certificate, in PEM.",
        )
    except OSError as failure:
        # OpenSSL does not say which of the two.
        yield error("certificate", f"{path}, {key}: {failure.strerror}. Mend [tls].")
    except ValueError as failure:
        yield error("certificate", f"{path}: {failure}. Mend [tls].")
    else:
        yield _look(hostname, certificate, datetime.now(UTC))


def _look(hostname: str, certificate: x509.Certificate, now: datetime) -> Report:
    ends = certificate.not_valid_after_utc
    until = f"until {ends:%Y-%m-%d}"
    if not certificate.not_valid_before_utc <= now <= ends:
        return error("certificate", f"It is not in force, {until}. Renew it.")
    if ends - now < SOON:
        return warning("certificate", f"It is in force only {until}. Renew it.")
    if hostname and hostname not in names(certificate):
        return warning("certificate", f"It is not for {hostname}.")
    if not hostname:
        until = f"{', '.join(names(certificate)) or 'for no name'}, {until}"
    if certificate.issuer == certificate.subject:
        return ok("certificate", f"self-signed, {until}; enough for mail servers")
    return ok("certificate", until)


def names(certificate: x509.Certificate) -> list[str]:
    """The names it is for; a wildcard counts for its own text only."""
    try:
        known = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in known.value.get_values_for_type(x509.DNSName)]
