"""Resources by other hands, four FHIR versions: every one of them is accounted for, and nothing raises."""

import os
from pathlib import Path

import pytest

from fhir_adapter import flow

pytestmark = pytest.mark.real

CORPUS = Path(os.environ.get("OTHER_HANDS", Path(__file__).parents[3] / "shared" / "data" / "fhir"))
FOLDERS = {
    "hl7-examples/STU3": "STU3", "hl7-examples/R4": "R4", "hl7-examples/R4B": "R4B", "hl7-examples/R5": "R5",
    "converted-hl7v2-ccda/R4": "R4", "mcode-extraction/R4": "R4",
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_resource_of_other_hands_is_accounted_for(folder: str, tmp_path: Path) -> None:
    """`pull --files` then `map`: the equation of DESIGN §5.3 adds up, whatever the ids, subjects and defects."""
    if not CORPUS.is_dir():
        reason = "resources by other hands: set OTHER_HANDS to their folder"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    flow.init(tmp_path / "study")
    with flow.open_workspace(tmp_path / "study") as work:
        pulled = flow.pull_files(work, CORPUS / folder, FOLDERS[folder], "others").hospitals[0]
    with flow.open_workspace(tmp_path / "study") as work:
        mapped = flow.map_records(work, ["others"]).hospitals[0]
        origins = work.trial.frames(("origin",))["origin"]
        flow.conclude(work)
        again = flow.map_records(work, ["others"]).hospitals[0]

    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in (CORPUS / folder).glob("*.ndjson"))
    assert pulled.counts.fetched == lines > 0
    assert pulled.counts.pull_adds_up
    parts = (mapped.counts.mapped, mapped.counts.waiting, mapped.counts.ignored, mapped.counts.quarantined)
    assert sum(parts) == pulled.counts.new == len(origins)
    assert mapped.counts.mapped > 0
    assert origins[origins.outcome.isin(("ignored", "quarantined", "waiting"))].reason.ne("").all()
    assert not again.counts.mapped, "a second map reads nothing twice"
