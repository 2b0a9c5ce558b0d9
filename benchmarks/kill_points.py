"""
All kill points of the accept path, and on to other servers:
C{python -m benchmarks.kill_points [STEP [SHAPE...]]}.
"""

import sys

from tests.system.house import House
from tests.system.kill_points import SHAPES, USERS, Trial


def main() -> None:
    """All points, and the figures."""
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    named = sys.argv[2:] or [shape.name for shape in SHAPES]
    trial = Trial(House(USERS))
    try:
        for shape in SHAPES:
            if shape.name not in named:
                continue
            before = sum(trial.tally.points.values())
            trial.points(shape, step)
            made = sum(trial.tally.points.values()) - before
            print(f"{shape.name}: {made} points", flush=True)
        tally = trial.settle()
    finally:
        trial.remove()
    print(dict(tally.points))
    print(
        f"{sum(tally.points.values())} points, {tally.acknowledged} acknowledged: "
        f"lost {tally.lost}, partial {tally.partial}, doubled {tally.doubled}, "
        f"taken again by the next hop {tally.again}"
    )


if __name__ == "__main__":
    main()
