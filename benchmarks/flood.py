"""
C{python -m benchmarks.flood}: 20 good clients beside a flood from one address.

Twice: with the limits as they are preset, which turn most of the flood away,
and with the flood exempt from them, so that only the fair queue is between it
and the good.  Prints JSON.
"""

import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

from benchmarks import processes
from benchmarks.letters import RECIPIENT, SENDER, signer, workload
from benchmarks.load import Letter, Load, run, stuffed
from smfd.ctl.client import Client
from tests.system.house import House

#: Where the good come from, and the flood.
GOOD, BAD = "127.0.0.1", "127.9.9.9"

#: Connections of each.
MANY, FLOOD = 20, 50

_SETTINGS = "[dns]\noffline = true\n"


def house(
    exempt: tuple[str, ...], settings: str = "", connections: int = 3000
) -> House:
    """A house with every stage on, that counts all but these."""
    made = House(("user@example.test",), _SETTINGS + settings)
    written = made.config.read_text()
    named = json.dumps([f"{address}/32" for address in exempt])
    more = f"[mx]\nexempt = {named}\nconnections = {connections}\n"
    made.config.write_text(written.replace("[mx]\n", more, 1))
    made.start()
    # Workers come up behind the listeners.
    run(made.port, letters(GOOD, 40), MANY)
    return made


def letters(source: str, count: int | None = None) -> Iterator[Letter]:
    """A 4 KB message again and again; without a count, for ever."""
    data = stuffed(next(workload("A", signer(), 1)))
    letter = Letter(SENDER, (RECIPIENT,), data, source=source)
    return repeat(letter) if count is None else repeat(letter, count)


def _flood(port: int, seconds: float, answer: Any) -> None:
    load = run(port, letters(BAD), FLOOD, limit=seconds)
    answer.put((load.accepted, len(load.refused)))


def beside(
    made: House, count: int, progress: Callable[[Load], None] = lambda _: None
) -> tuple[dict[str, Any], Load]:
    """
    The good for a while: their figures.

    @param progress: what else goes on meanwhile.
    """
    client = Client(made.config)
    client.post("/v1/pulse", {})
    load = run(made.port, letters(GOOD, count), MANY, progress)
    figures = {
        "good": load.accepted,
        "refused": len(load.refused),
        "broken": load.broken,
        "good_a_second": round(load.accepted / load.seconds, 1),
        "p50": round(load.delay(0.5), 4),
        "p99": round(load.delay(0.99), 4),
        "worst": round(load.delay(1.0), 4),
        "stall_ms": client.post("/v1/pulse", {})["worst_ms"],
        "MB": round(processes.memory(made.pid), 1),
    }
    return figures, load


def measure(count: int, exempt: tuple[str, ...]) -> dict[str, Any]:
    """The good beside the flood."""
    made = house(exempt)
    context = multiprocessing.get_context("fork")
    answer: Any = context.Queue()
    try:
        alone, _ = beside(made, count)
        seconds = 10.0 + 6 * count / max(1.0, alone["good_a_second"])
        flood = context.Process(target=_flood, args=(made.port, seconds, answer))
        flood.start()
        time.sleep(2.0)
        begun = time.perf_counter()
        found, _ = beside(made, count)
        found["flooded_all_the_time"] = time.perf_counter() - begun < seconds - 2.0
        taken, refused = answer.get(timeout=seconds + 60)
        flood.join()
    finally:
        made.remove()
    return {"alone": alone, "beside": found, "flood": [taken, refused]}


def main() -> None:
    """Both, as JSON."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    found = {
        "limits as preset": measure(count, (GOOD,)),
        "flood exempt": measure(count, (GOOD, BAD)),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
