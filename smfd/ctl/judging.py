"""The daemon's road for one message in a file, and then the end."""

import re
import time
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from smfd.config.schema import Config
from smfd.format.header import read_header
from smfd.model.envelope import Envelope, Forward
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.model.verdict import Verdict
from smfd.proto.address import Address, parse_path
from smfd.proto.reply import Malformed
from smfd.scan.stages import chain, policy, stages
from smfd.store.directory import Directory
from smfd.store.threads import Threads

_RECIPIENT = Address("recipient", "scan.invalid")


@frozen
class Letter:
    """
    A message in a file, and what is said of its envelope.

    @ivar sender: the envelope sender; "" takes the one in Return-Path.
    """

    file: Path
    client: str
    sender: str
    helo: str

    def wire(self) -> bytes:
        """The message as SMTP would have carried it."""
        data = self.file.read_bytes()
        # An mbox begins each message with a line that is none of its header.
        data = re.sub(rb"\AFrom [^\n]*\n", b"", data)
        # Not by an expression: that would keep each line of a large file at once.
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data.replace(b"\n", b"\r\n")

    def transaction(self) -> Transaction:
        """As if it came in now."""
        data = self.wire()
        header = read_header(data)
        return Transaction(
            "scan",
            Flow.INBOUND,
            time.time(),
            Session("scan", self.client, 0, time.time(), self.helo, True),
            Envelope("scan", self._sender(header.first("return-path")), _forwards()),
            Body(len(data), data),
            header,
        )

    def _sender(self, return_path: bytes) -> Address | None:
        text = self.sender or return_path.decode("ascii", "replace").strip(" <>")
        try:
            return parse_path(text) if text else None
        except Malformed:
            return None


def _forwards() -> tuple[Forward, ...]:
    return (Forward(_RECIPIENT),)


def judge(config: Config, letter: Letter) -> tuple[Transaction, Verdict]:
    """Run the stages over it, and decide; the reactor is spent afterwards."""
    clock: Any = reactor
    ended: list[Any] = []

    def begin() -> None:
        d = Deferred.fromCoroutine(_judge(config, letter, clock))
        d.addBoth(ended.append)
        d.addBoth(lambda _: clock.stop())

    clock.callWhenRunning(begin)
    clock.run()
    (judged,) = ended
    if isinstance(judged, Failure):
        judged.raiseException()
    found: tuple[Transaction, Verdict] = judged
    return found


async def _judge(
    config: Config, letter: Letter, clock: Any
) -> tuple[Transaction, Verdict]:
    # No stage that reads the directory is among them.
    hands = Threads(clock, "clamd")
    hands.start()
    scan = stages(config, Directory(config.home / "directory.db", clock), hands, clock)
    house = MultiService()
    for service in scan.services:
        service.setServiceParent(house)
    house.startService()
    judging = policy(config)
    try:
        looked = await chain(config, scan, clock).run(letter.transaction())
    finally:
        stopped = house.stopService()
        if stopped is not None:
            await stopped
        hands.stop()
    transaction = judging.weigh(looked)
    return transaction, judging.decide(transaction, {})
