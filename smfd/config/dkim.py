"""The settings of signatures."""

from attrs import frozen

from smfd.config.setting import setting


@frozen
class DKIM:
    """
    Signatures on the mail of hosted domains, RFC 6376: who made it, and that
    nobody changed it. Each domain has keys of its own: smfdctl dkim.
    """

    sign: bool = setting(
        "Sign what leaves, with the keys of the domain in From; new domains are "
        "given keys.",
        True,
    )
