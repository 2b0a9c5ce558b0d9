"""
Rules as documents: what is stored, sent by the API and written in TOML.

One flat table: C{name}, the conditions by what they are about, with C{not_} for
what must not be so, C{action}, and what the action needs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from smfd.model.rule import ACTIONS, LAST, Condition, Rule
from smfd.policy.lists import parse_pattern
from smfd.policy.rule_fields import FIELDS

#: How many values one condition, how many approvers one rule may have.
_MOST = 1000
_FEW = 20
_LONGEST_NAME = 60
_LONGEST_TEXT = 200
_LONGEST_NOTE = 1000

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,70}): ([!-~][ -~]{0,400})")
#: RFC 5322 §3.6, RFC 5321 §4.4, RFC 6376, RFC 8601: others' to write.
_NOT_OURS = re.compile(
    r"(?:from|sender|reply-to|to|cc|bcc|date|message-id|in-reply-to|references"
    r"|subject|received|return-path|delivered-to|mime-version|content-.*|resent-.*"
    r"|dkim-signature|authentication-results|arc-.*|x-smfd-.*|x-spam-.*|x-virus-.*"
    r"|auto-submitted)",
    re.IGNORECASE,
)

_CONDITIONS = (*FIELDS, *(f"not_{name}" for name in FIELDS))
#: What an action cannot do without.
_NEEDS = {
    "hold": "approvers",
    "redirect": "redirect",
    "add-header": "add_header",
    "notify": "notify",
}
#: What that is.
_WHAT = {
    "approvers": "who may let it through",
    "redirect": "who gets it instead",
    "add_header": "the line to put on top",
    "notify": "who is told",
}
#: What no other action may have.
_ONLY = {"hold": "approvers", "redirect": "redirect", "reject": "text"}
#: What is called otherwise in a rule.
_KEPT = {"add_header": "header"}
#: All that a rule may have, as it is written.
KEYS = (
    *("name", "enabled", "note", *_CONDITIONS, "action", "text", "redirect"),
    *("approvers", "add_header", "notify"),
)


def read_rule(document: Mapping[str, Any]) -> Rule:
    """
    Read a rule.

    @raise ValueError: with a sentence that says what is wrong.
    """
    for key in document:
        if key not in KEYS:
            near = get_close_matches(str(key), KEYS, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ValueError(f"A rule has no {str(key)[:40]!r}.{hint}")
    rule = Rule(
        _name(document),
        tuple(_conditions(document)),
        _action(document),
        _text(document, "text", _LONGEST_TEXT),
        _address(document.get("redirect", "")),
        tuple(_address(text) for text in _texts(document, "approvers", _FEW)),
        _header(document),
        tuple(_address(text) for text in _texts(document, "notify", _FEW)),
        _flag(document, "enabled", True),
        _text(document, "note", _LONGEST_NOTE, plain=False),
    )
    _check_action(rule)
    return rule


def write_rule(rule: Rule) -> dict[str, Any]:
    """The document of a rule, without what is as usual."""
    document: dict[str, Any] = {"name": rule.name}
    if not rule.enabled:
        document["enabled"] = False
    if rule.note:
        document["note"] = rule.note
    for condition in rule.conditions:
        document[condition.key] = list(condition.values)
    document["action"] = rule.action
    for key, value in (
        ("text", rule.text),
        ("redirect", rule.redirect),
        ("approvers", list(rule.approvers)),
        ("add_header", rule.header),
        ("notify", list(rule.notify)),
    ):
        if value:
            document[key] = value
    return document


def described(rule: Rule) -> str:
    """What it matches, for people: C{to group:board, not from boss@example.org}."""
    said = (
        f"{condition.key.replace('_', ' ')} {' or '.join(condition.values[:5])}"
        + (" ..." if len(condition.values) > 5 else "")
        for condition in rule.conditions
    )
    return ", ".join(said) or "everything"


def _name(document: Mapping[str, Any]) -> str:
    name = _string(document, "name").strip().lower()
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ValueError(
            f"A rule's name has 1 to {_LONGEST_NAME} letters, digits and ._-, and"
            " begins with none of these marks."
        )
    if name == LAST:
        raise ValueError(f"{LAST!r} is the rule that is always there: allow.")
    return name


def _conditions(document: Mapping[str, Any]) -> Iterator[Condition]:
    for key in _CONDITIONS:
        if key not in document:
            continue
        values = _texts(document, key, _MOST)
        negated = key.startswith("not_")
        about = key.removeprefix("not_")
        try:
            parsed = dict.fromkeys(FIELDS[about].parse(text) for text in values)
        except ValueError as wrong:
            raise ValueError(f"{key}: {wrong}") from None
        if parsed:
            yield Condition(about, tuple(parsed), negated)


def _action(document: Mapping[str, Any]) -> str:
    action = _string(document, "action").strip().lower().replace("_", "-")
    if action not in ACTIONS:
        raise ValueError(
            f"{action[:40]!r} is no action. There are: {', '.join(ACTIONS)}."
        )
    return action


def _check_action(rule: Rule) -> None:
    for action, key in _NEEDS.items():
        if rule.action == action and not getattr(rule, _KEPT.get(key, key)):
            raise ValueError(f"The action {action} needs {key}: {_WHAT[key]}.")
    for action, key in _ONLY.items():
        if rule.action != action and getattr(rule, key):
            raise ValueError(f"Only the action {action} has {key}.")
    if rule.header and rule.action == "reject":
        raise ValueError("What is rejected gets no header.")


def _header(document: Mapping[str, Any]) -> str:
    line = _string(document, "add_header").strip()
    if not line:
        return ""
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(
            "add_header is one line of ASCII, like X-Internal: yes; at most 400"
            " characters."
        )
    if _NOT_OURS.fullmatch(found[1]):
        raise ValueError(f"A rule cannot write the field {found[1]}.")
    return line


def _address(text: str) -> str:
    if not text:
        return ""
    if not isinstance(text, str):
        raise ValueError("An address is a string.")
    pattern = parse_pattern(text)
    if not pattern.local:
        raise ValueError(f"{text[:80]!r} is not an address.")
    return str(pattern)


def _text(
    document: Mapping[str, Any], key: str, longest: int, plain: bool = True
) -> str:
    text = _string(document, key).strip()
    fit = text.isascii() and text.isprintable() if plain else True
    if len(text) > longest or not fit:
        kind = "printable ASCII characters" if plain else "characters"
        raise ValueError(f"{key} has at most {longest} {kind}.")
    return text


def _string(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"{key} must be a string.")
    return value


def _flag(document: Mapping[str, Any], key: str, default: bool) -> bool:
    value = document.get(key, default)
    if not isinstance(value, bool):
        raise ValueError(f"{key} must be true or false.")
    return value


def _texts(document: Mapping[str, Any], key: str, most: int) -> Sequence[str]:
    """One string, or a list of them; a number is as good as its digits."""
    value = document.get(key, ())
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        value = (value,) if value else ()
    if not isinstance(value, list | tuple):
        raise ValueError(f"{key} must be a list of strings.")
    if not all(isinstance(text, str) for text in value):
        raise ValueError(f"{key} must be a list of strings.")
    if len(value) > most:
        raise ValueError(f"{key} has more than {most} members.")
    return value
