"""
Rules run over a message.

A pattern that C{re} runs gets a tenth of a second; one that needs more is put
aside, for as long as this process lives, and named in the result.
"""

import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from attrs import Factory, define, field, frozen

from smfd.content.features import Features, header_of
from smfd.content.rules.compile import Pattern, RuleSet, Target

#: Octets that C{re} is shown of a target.
_CONFIRMED = 65536

#: Octets of evidence.
_EVIDENCE = 80


@frozen
class Hit:
    """
    A rule that hit.

    @ivar evidence: what it hit, as text, cut short.
    """

    symbol: str
    score: float
    describe: str
    evidence: str = ""


class _TooSlow(Exception):
    """A pattern used up its time."""


class _Values(dict[str, float]):
    """The hits so far; what is not known did not hit."""

    def __missing__(self, name: str) -> float:
        return 0.0


# signal() spells its handler out for an error that it then hides: with the
# rules in our repr, every alarm cost milliseconds.
@define(repr=False)
class Matcher:
    """
    Runs one rule set, over one message after the other, in one thread.

    @ivar budget: seconds that C{re} may take for one pattern.
    @ivar aside: rules that took longer.
    """

    rules: RuleSet
    budget: float = 0.1
    aside: set[str] = Factory(set)
    _armed: bool = field(default=False, init=False)

    def run(self, seen: Features, symbols: Iterable[str] = ()) -> list[Hit]:
        """
        Find the rules that hit.

        @param symbols: findings of stages before, which metas may speak of.
        """
        told = (name for name in symbols if name not in self.rules.decided)
        values = _Values(dict.fromkeys(told, 1.0))
        evidence = self._matched(seen, values)
        there = (r.name for r in self.rules.exists if seen.header(r.target, "raw"))
        values.update(dict.fromkeys(there, 1.0))
        called = (rule.name for rule, call in self.rules.calls if call.hits(seen))
        values.update(dict.fromkeys(called, 1.0))
        for rule, expression in self.rules.metas:
            if value := expression.value(values):
                values[rule.name] = value
        return list(self._hits(values, evidence))

    def _matched(self, seen: Features, values: "_Values") -> dict[str, bytes]:
        """Run all patterns; returns what they hit, by rule."""
        evidence: dict[str, bytes] = {}
        for target in self.rules.targets:
            for octets in self._octets(target, seen):
                self._match(target, octets, values, evidence)
            for name in target.negated:
                values[name] = 0.0 if values[name] else 1.0
                evidence.pop(name, None)
        return evidence

    def _hits(
        self, values: Mapping[str, float], evidence: Mapping[str, bytes]
    ) -> Iterator[Hit]:
        """What is to be reported of all that hit."""
        text = self.rules.text
        for name, value in values.items():
            if not value or name.startswith("__") or name not in text.rules:
                continue
            score = self.rules.score(name)
            if not score or name in self.aside:
                continue
            times = value if "multiple" in text.tflags.get(name, ()) else 1
            found = evidence.get(name, b"").decode("utf-8", "replace")
            describe = text.describe.get(name, name)
            # A character that was cut at an end is none.
            found = " ".join(found.strip("\ufffd").split())
            yield Hit(name, score * times, describe, found)

    def _octets(self, target: Target, seen: Features) -> list[bytes]:
        """What a target's patterns look at."""
        if target.kind == "header":
            return [seen.header(*target.place)]
        if target.kind == "mimeheader":
            name = target.place[0]
            return [v for p in seen.parts.parts[:100] if (v := header_of(p, name))]
        if target.kind == "uri":
            return ["\n".join(url.text for url in seen.urls).encode("utf-8", "replace")]
        if target.kind == "full":
            return [seen.message]
        return [seen.body if target.kind == "body" else seen.rawbody]

    def _match(
        self,
        target: Target,
        octets: bytes,
        values: _Values,
        evidence: dict[str, bytes],
    ) -> None:
        """Run the patterns of a target over octets."""
        hits = [(number, 0) for number in target.unset] if not octets else []
        if target.database is not None and octets:
            target.database.scan(
                octets, lambda number, start, end, *_: hits.append((number, end))
            )
        for number, end in hits:
            pattern = target.fast[number]
            if pattern.confirm:
                self._confirm(pattern, octets, values, evidence)
            elif pattern.rule.name not in evidence:
                values[pattern.rule.name] = 1.0
                evidence[pattern.rule.name] = octets[max(0, end - _EVIDENCE) : end]
        for pattern in target.slow:
            self._confirm(pattern, octets, values, evidence)

    def _confirm(
        self,
        pattern: Pattern,
        octets: bytes,
        values: _Values,
        evidence: dict[str, bytes],
    ) -> None:
        """Let C{re} decide, within its time."""
        rule = pattern.rule
        if rule.name in self.aside or rule.name in evidence:
            return
        octets = (octets or rule.unset.encode())[:_CONFIRMED]
        count = 0
        try:
            with self._alarm():
                for match in pattern.regex.finditer(octets):
                    evidence.setdefault(rule.name, match[0][:_EVIDENCE])
                    count += 1
                    if count >= pattern.most:
                        break
        except _TooSlow:
            self.aside.add(rule.name)
            count = 0
        if count:
            values[rule.name] = float(count)

    @contextmanager
    def _alarm(self) -> Iterator[None]:
        """Interrupt what takes too long; C{re} looks for signals as it goes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGALRM, self._ring)
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, self.budget)
        try:
            yield
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _ring(self, number: int, frame: object) -> None:
        if self._armed:
            raise _TooSlow
