"""
Users send to strangers, and smfd is killed again and again:
C{python -m benchmarks.kill_loop [KILLS [SEED]]}.

Twenty sessions; of a hundred transactions the strangers put off ten and hang up
after the dot of two, and some recipients do not exist.
"""

import sys
from random import Random

from attrs import asdict

from tests.system.kill_loop import Loop
from tests.system.outward import Outward
from tests.system.strangers import ByChance


def main() -> None:
    """Kill, let it come to rest, and print what became of all."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    outward = Outward.made(ByChance(Random(seed)))
    loop = Loop(outward, seed=seed)
    try:
        loop.run(kills)
        account = outward.settle(600.0)
    finally:
        outward.remove()
    letters = f"{outward.letters} letters acknowledged of {len(outward.sent)}"
    print(f"{loop.kills} kills, {letters}")
    print(f"ready again after {loop.slowest:.1f} s at most")
    for name, value in asdict(account).items():
        print(f"{name:<16}{value:>8}")
    sys.exit(bool(account.faults))


if __name__ == "__main__":
    main()
