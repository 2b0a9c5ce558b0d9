"""
How our own rules do on public archives: python benchmarks/score_corpora.py FOLDER.

FOLDER holds unpacked archives, each with C{ham} and C{spam}.  Verdict headers
of other filters are taken out first.  Prints, for each archive, what is called
spam among ham and not among spam, and what single rules do.
"""

import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from smfd.content.judge import Judge
from smfd.content.rules.compile import load_rules
from tests.system.corpora import cleaned


def main(folder: str, threshold: float = 5.0) -> None:
    """Score all, print a table."""
    rules = Path(__file__).parents[1] / "etc" / "rules.d"
    judge = Judge(load_rules(str(rules)))
    hits: dict[str, Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    wrong: list[tuple[float, str, list[str]]] = []
    for archive in sorted(p for p in Path(folder).iterdir() if p.is_dir()):
        called: Counter[str] = Counter()
        for path in sorted(archive.glob("*am/*")):
            label = path.parent.name
            kind = "hard" if path.name.startswith("hard-ham") else label
            said: dict[str, Any] = judge.judge(cleaned(path.read_bytes()), {})
            called[kind] += 1
            called[kind + "+"] += said["score"] >= threshold
            totals[label] += 1
            names = [hit["symbol"] for hit in said["hits"]]
            for name in names:
                hits[name][label] += 1
            if label == "ham" and said["score"] >= threshold and kind != "hard":
                wrong.append((said["score"], str(path), names))
        shares = (
            f"{kind} {called[kind + '+']}/{called[kind]} "
            f"= {100 * called[kind + '+'] / called[kind]:.2f} %"
            for kind in ("ham", "hard", "spam")
            if called[kind]
        )
        print(f"{archive.name:28} called spam: {'; '.join(shares)}")
    if "-v" in sys.argv:
        details(judge, hits, totals, wrong)


def details(
    judge: Judge,
    hits: dict[str, Counter[str]],
    totals: Counter[str],
    wrong: list[tuple[float, str, list[str]]],
) -> None:
    """Print what each rule does, in percent of spam and ham, and what errs."""
    for name, counter in sorted(hits.items(), key=lambda item: -item[1]["spam"]):
        spam = 100 * counter["spam"] / totals["spam"]
        ham = 100 * counter["ham"] / totals["ham"]
        print(f"{name:24} {judge.rules.score(name):6} {spam:6.2f} {ham:6.2f}")
    for score, path, names in sorted(wrong, reverse=True):
        print(f"{score:5.1f} {path[-50:]} {' '.join(names)}")


if __name__ == "__main__":
    main(sys.argv[1])
