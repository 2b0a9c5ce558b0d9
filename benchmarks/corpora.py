"""
Public archives through a running server: C{python -m benchmarks.corpora [--clamd]}.

Sends every message over SMTP, 20 connections at a time, and accounts for each:
accepted = delivered + quarantined.  Prints what was refused and why, the worst
stall, and what the daemon called spam.  C{--every N} takes each n-th message.
"""

import argparse
import tempfile
from pathlib import Path

from tests.clamd import RealClamd
from tests.system.corpora import (
    ALLOWS,
    BLOCKS,
    NEUTRAL,
    SETTINGS,
    Account,
    samples,
    send,
    with_clamd,
)
from tests.system.house import House

#: Seconds after which the run is given up.
LIMIT = 1800.0


def show(account: Account) -> None:
    """The account as a table."""
    load = account.load
    print(
        f"{account.sent} sent in {load.seconds:.0f} s, "
        f"{account.sent / load.seconds:.0f} a second; p99 {load.delay(0.99):.2f} s, "
        f"worst stall {account.stall:.0f} ms, tracebacks {account.tracebacks}, "
        f"broken connections {load.broken}"
    )
    refused = sum(len(names) for names in account.refused.values())
    print(
        f"{load.accepted} accepted, {refused} refused; copies: {account.copies} = "
        f"{account.delivered} delivered + {account.quarantined} quarantined, "
        f"difference {account.difference}"
    )
    for reply, names in sorted(account.refused.items(), key=lambda i: -len(i[1])):
        print(f"{len(names):6} {reply}    such as {names[0]}")
    print("archive                      kind     judged   held  what for")
    for (archive, kind), counter in sorted(account.judged.items()):
        judged = counter.total()
        held = judged - counter["clean"]
        why = ", ".join(f"{n} {k}" for k, n in counter.items() if k != "clean")
        print(f"{archive:28} {kind:5} {judged:9} {held / judged:6.2%}  {why}")


def main() -> None:
    """Everything once."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--clamd", action="store_true", help="scan with a real clamd")
    given.add_argument("--every", type=int, default=1, help="each n-th message only")
    wanted = given.parse_args()
    with tempfile.TemporaryDirectory(prefix="smfd-clamd-") as folder:
        clamd = RealClamd(Path(folder), limit=50_000_000)
        if wanted.clamd:
            clamd.start()
        settings = with_clamd(clamd) if wanted.clamd else SETTINGS
        house = House((NEUTRAL, ALLOWS, BLOCKS), settings)
        try:
            house.start()
            show(send(house, samples(wanted.every), LIMIT))
        finally:
            house.remove()
            clamd.stop()


if __name__ == "__main__":
    main()
