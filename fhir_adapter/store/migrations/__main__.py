"""`python -m fhir_adapter.store.migrations vault` or `... trial MODULE:FUNCTION` writes revision 0001 anew.

The function gives the `TrialTables`, for example `fhir_adapter.steps.workspace:trial_tables`.
"""

import importlib
import sys

from fhir_adapter.store import desk_tables as _desk_tables  # noqa: F401 - its tables stand in VAULT once it is imported
from fhir_adapter.store.migrations.freezing import first_revision
from fhir_adapter.store.migrations.upgrading import HERE
from fhir_adapter.store.vault_tables import VAULT


def main(arguments: list[str]) -> None:
    """Writes the file of the named database."""
    which = arguments[0]
    if which == "vault":
        metadata = VAULT
    else:
        module, _, name = arguments[1].partition(":")
        metadata = getattr(importlib.import_module(module), name)().metadata
    (HERE / which / "versions" / "0001_first.py").write_text(first_revision(which, metadata), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
