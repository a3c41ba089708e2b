"""How deriving grows: an invented cohort of one size after the other, each in a process of its own."""

import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import process_time

from benchmarks.cohort import cohort
from benchmarks.rows import Row

SIZES = (1_000, 10_000)
LARGE = 100_000
"""Measured too with `--copies 100`: six minutes and seven gigabytes."""


def measure(_rounds: int, copies: int) -> list[Row]:
    """Seconds of processor, peak memory and subjects per second for each size."""
    rows = []
    for size in (*SIZES, *([LARGE] if copies >= 100 else [])):
        told = subprocess.run([sys.executable, "-m", "benchmarks.scaling", str(size)], check=True, text=True,
                              capture_output=True).stdout.split()
        seconds, megabytes, facts, conclusions = (float(one) for one in told)
        rows.append(Row(
            f"derive {size:,} invented subjects", f"{seconds:.1f} s", "", None,
            f"{size / seconds:,.0f} subjects/s; {facts:,.0f} facts, {conclusions:,.0f} conclusions; "
            f"{megabytes:,.0f} MB at most"))
    return rows


def main() -> None:
    """Derives one cohort and prints seconds, megabytes, facts and conclusions."""
    from fhir_adapter.endpoints import derive
    from fhir_adapter.study import load

    study = load(Path(__file__).parents[1])
    facts = cohort(int(sys.argv[1]))
    begun = process_time()
    derived = derive(facts, study.protocol, study.concepts)
    print(process_time() - begun, getrusage(RUSAGE_SELF).ru_maxrss / 1024, sum(map(len, facts.values())),
          sum(map(len, derived.frames.values())))


if __name__ == "__main__":
    main()
