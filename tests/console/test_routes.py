"""Tests for L{smfd.console.routes}, L{smfd.console.router} and the fields."""

import inspect
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.console.fields import Field, from_json, from_query
from smfd.console.router import Astray, Routed, find
from smfd.console.routes import ROUTES
from smfd.model.directory import Refused

DESCRIPTION = Path(smfd.__file__).parents[1] / "docs" / "api.yaml"


class DescriptionTests(SynchronousTestCase):
    """C{docs/api.yaml} says what there is, and no more."""

    def setUp(self) -> None:
        """Read it."""
        self.document: dict[str, Any] = yaml.safe_load(DESCRIPTION.read_text())
        self.operations = {
            (method.upper(), path): operation
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }

    def test_routes(self) -> None:
        """Every route is described, and nothing else is."""
        self.assertEqual("3.1.0", self.document["openapi"])
        routes = [(route.method, route.path) for route in ROUTES]
        self.assertEqual(set(routes), set(self.operations))
        self.assertEqual(len(routes), len(set(routes)))

    def test_parameters(self) -> None:
        """Path, query and body have the names and types that are described."""
        for route in ROUTES:
            operation = self.operations[route.method, route.path]
            described = {
                (p["in"], p["name"], p["schema"]["type"])
                for p in operation.get("parameters", ())
            }
            path = {
                ("path", part[1:-1], "string")
                for part in route.path.split("/")
                if part.startswith("{")
            }
            query = {("query", name, f.kind) for name, f in route.query.items()}
            self.assertEqual(path | query, described, route.path)
            self.assertEqual(
                {name: (f.kind, f.required) for name, f in route.body.items()},
                _members(operation),
                route.path,
            )

    def test_arguments(self) -> None:
        """What a route passes on is what its use case takes."""
        for route in ROUTES:
            taken = inspect.signature(route.act).parameters
            arguments = {p[1:-1] for p in route.path.split("/") if p.startswith("{")}
            arguments |= {*route.query, *route.body}
            self.assertEqual(arguments, set(taken) - {"house", "actor"}, route.path)
            needed = {
                n for n, p in taken.items() if p.default is inspect.Parameter.empty
            }
            required = {n for n, f in route.body.items() if f.required}
            in_path = {p[1:-1] for p in route.path.split("/") if p.startswith("{")}
            self.assertEqual(needed - {"house", "actor"}, required | in_path)

    def test_get_never_acts(self) -> None:
        """GET only looks: nothing that changes has a body-less door."""
        acts = [route.act for route in ROUTES if route.method == "GET"]
        looking = {getattr(act, "__name__", type(act).__name__) for act in acts}
        names = {"page", "show", "search", "status", "account"}
        self.assertEqual({*names, "OfDomains", "OfReports"}, looking)
        for route in ROUTES:
            if route.method == "GET":
                self.assertEqual({}, dict(route.body))

    def test_references(self) -> None:
        """Every reference leads somewhere."""
        for reference in _references(self.document):
            found: Any = self.document
            for part in reference.removeprefix("#/").split("/"):
                found = found[part]
            self.assertTrue(found)


class RouterTests(SynchronousTestCase):
    """Which route a path means."""

    def test_arguments(self) -> None:
        """Arguments stand in the path, percent-encoded."""
        found = find(ROUTES, "GET", "/v1/users/a%2Fb@c.example")
        assert isinstance(found, Routed)
        self.assertEqual({"address": "a/b@c.example"}, found.arguments)

    def test_astray(self) -> None:
        """Another path is nothing; another method says what would do."""
        for path in "/", "", "/v1", "/v1/users/", "/v1/status/", "//v1/status":
            self.assertEqual(Astray(), find(ROUTES, "GET", path))
        self.assertEqual(Astray(("GET", "POST")), find(ROUTES, "DELETE", "/v1/domains"))

    @given(st.text(max_size=60), st.text(max_size=8))
    def test_any(self, path: str, method: str) -> None:
        """Any path and method lead somewhere or astray."""
        find(ROUTES, method, f"/v1/{path}")


