"""
C{python -m benchmarks.searching}: 20 good clients while somebody searches.

The records of the good are searched by recipient, sender and subject, one
search after the other, as fast as they are answered.  Prints JSON.
"""

import json
import multiprocessing
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.flood import GOOD, beside, house
from benchmarks.letters import RECIPIENT, SENDER
from smfd.ctl.client import Client

_WANTED = (
    {"recipient": RECIPIENT},
    {"sender": SENDER, "verdict": "clean"},
    {"subject": "order week", "limit": "500"},
    {"sender": "nobody@"},
)


def _search(config: Path, seconds: float, answer: Any) -> None:
    client, delays = Client(config), []
    end = time.perf_counter() + seconds
    for wanted in cycle(_WANTED):
        begun = time.perf_counter()
        if begun > end:
            break
        client.get("/v1/trace", wanted)
        delays.append(time.perf_counter() - begun)
    answer.put(sorted(delays))


def measure(count: int) -> dict[str, Any]:
    """The good alone, and beside the searches."""
    made = house((GOOD,))
    context = multiprocessing.get_context("fork")
    answer: Any = context.Queue()
    try:
        alone, _ = beside(made, count)
        seconds = 2.0 + 3 * count / max(1.0, alone["good_a_second"])
        search = context.Process(target=_search, args=(made.config, seconds, answer))
        search.start()
        found, _ = beside(made, count)
        delays = answer.get(timeout=seconds + 60)
        search.join()
    finally:
        made.remove()
    searches = {
        "a_second": round(len(delays) / seconds, 1),
        "p50": round(delays[len(delays) // 2], 4),
        "p99": round(delays[int(len(delays) * 0.99)], 4),
    }
    return {"alone": alone, "beside": found, "searches": searches}


def main() -> None:
    """As JSON."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(json.dumps(measure(count), indent=1))


if __name__ == "__main__":
    main()
