"""What somebody writes with FHIR-PYrate to have a cohort's records: run by the Python of its own environment.

`python pyrate.py URL TYPE,TYPE,... < patient ids`, one a line; prints the number of records by type as JSON.
"""

import json
import sys

import pandas as pd
from fhir_pyrate import Pirate


def main() -> None:
    """Asks patient by patient, as its documentation shows."""
    url, types = sys.argv[1], sys.argv[2].split(",")
    rows = pd.DataFrame({"patient": [line.strip() for line in sys.stdin]})
    pirate = Pirate(auth=None, base_url=url, print_request_url=False, num_processes=1)
    found: dict[str, int] = {}
    for name in types:
        parameter = "_id" if name == "Patient" else "patient"
        bundles = pirate.trade_rows_for_bundles(
            rows, resource_type=name, df_constraints={parameter: "patient"}, request_params={"_count": 20})
        ids = {entry.resource.id for bundle in bundles for entry in bundle.entry or []
               if entry.resource.resourceType == name}
        found[name] = len(ids)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
