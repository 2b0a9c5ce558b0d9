"""The settings of chains of those who pass mail on."""

from attrs import frozen

from smfd.config import value
from smfd.config.setting import setting


@frozen
class ARC:
    """
    Mailing lists and forwarders change mail, so that its author can no longer
    be proved. Some say what they found before, under a seal (RFC 8617).
    """

    trusted: tuple[str, ...] = setting(
        "Domains whose word counts: mail that they sealed last, and that fails DMARC "
        "with us, scores nothing for it if it passed with them. Name those alone "
        "that check what they pass on.",
        (),
        check=value.hostname,
        example='["lists.example.org"]',
    )
