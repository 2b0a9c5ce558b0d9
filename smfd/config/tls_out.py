"""The settings of TLS with the servers that take mail from us."""

from attrs import field, frozen

from smfd.config import value
from smfd.config.setting import setting


@frozen
class TLSSite:
    """How mail for one domain travels, whatever the domain published."""

    domain: str = setting("The domain.", check=value.domain, example='"example.org"')
    policy: str = setting(
        '"none": in the clear. "opportunistic": TLS if it can be had. "required": TLS '
        'with whoever is there. "verify": the certificate is signed by an authority '
        'and is for the MX host. "dane-only": TLSA records say which it is, or mail '
        "waits.",
        choices=("none", "opportunistic", "required", "verify", "dane-only"),
        example='"verify"',
    )

    @property
    def name(self) -> str:
        """The domain as it is looked up."""
        return self.domain.rstrip(".").lower()


@frozen
class TLSOut:
    """
    TLS with the MX hosts of the world: used wherever it is offered.

    A domain that published what its servers must prove is sent to only when they
    do; its mail waits otherwise.
    """

    dane: bool = setting(
        "Obey TLSA records, RFC 7672. It needs a resolver on this machine that checks "
        "DNSSEC; with any other it is as if it were off.",
        True,
    )
    mta_sts: bool = setting(
        "Obey MTA-STS policies, RFC 8461, which are fetched from the domains' web "
        "servers.",
        True,
    )
    authorities: str = setting(
        "PEM: who may sign the certificates of MX hosts and of web servers with "
        "policies. Empty: whom the system believes.",
        "",
        example='"authorities.pem"',
    )
    reports_from: str = setting(
        "The address that reports on TLS come from, RFC 8460: once a day domains that "
        "ask for them are told what came of TLS with their servers. An address of a "
        "hosted domain with DKIM keys. Empty: no reports, and nothing is counted.",
        "",
        check=value.mailbox,
        example='"postmaster@example.org"',
    )
    site: tuple[TLSSite, ...] = field(default=())
