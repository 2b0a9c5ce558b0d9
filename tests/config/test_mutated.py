"""No broken settings file is ever taken for a whole one."""

import re
import string
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.config import relay
from smfd.config.fault import Unusable
from smfd.config.load import read
from smfd.config.render import pages, sample
from smfd.config.reputation import ProviderLimits
from smfd.config.schema import Config
from smfd.config.setting import Declared
from smfd.config.source import SourceList

HERE = Path("/etc/smfd/smfd.toml")


def _other(name: str, key: Declared) -> Any:
    """A value that is right for a setting and is not its default."""
    assert key.setting is not None
    if key.kind is bool:
        return not key.default
    if key.kind in (int, float):
        return key.default + (-1 if key.default == key.setting.high else 1)
    if key.setting.choices:
        changed = {word for word in key.setting.choices if word != key.default}
        return key.default[:-1] if key.kind is tuple else min(changed)
    return {
        "server.hostname": "mx.example.org",
        "server.imap": "imap.example.org:9993",
        "mx.listen": ("127.0.0.1:2525", "[::1]:2525"),
        "mx.listen_tls": ("127.0.0.1:2465", "systemd:mx-tls"),
        "submission.listen": ("127.0.0.1:2587",),
        "submission.listen_tls": ("127.0.0.1:2466",),
        "submission.literals": ("192.0.2.0/24",),
        "mx.proxy": ("10.0.0.0/8",),
        "mx.exempt": ("192.0.2.0/24",),
        "source.exempt": ("192.0.2.0/24",),
        "source.forged.addresses": ("192.0.2.25",),
        "source.greylist.domains": ("home.example",),
        "lmtp.listen": ("127.0.0.1:2424", "unix:run/lmtp.sock"),
        "lmtp.networks": ("10.0.0.0/8",),
        "virus.pass_encrypted": ("home.example",),
        "virus.clamd": ("tcp:127.0.0.1:3310",),
        "dns.servers": ("127.0.0.1:5300", "::1"),
        "content.rules": ("rules",),
        "arc.trusted": ("lists.example",),
        "recipients.delimiter": "-",
        "relay.own": ("192.0.2.1",),
        "relay.networks_allowed": ("127.0.0.0/8",),
        "quota.redis.server": "tcp:127.0.0.1:6379",
        "bounce.copies": "postmaster@a.example",
        "tls_out.reports_from": "tls@b.example",
        "reputation.addresses": ("192.0.2.25",),
        "reputation.lists": ("a.example",),
        "reputation.reports_to": "dmarc@a.example",
        "reputation.reports_from": "dmarc@a.example",
        "reputation.complaints_to": "fbl@a.example",
    }.get(name, "other/place")


def _different() -> dict[str, Any]:
    """A document that sets everything, and nothing to its default."""
    document: dict[str, Any] = {}
    for page in pages():
        if page.key.many:
            continue
        node = document
        for part in page.name.split("."):
            node = node.setdefault(part, {})
        for key in page.keys:
            node[key.name] = _other(f"{page.name}.{key.name}", key)
    record = {"name": "a.example", "type": "TXT", "value": "x y"}
    document["dns"]["record"] = [record, {**record, "name": "b.example"}]
    route = {"domain": "*", "to": "smtp://127.0.0.1:2526", "tls": "verify"}
    route = {**route, "username": "us", "password_file": "tls/password"}
    document["relay"]["route"] = [route]
    source = {"address": "192.0.2.7", "hello": "out.example.org", "carries": "others"}
    document["relay"]["source"] = [source, {"address": "2001:db8::7"}]
    document["tls_out"]["site"] = [{"domain": "b.example", "policy": "verify"}]
    listed = {"zone": "a.example", "tier": 1, "kind": "allow", "at": "connect"}
    new = {"address": "2001:db8::7", "since": "2026-11-22"}
    document["reputation"]["warm_up"] = [new]
    one = {"name": "google", "hosts": ["a.example"], "per_minute": 5}
    document["reputation"]["provider"] = [one]
    document["source"]["list"] = [listed, {"zone": "b.example"}]
    document["tls"]["sni"] = [{"certificate": "a.pem", "key": "b.pem"}]
    document["scores"] = {"SPF_FAIL": 2.5, "A_1": -1}
    return document


WHOLE = sample(_different())
LINES = WHOLE.split("\n")
KEYS = [n for n, line in enumerate(LINES) if re.match(r"[a-z_]+ = ", line)]
NUMBERS = [n for n in KEYS if re.search(r" = -?[0-9.]+$", LINES[n])]
#: One value of each type, none of which is right for two kinds of settings.
VALUES = {
    "text": '"\\u0001"',
    "number": "-123456789",
    "fraction": "-0.5",
    "truth": "true",
    "list": "[1, [2]]",
    "table": "{x = 1}",
    "date": "2026-11-21",
}


