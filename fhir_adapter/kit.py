"""Finds the kit: the runnable study and the demo's hospitals that ride along with the program.

In an installed wheel the kit is the folder `_kit` beside this file; in a checkout it is the repository root.
Either holds `mappings/`, `sync/` and `fixtures/`.
"""

from pathlib import Path


def kit_path() -> Path:
    """The folder that holds `mappings/`, `sync/` and `fixtures/`.

    Raises:
        FileNotFoundError: neither an installed kit nor a checkout is here, so the installation is damaged.
    """
    here = Path(__file__).resolve().parent
    for candidate in (here / "_kit", here.parent):
        if (candidate / "mappings").is_dir():
            return candidate
    raise FileNotFoundError(
        f"no kit beside {here}: neither _kit/mappings (installed) nor ../mappings (checkout); "
        "install fhir-adapter again"
    )


def mappings_path() -> Path:
    """What codes mean and what the trial asks, as shipped."""
    return kit_path() / "mappings"


def sync_path() -> Path:
    """Settings and rehearsal hospitals, as shipped."""
    return kit_path() / "sync"


def fixtures_path() -> Path:
    """The demo's hospitals and decisions (in a checkout also the generator and the golden results)."""
    return kit_path() / "fixtures"
