"""The ARC stage: keys looked up, chains checked by a worker."""

import json
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.arc import verify
from smfd.format.authres import results, tags
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Body
from smfd.scan.arc import ARCStage
from tests.content.test_arc import FOUND, LETTER, RECORDS, sealed
from tests.scan.test_dkim import signed
from tests.scan.test_spf import ZoneResolver


class Inline:
    """The workers' promise, kept in this process: JSON in, JSON out."""

    def submit(self, job: str, body: Body, arguments: dict[str, Any]) -> Deferred[Any]:
        """Do it now."""
        assert job == "arc" and body.data is not None
        given = json.loads(json.dumps(arguments))
        return succeed(json.loads(json.dumps(verify(body.data, given))))


class StageTests(SynchronousTestCase):
    """What the stage reports."""

    def scan(
        self, data: bytes, zone: Any = None, trusted: frozenset[str] = frozenset()
    ) -> list[Finding]:
        """The findings for a message."""
        known = {name: {"TXT": [str(text).encode()]} for name, text in RECORDS.items()}
        self.resolver = ZoneResolver(known if zone is None else zone)
        stage = ARCStage(self.resolver, Inline(), {"ARC_PASS": -0.5}, 20, trusted)
        found = self.successResultOf(stage.scan(signed(data)))
        return list(found)

    def test_none(self) -> None:
        """Of most mail there is nothing to say, and nobody is asked."""
        self.assertEqual([], self.scan(LETTER))
        self.assertEqual([], self.resolver.asked)

    def test_pass(self) -> None:
        """Who sealed last is said first, and it stands in our own results."""
        (found,) = self.scan(sealed(sealed(LETTER)))
        self.assertEqual(("ARC_PASS", Result.PASS), (found.symbol, found.result))
        self.assertEqual(-0.5, found.score)
        said = tags(found.evidence)
        self.assertEqual(("home.example", "2"), (said["d"], said["count"]))
        self.assertEqual("mx;\r\n\tarc=pass", results("mx", [found]))

    def test_trusted(self) -> None:
        """Whoever we trust vouches for what passed with him, and nobody else does."""
        passed = f"{FOUND};\r\n\tdmarc=pass header.from=far.example"
        for said, trusted, wanted in (
            (passed, {"home.example"}, "dmarc"),
            (FOUND, {"home.example"}, None),
            (passed, {"far.example"}, None),
        ):
            message = sealed(LETTER, results=said)
            (found,) = self.scan(message, trusted=frozenset(trusted))
            self.assertEqual(wanted, tags(found.evidence).get("vouches"))
        changed = message.replace(b"Hi.", b"Ho.")
        (found,) = self.scan(changed, trusted=frozenset({"home.example"}))
        self.assertIsNone(tags(found.evidence).get("vouches"))

    def test_broken(self) -> None:
        """What was changed after it was sealed is suspect, and scores nothing."""
        (found,) = self.scan(sealed(LETTER).replace(b"Hi.", b"Ho."))
        self.assertEqual(("ARC_FAIL", 0.0), (found.symbol, found.score))
        self.assertIn("the body was changed", found.reason)

    def test_no_answer(self) -> None:
        """Without an answer nothing is known."""
        (found,) = self.scan(
            sealed(LETTER), {"a._domainkey.home.example": {"TXT": None}}
        )
        self.assertEqual(("ARC_TEMPERROR", Result.ERROR), (found.symbol, found.result))
