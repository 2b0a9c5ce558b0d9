"""What a request may carry, read with limits."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from attrs import frozen

from smfd.model.directory import Refused

_LONGEST = 4096
#: The most members of an array.
_MOST = 1000
#: And of an object.
_MEMBERS = 100


@frozen
class Field:
    """
    One parameter of the query, or one member of the body.

    @ivar kind: its JSON type: "string", "number", "integer", "boolean", "object":
        of strings, lists of strings, yes, no and nothing; or "array".
    @ivar items: what the members of an array are, "string" or "object".
    """

    kind: str = "string"
    required: bool = False
    items: str = "string"

    def from_query(self, name: str, text: str) -> Any:
        """Its value from a query; text is all there is."""
        if self.kind == "string":
            return _text(name, text)
        try:
            value = json.loads(text[:40])
        except ValueError:
            value = None
        return self.from_json(name, value)

    def from_json(self, name: str, value: Any) -> Any:
        """Its value from a JSON body."""
        if self.kind == "string" and isinstance(value, str):
            return _text(name, value)
        if self.kind == "array":
            read = _objects if self.items == "object" else _texts
            return read(name, value)
        if self.kind == "object":
            return _object(name, value)
        if self.kind == "boolean" and isinstance(value, bool):
            return value
        if not self._is_number(value):
            self._wrong(name)
        return float(value) if self.kind == "number" else value

    def _is_number(self, value: Any) -> bool:
        """A number of our kind; none so large that it is not exact."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        kinds = {"number": int | float, "integer": int}
        wanted = kinds.get(self.kind)
        return wanted is not None and isinstance(value, wanted) and abs(value) < 2**53

    def _wrong(self, name: str) -> NoReturn:
        article = "an" if self.kind == "integer" else "a"
        raise Refused("invalid", f"{name} must be {article} {self.kind}.")


TEXT = Field()
NEEDED = Field(required=True)
TEXTS = Field("array", required=True)
SOME = Field("array")
TABLE = Field("object", required=True)
TABLES = Field("array", required=True, items="object")
FLAG = Field("boolean")
NUMBER = Field("number")
PAGE: Mapping[str, Field] = {
    "limit": Field("integer"),
    "offset": Field("integer"),
}


def from_query(fields: Mapping[str, Field], given: Mapping[str, str]) -> dict[str, Any]:
    """Read a query; a parameter that nobody knows is refused."""
    _check_names(fields, given)
    return {name: fields[name].from_query(name, text) for name, text in given.items()}


def from_json(fields: Mapping[str, Field], data: bytes) -> dict[str, Any]:
    """Read a body: one JSON object, or nothing."""
    try:
        given = json.loads(data, parse_constant=_no_constant) if data else {}
    except (ValueError, RecursionError):
        raise Refused("invalid", "The body is not JSON.") from None
    if not isinstance(given, dict):
        raise Refused("invalid", "The body must be a JSON object.")
    _check_names(fields, given)
    return {name: fields[name].from_json(name, value) for name, value in given.items()}


def _check_names(fields: Mapping[str, Field], given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in fields:
            known = ", ".join(sorted(fields)) or "nothing"
            raise Refused("invalid", f"{name[:40]!r} is unknown.", f"Known: {known}.")
    for name, field in fields.items():
        if field.required and name not in given:
            raise Refused("invalid", f"{name} is missing.")


def _text(name: str, value: str) -> str:
    if len(value) > _LONGEST:
        raise Refused("invalid", f"{name} is longer than {_LONGEST} characters.")
    # Half a surrogate pair is no character, and neither disk nor log takes it.
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        raise Refused("invalid", f"{name} is not text.")
    return value


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise Refused("invalid", f"{name} must be a list of strings.")
    if len(value) > _MOST:
        raise Refused("invalid", f"{name} has more than {_MOST} members.")
    return [_text(name, text) for text in value]


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > _MEMBERS:
        raise Refused("invalid", f"{name} must be an object of few members.")
    return {
        _text(name, key): _member(f"{name}: {key[:40]}", member)
        for key, member in value.items()
    }


def _member(name: str, value: Any) -> Any:
    """A member of an object, which has no objects in it."""
    if value is None or isinstance(value, int):
        return value
    return _text(name, value) if isinstance(value, str) else _texts(name, value)


def _objects(name: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > _MOST:
        raise Refused("invalid", f"{name} must be a list of at most {_MOST} objects.")
    return [_object(f"{name} {number}", one) for number, one in enumerate(value, 1)]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
