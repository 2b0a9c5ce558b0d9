"""The DKIM stage: keys looked up, signatures checked by a worker."""

import json
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.signatures import verify
from smfd.format.authres import tags
from smfd.format.header import Field, Header
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Body, Transaction
from smfd.scan.dkim import DKIMStage
from tests.content.test_signatures import EXPECTED, MESSAGE, vector, vector_keys
from tests.scan.test_spf import ZoneResolver, transaction


class Inline:
    """The workers' promise, kept in this process: JSON in, JSON out."""

    def submit(self, job: str, body: Body, arguments: dict[str, Any]) -> Deferred[Any]:
        """Do it now."""
        assert job == "dkim" and body.data is not None
        given = json.loads(json.dumps(arguments))
        return succeed(json.loads(json.dumps(verify(body.data, given))))


def signed(data: bytes) -> Transaction:
    """A message on its way, its header read."""
    head = data.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    fields = []
    for line in head.replace(b"\r\n\t", b" ").split(b"\r\n"):
        name, _, value = line.partition(b":")
        fields.append(Field(name.decode("ascii", "replace"), value, 0, 0))
    work = transaction("192.0.2.1", "a@example.org", "x")
    return evolve(work, body=Body(len(data), data), header=Header(tuple(fields), 0))


class StageTests(SynchronousTestCase):
    """What the stage reports."""

    def setUp(self) -> None:
        zone: dict[str, Any] = {
            name: {"TXT": [text.encode()]} for name, text in vector_keys().items()
        }
        self.resolver = ZoneResolver(zone)

    def scan(self, data: bytes, **more: Any) -> list[Finding]:
        """The findings for a message."""
        stage = DKIMStage(self.resolver, Inline(), **more)
        found = self.successResultOf(stage.scan(signed(data)))
        return list(found)

    def test_vectors(self) -> None:
        """Every vector, from the look-up to the finding."""
        for name, expected in EXPECTED.items():
            found = [f.symbol for f in self.scan(vector(name))]
            wanted = [f"DKIM_{r.upper()}" for r in expected] or ["DKIM_NONE"]
            self.assertEqual(wanted, found, name)

    def test_evidence(self) -> None:
        """A pass says whose it is, first of all."""
        (found,) = self.scan(vector("mimekit/gmail.msg"))
        self.assertTrue(found.evidence.startswith("d=gmail.com s=20120113"))
        self.assertEqual("2048", tags(found.evidence)["bits"])
        self.assertIs(Result.PASS, found.result)

    def test_scores_once(self) -> None:
        """Ten signatures score like one."""
        scores = {"DKIM_PASS": -1.0}
        found = self.scan(vector("mimekit/rfc8463-example.msg"), scores=scores)
        self.assertEqual([-1.0, 0.0], [f.score for f in found])

    def test_unsigned(self) -> None:
        """A message without a signature asks nobody."""
        (found,) = self.scan(MESSAGE, scores={"DKIM_NONE": 0.1})
        self.assertEqual(("DKIM_NONE", 0.1), (found.symbol, found.score))
        self.assertEqual([], self.resolver.asked)

    def test_no_key(self) -> None:
        """No key is permanent, no answer is for now."""
        self.resolver.zone.clear()
        (found,) = self.scan(vector("mimekit/gmail.msg"))
        self.assertEqual("DKIM_PERMERROR", found.symbol)
        self.resolver.zone["20120113._domainkey.gmail.com"] = {"*": None}
        (found,) = self.scan(vector("mimekit/gmail.msg"))
        self.assertEqual("DKIM_TEMPERROR", found.symbol)
        self.assertIs(Result.ERROR, found.result)
        self.assertEqual("gmail.com", tags(found.evidence)["d"])

    def test_many(self) -> None:
        """Fifty signatures by fifty domains are ten look-ups."""
        field = (
            b"DKIM-Signature: v=1; a=rsa-sha256; d=d%d.example; s=s; h=from; b=AA\r\n"
        )
        data = b"".join(field % n for n in range(50)) + MESSAGE
        self.assertEqual(10, len(self.scan(data)))
        self.assertEqual(10, len(self.resolver.asked))
