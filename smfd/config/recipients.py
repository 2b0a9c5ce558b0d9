"""The settings of whose mail it is."""

from attrs import frozen

from smfd.config.setting import setting


def _delimiter(text: str) -> str:
    if not text or (len(text) == 1 and text in "+-=~_"):
        return ""
    return f'"{text}" is no delimiter; write one of + - = ~ _, or "" for no tags.'


@frozen
class Recipients:
    """
    Whose mail it is: tags, aliases, and what is asked of other servers.
    """

    delimiter: str = setting(
        'What the tag in user+tag@ begins with; "" for no tags. '
        "An exact address wins over one with a tag.",
        "+",
        check=_delimiter,
    )
    expansion: int = setting(
        "The most addresses that one recipient may stand for.",
        1000,
        low=1,
        high=50000,
    )
    depth: int = setting("The most aliases one behind the other.", 10, low=1, high=100)
    known_for: float = setting(
        "How long a recipient that its next hop knows is not asked for again.",
        86400.0,
        unit="seconds",
        low=0,
        high=2678400,
    )
    unknown_for: float = setting(
        "How long one that its next hop does not know is refused without asking.",
        3600.0,
        unit="seconds",
        low=0,
        high=2678400,
    )
    answers: int = setting(
        "The most such answers that are kept.", 20000, low=100, high=10000000
    )
    timeout: float = setting(
        "How long a next hop may take to answer; then the client is asked to come "
        "back.",
        20.0,
        unit="seconds",
        low=1,
        high=240,
    )
    questions: int = setting(
        "The most questions to next hops under way; half of them may be for one.",
        50,
        low=1,
        high=1000,
    )
    srs_days: int = setting(
        "For how long an answer to a rewritten sender (SRS) is taken.",
        21,
        unit="days",
        low=1,
        high=365,
    )
