"""Full disks at every point: C{python -m benchmarks.full_disk [STEP]}, as root."""

import sys
import tempfile
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from tests.store.full_disk import FILES, PLACES, POINTS, FullDisk


async def _all(step: int) -> None:
    """All places, and the figures; ends with 1 when anything is wrong."""
    wrong = []
    with tempfile.TemporaryDirectory() as root:
        for place in PLACES:
            for names, points in ((False, POINTS), (True, FILES)):
                full = FullDisk(Path(root, str(names)), place, names)
                for left in range(0, points, 1 if names else step):
                    await full.point(left)
                tally, what = full.tally, "inodes" if names else "pages"
                wrong += tally.wrong
                told = f"{tally.points} points, {dict(tally.answers)}"
                print(f"{place}, {what}: {told}", flush=True)
    print("\n".join(wrong) or "lost 0, partial 0, doubled 0, all go on by themselves")
    if wrong:
        raise SystemExit(1)


def main() -> None:
    """Every point, or one of STEP."""
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    react(lambda _: Deferred.fromCoroutine(_all(step)))


if __name__ == "__main__":
    main()
