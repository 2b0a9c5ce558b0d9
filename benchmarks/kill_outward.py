"""
All kill points of what users send to the world, and of what becomes of it:
C{python -m benchmarks.kill_outward [STEP [SHAPE...]]}.
"""

import sys

from attrs import asdict

from tests.system.kill_outward import SHAPES, Trial
from tests.system.outward import Outward
from tests.system.strangers import ByDomain


def main() -> None:
    """All points, and the figures."""
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    named = sys.argv[2:] or [shape.name for shape in SHAPES]
    trial = Trial(Outward.made(ByDomain()))
    try:
        for shape in SHAPES:
            if shape.name in named:
                made = trial.points_of(shape, step)
                print(f"{shape.name}: {made} points", flush=True)
        account = trial.outward.settle()
    finally:
        trial.outward.remove()
    print(dict(trial.points))
    print(f"{trial.points.total()} points:")
    print(", ".join(f"{key} {value}" for key, value in asdict(account).items()))
    sys.exit(bool(account.faults))


if __name__ == "__main__":
    main()