def told(text: str) -> set[int]:
    """The lines in which something is wrong; empty when nothing is."""
    try:
        read(text, HERE)
    except Unusable as unusable:
        return {fault.line for fault in unusable.faults}
    return set()


def flat(node: Any, place: str = "") -> dict[str, Any]:
    """Every leaf of a document or of Config, by its dotted name."""
    if attrs.has(type(node)):
        node = {a.name: getattr(node, a.name) for a in attrs.fields(type(node))}
    if isinstance(node, Mapping):
        pairs = list(node.items())
    elif isinstance(node, list | tuple) and node and not isinstance(node[0], str):
        pairs = list(enumerate(node))
    else:
        return {place: tuple(node) if isinstance(node, list) else node}
    found: dict[str, Any] = {}
    for name, below in pairs:
        found |= flat(below, f"{place}.{name}")
    return found


class MutationTests(SynchronousTestCase):
    """From a file that sets everything, one step aside."""

    def test_whole(self) -> None:
        """The file we start from sets everything, and every setting arrives."""
        self.assertEqual(set(), told(WHOLE))
        config, default = flat(read(WHOLE, HERE)), flat(Config(path=HERE))
        same = [name for name in default if config.get(name) == default[name]]
        self.assertEqual([".path"], same)

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(KEYS), st.data())
    def test_misspelt(self, number: int, data: st.DataObject) -> None:
        """A key with one letter too many, too few or wrong is named."""
        name = LINES[number].split(" = ")[0]
        at = data.draw(st.integers(0, len(name) - 1))
        sign = data.draw(st.sampled_from(string.ascii_letters + string.digits))
        cut = data.draw(st.integers(0, 1))
        changed = name[:at] + sign + name[at + cut :]
        if changed == name:
            return
        rows = [*LINES]
        rows[number] = LINES[number].replace(name, changed, 1)
        self.assertIn(number + 1, told("\n".join(rows)), rows[number])

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(KEYS), st.sampled_from(sorted(VALUES)))
    def test_wrong_value(self, number: int, kind: str) -> None:
        """A value of another type, or out of all limits, is named."""
        name, _, value = LINES[number].partition(" = ")
        if kind == "truth" and value in ("true", "false"):
            return
        rows = [*LINES]
        rows[number] = f"{name} = {VALUES[kind]}"
        self.assertIn(number + 1, told("\n".join(rows)), rows[number])

    @settings(max_examples=100, deadline=None)
    @given(st.sampled_from(NUMBERS), st.integers(10**16, 10**30))
    def test_too_much(self, number: int, huge: int) -> None:
        """No number is without an upper limit."""
        rows = [*LINES]
        rows[number] = f"{rows[number].split(' = ')[0]} = {huge}"
        self.assertIn(number + 1, told("\n".join(rows)), rows[number])

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, len(WHOLE) - 1),
                st.integers(0, 4),
                st.text(st.sampled_from("\n\r\t #=[]{}\"'.,:-_aZ09\x00é"), max_size=3),
            ),
            min_size=1,
            max_size=3,
        )
    )
    def test_any_scratch(self, scratches: list[tuple[int, int, str]]) -> None:
        """Whatever is scratched: it is refused, or it means what it says."""
        text = WHOLE
        for at, length, put in scratches:
            text = text[:at] + put + text[at + length :]
        try:
            config = read(text, HERE)
        except Unusable as unusable:
            last = text.count("\n") + 1
            for fault in unusable.faults:
                self.assertTrue(0 <= fault.line <= last, fault)
                self.assertTrue(fault.sentence)
            return
        document = tomllib.loads(text)
        for place, name, cls in (
            ("source", "list", SourceList),
            ("reputation", "provider", ProviderLimits),
            ("relay", "route", relay.Route),
            ("relay", "source", relay.Source),
        ):
            for listed in document.get(place, {}).get(name, ()):
                for field in attrs.fields(cls):
                    listed.setdefault(field.name, field.default)
        expected = flat(Config(path=HERE)) | flat(document)
        self.assertEqual(_pruned(expected), _pruned(flat(config)))


def _pruned(leaves: dict[str, Any]) -> dict[str, Any]:
    """Without the emptiness that stands for a table with nothing in it."""
    return {name: leaf for name, leaf in leaves.items() if leaf not in ((), {})}
