"""The job "content": what is thought of a message, from what is in it."""

import time
from collections.abc import Mapping
from typing import Any

from attrs import define, field

from smfd.content.eicar import examine
from smfd.content.features import read_features
from smfd.content.rules.compile import RuleSet
from smfd.content.rules.match import Hit, Matcher
from smfd.content.shape import measure


@define
class Judge:
    """Judges messages by one rule set."""

    rules: RuleSet
    matcher: Matcher = field()

    @matcher.default
    def _fresh(self) -> Matcher:
        return Matcher(self.rules)

    def judge(self, message: bytes, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """
        Judge a message.

        @param arguments: C{symbols}: names of findings before; C{sender},
            C{client}, C{helo}, C{received} (seconds since the epoch): the
            envelope, as far as it is known.
        @return: C{score}, C{hits} (C{symbol score describe evidence} each),
            C{rules} (their version), C{subject}, C{aside} (rules that were too
            slow), C{ms} (of processor time); with C{locks} among the arguments
            C{virus}: what L{examine} says.
        """
        began = time.process_time()
        seen = read_features(message, arguments)
        measure(seen)
        hits = self.matcher.run(seen, map(str, arguments.get("symbols", ())))
        said = {
            "score": round(sum(hit.score for hit in hits), 3),
            "hits": [_shown(hit) for hit in hits],
            "rules": self.rules.version,
            "subject": seen.subject[:300],
            "aside": sorted(self.matcher.aside),
            "ms": round((time.process_time() - began) * 1000, 3),
        }
        if arguments.get("locks"):
            said["virus"] = examine(message, arguments, seen.parts)
        return said


def _shown(hit: Hit) -> dict[str, Any]:
    """A hit as JSON."""
    return {
        "symbol": hit.symbol,
        "score": round(hit.score, 3),
        "describe": hit.describe,
        "evidence": hit.evidence,
    }
