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
    key_days: float = setting(
        "How long a key signs until smfd says that it is time for the spare one; 0: it "
        "never says so.",
        182.0,
        unit="days",
        low=0,
        high=3650,
    )
    rotate: bool = setting(
        "Whether the spare keys then take over by themselves: when the DNS has had "
        "them for a day, as our resolver sees it, and not before. Say yes only where "
        "that sees the same zone as the world.",
        False,
    )
