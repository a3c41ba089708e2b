"""A rehearsal hospital as a process of its own: `python -m benchmarks.served FOLDER` prints its base URL, then obeys.

Each line of stdin is an order, each order gets one line of JSON: `count` tells the requests since the last time and
how many of them failed; `break` makes page 2 of every answer about Observations fail for good; `mend` ends that.
"""

import json
import sys
from pathlib import Path

from fhir_adapter.sandbox.persona import PLAIN, Fault, Persona
from fhir_adapter.sandbox.server import Rehearsal, serve

BROKEN = Persona(faults=(
    Fault(kind="error", on="page", type="Observation", page=2, times=None, status=400, code="processing"),
))


def _obey(server: Rehearsal, order: str) -> dict[str, int]:
    if order in ("break", "mend"):
        server.play(BROKEN if order == "break" else PLAIN)
    found = {"requests": len(server.requests), "failed": sum(one.status >= 400 for one in server.requests)}
    server.requests.clear()
    return found


def main(folder: Path) -> None:
    """Serves until stdin ends."""
    with serve(folder) as server:
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        for order in sys.stdin:
            sys.stdout.write(json.dumps(_obey(server, order.strip())) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