class FieldTests(SynchronousTestCase):
    """What a request may carry."""

    FIELDS = {
        "text": Field(),
        "flag": Field("boolean"),
        "whole": Field("integer"),
        "number": Field("number"),
    }

    def test_values(self) -> None:
        """Each kind takes its own values."""
        self.assertEqual(
            {"text": "é", "flag": True, "whole": 3, "number": 2.5},
            from_json(
                self.FIELDS, b'{"text":"\\u00e9","flag":true,"whole":3,"number":2.5}'
            ),
        )
        self.assertEqual(
            {"text": "1", "flag": False, "whole": -3, "number": 2.0},
            from_query(
                self.FIELDS,
                {"text": "1", "flag": "false", "whole": "-3", "number": "2"},
            ),
        )
        self.assertEqual({}, from_json(self.FIELDS, b""))

    def test_lists(self) -> None:
        """A list of strings, of no more members than it may have."""
        fields = {"all": Field("array")}
        self.assertEqual({"all": ["a", "b"]}, from_json(fields, b'{"all":["a","b"]}'))
        many = b'{"all":[' + b",".join([b'""'] * 1001) + b"]}"
        for body in b'{"all":"a"}', b'{"all":[1]}', b'{"all":[["a"]]}', many:
            self.assertRaises(Refused, from_json, fields, body)

    def test_objects(self) -> None:
        """An object of plain members, and a list of such."""
        fields = {"one": Field("object"), "all": Field("array", items="object")}
        self.assertEqual(
            {"one": {"a": ["b"], "c": None, "d": True, "e": 5}, "all": [{"a": "b"}]},
            from_json(
                fields,
                b'{"one":{"a":["b"],"c":null,"d":true,"e":5},"all":[{"a":"b"}]}',
            ),
        )
        many = ",".join(f'"{n}":""' for n in range(101)).encode()
        for body in (
            b'{"one":[]}',
            b'{"one":{"a":1.5}}',
            b'{"one":{"a":{"b":"c"}}}',
            b'{"one":{"a":"\\ud800"}}',
            b'{"one":{"\\ud800":"a"}}',
            b'{"one":{' + many + b"}}",
            b'{"all":["a"]}',
            b'{"all":[' + b",".join([b"{}"] * 1001) + b"]}",
        ):
            self.assertRaises(Refused, from_json, fields, body)
        # Of hundreds of rules somebody has to find that one.
        with self.assertRaises(Refused) as no:
            from_json(fields, b'{"all":[{"a":"b"},{"a":"b","c":{}}]}')
        self.assertEqual("all 2: c must be a list of strings.", no.exception.sentence)

    def test_mistakes(self) -> None:
        """Anything else is refused with a sentence."""
        for body in (
            b"{",
            b"[]",
            b"1",
            b"\xff",
            b"[" * 100_000,
            b'{"text":1}',
            b'{"text":"\\ud800"}',
            b'{"text":"' + b"x" * 4097 + b'"}',
            b'{"flag":1}',
            b'{"flag":"true"}',
            b'{"whole":1.5}',
            b'{"whole":true}',
            b'{"whole":' + b"9" * 400 + b"}",
            b'{"number":NaN}',
            b'{"number":1e999}',
            b'{"number":' + b"9" * 4000 + b"}",
            b'{"number":' + b"9" * 5000 + b"}",
            b'{"txet":""}',
        ):
            no = self.assertRaises(Refused, from_json, self.FIELDS, body)
            self.assertEqual("invalid", no.kind, body[:40])
        for query in {"whole": "x"}, {"flag": "yes"}, {"number": ""}, {"more": "1"}:
            self.assertRaises(Refused, from_query, self.FIELDS, query)

    def test_required(self) -> None:
        """What must be there is asked for by name."""
        no = self.assertRaises(Refused, from_json, {"a": Field(required=True)}, b"")
        self.assertEqual("a is missing.", no.sentence)

    @given(st.binary(max_size=200))
    def test_any_body(self, body: bytes) -> None:
        """Any octets are a body or are refused."""
        try:
            from_json(self.FIELDS, body)
        except Refused as no:
            self.assertEqual("invalid", no.kind)


def _members(operation: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    if "requestBody" not in operation:
        return {}
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    required = schema.get("required", ())
    return {
        name: (member["type"], name in required)
        for name, member in schema["properties"].items()
    }


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for one in value for found in _references(one)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if "$ref" in value else []
    return own + [found for one in value.values() for found in _references(one)]
