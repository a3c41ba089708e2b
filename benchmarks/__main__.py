"""`python -m benchmarks`: measures, prints one table, and writes docs/benchmarks.md with `--write`."""

import argparse
from collections.abc import Callable

from benchmarks import deriving, in_memory, pulling, review_desk, scaling, startup, understanding, whole_path
from benchmarks.page import PAGE, page
from benchmarks.rows import Row, aligned

PARTS: dict[str, Callable[[int, int], list[Row]]] = {
    "memory": in_memory.measure,
    "path": whole_path.measure,
    "pull": pulling.measure,
    "start": startup.measure,
    "derive": deriving.measure,
    "understand": understanding.measure,
    "scaling": scaling.measure,
    "desk": review_desk.measure,
}


def main() -> None:
    """Measures what was asked for, or everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="what to measure; everything if none is named")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median counts")
    parser.add_argument("--copies", type=int, default=4, help="how many times the fixtures' patients")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    asked = parser.parse_args()
    rows: list[Row] = []
    for name in asked.parts or PARTS:
        rows += PARTS[name](asked.rounds, asked.copies)
    print(aligned(rows))
    if asked.write:
        PAGE.write_text(page(rows, asked.rounds, asked.copies), encoding="utf-8")


if __name__ == "__main__":
    main()
