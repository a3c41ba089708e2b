"""docs/benchmarks.md: the table of one run, and on what machine it was made."""

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.rows import Row, markdown

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"

HEAD = """# Benchmarks

Made by `make bench ARGS=--write`. Ratios are medians of per-round pairs measured in the same run, processor time unless
`wall` is said (PostgreSQL: with the server's own); absolute rates hold for this machine at this hour only.

- The floor of *pages to committed facts* is what nobody can do without: the pages split into their entries with each
  head read by msgspec (cheaper than a simdjson parse), and the very rows that we store (`version` with the raw body,
  `origin`, facts) written by key, with one index a table, 1,000 resources a transaction.
- *NDJSON to facts* remembers what records repeat (codes, values, limits, days), and every round meets the same bytes
  again: the first records of a hospital are slower than these rates say. With the vocabulary known, the first look at
  other patients took 12.0 us a record, the next 10.3 (2026-11-23); what a process needs once (decoders, FHIRPath) is
  some 0.2 s. Processors that others use too make the share smaller:
  0.44 of the last mix in a quiet minute was 0.38 at load 8.
- Of it, in us a record as servers dress them, dicts / our checked structures / facts: laboratory 3.9 / 3.7 / 7.1,
  administration 3.7 / 3.8 / 9.0, lesion size 4.6 / 4.2 / 11.2, BodyStructure 3.4 / 3.3 / 10.0, adverse event
  5.4 / 6.4 / 33, procedure 5.6 / 6.7 / 38. The fixtures' own records are half as long (2.4 / 3.0 / 8.7 on average), a
  third of them are none of the first three: at 0.4 only 2.9 us would be left to understand one after it is decoded.
- Hospitals' answers were taken once over loopback HTTP and are given from memory: the client does all its work
  (decompression, links, credentials), the rehearsal server's own time does not count.
- *Pulling* runs client and server as processes of their own. The other programs pull the same types of the same
  patients from the same rehearsal hospital in the same minute, in pages of 20 where they let themselves be told; what
  each does when a page fails is asked in a last round. Memory is that of the whole client process, as Linux has it.
- A second sync writes what DESIGN §5.4 names: its run, its leases and fences, its windows (`question_window`,
  `visited`), `whole_as_of` (in `coverage`) and `completeness`.
"""


def page(rows: Iterable[Row], rounds: int, copies: int) -> str:
    """The page."""
    load = os.getloadavg()[0]
    machine = (f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores "
               f"({platform.machine()}, {platform.system()}), load {load:.1f} at the end; {rounds} rounds, "
               f"{copies} times the fixtures' patients.")
    return f"{HEAD}\n{machine}\n\n{markdown(rows)}"
