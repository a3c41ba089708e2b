"""The main job against a server by other hands: sync, compare with the truth, edit, sync again, compare again."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_adapter import flow, kit, study
from fhir_adapter.core.study import Databases as Places
from fhir_adapter.core.study import Study
from fhir_adapter.steps.workspace import Workspace, opened
from tests.databases import Databases
from tests.flow import golden
from tests.real.server import RealServer

pytestmark = pytest.mark.real

FIXTURES = kit.fixtures_path()
SECRET = b"a secret of the tests, the same in all of them"


def invalid() -> list[tuple[str, str]]:
    """The records of west that a validating server does not take, or that are bad on purpose."""
    with (FIXTURES / "invalid.csv").open(encoding="utf-8") as file:
        return [(row["type"], row["id"]) for row in csv.DictReader(file) if row["hospital"] == "west"]


def asking(server: RealServer, folder: Path) -> Study:
    """The shipped study with west alone, answered by the real server, and the desk's rows about west."""
    shipped = study.load(kit.kit_path())
    west = shipped.hospitals["west"].model_copy(update={"base_url": server.base_url, "auth": server.auth})
    desk = shipped.hospitals["desk"]
    sheets = FIXTURES / "golden" / "r4" / "supplements"
    desk = desk.model_copy(update={"pull": desk.pull.model_copy(update={"path": str(sheets)})})
    places = Places(vault="env:TEST_VAULT_URL", trial="env:TEST_TRIAL_URL")
    settings = shipped.settings.model_copy(update={"databases": places})
    return shipped.model_copy(update={"hospitals": {"west": west, "desk": desk}, "settings": settings})


@pytest.fixture
def work(
    real_server: RealServer, database_urls: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """A study whose west is the real server, loaded with the R4 fixtures; both doors, both databases."""
    monkeypatch.setenv("TEST_VAULT_URL", database_urls.vault)
    monkeypatch.setenv("TEST_TRIAL_URL", database_urls.trial)
    real_server.load(FIXTURES / "hospitals" / "west", invalid())
    with opened(asking(real_server, tmp_path), tmp_path, secret=SECRET) as workspace:
        yield workspace


def differences(work: Workspace, variant: str) -> list[str]:
    """Everything in which the trial differs from the truth."""
    others = (golden.conflict_differences, golden.endpoint_differences, golden.summary_differences)
    facts = golden.fact_differences(work, variant, by_value=True)
    return facts + [line for compare in others for line in compare(work, variant)]


def test_a_real_server_gives_the_truth_before_and_after_edits(work: Workspace, real_server: RealServer) -> None:
    """Corrections, a death, a new record and two deletes arrive with the second sync; nothing is lost or doubled."""
    first = flow.sync(work, [])
    assert first.code == 0, first
    before = differences(work, "r4/before")
    assert before == [], "\n".join(before[:40])

    assert real_server.apply(FIXTURES / "edits" / "edits.json") > 0
    second = flow.sync(work, [])
    assert second.code == 0, second
    assert all(one.counts.pull_adds_up and one.counts.map_adds_up for one in second.hospitals)
    after = differences(work, "r4/after")
    assert after == [], "\n".join(after[:40])

    digest = work.trial.digest()
    third = flow.sync(work, [])
    assert (third.code, sum(one.counts.new for one in third.hospitals)) == (0, 0)
    assert work.trial.digest() == digest
