"""Corpus messages through smfd to a Postfix: C{python -m benchmarks.relay [COUNT]}."""

import sys
import time

from tests.system.house import House
from tests.system.peers import Postfix
from tests.system.relayed import SETTINGS, compare, send

#: Messages of all archives together.
ALL = 11_000


def main() -> None:
    """Send, compare, and print the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    postfix, house = Postfix(), House((), SETTINGS)
    try:
        postfix.start()
        house.start()
        hop = ("--next-hop", f"smtp://127.0.0.1:{postfix.port}", "--verify", "callout")
        house.ctl("domain", "add", "far.test", "--kind", "relay", *hop)
        begun = time.monotonic()
        account = send(house.port, count, max(1, ALL // count), "user@far.test")
        compare(account, house, postfix)
        seconds = time.monotonic() - begun
    finally:
        house.remove()
        postfix.remove()
    print(
        f"{account.sent} sent in {seconds:.0f} s, {len(account.accepted)} accepted, "
        f"{account.arrived} arrived, {account.held} held, "
        f"{len(account.altered)} altered, difference {account.difference}"
    )


if __name__ == "__main__":
    main()
