"""Life over time: what happens at a hospital while it is asked, and what a client who missed nothing would know."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fhir_adapter.sandbox import Persona, Rehearsal, Stage, Time, serve
from tests.sandbox.build import Clock, get, hospital, observation, patient, search_ids


@pytest.fixture
def clock() -> Clock:
    """The hospital's clock."""
    return Clock()


@pytest.fixture
def west(tmp_path: Path, clock: Clock) -> Iterator[Rehearsal]:
    """Two patients, six observations, a diagnosis and an AdverseEvent."""
    person = {"reference": "Patient/p1"}
    rows = [observation(f"o{n}", f"p{n % 2 + 1}", status="final") for n in range(6)]
    more = [{"resourceType": type_, "id": "x1", "subject": person} for type_ in ("Condition", "AdverseEvent")]
    folder = hospital(tmp_path / "west", [patient("p1"), patient("p2"), *rows, *more])
    with serve(folder, strict=True, stage=Stage(clock=clock)) as running:
        yield running


def test_a_record_is_retracted_where_its_type_can_be(west: Rehearsal) -> None:
    """status, verificationStatus of a Condition; an R4 AdverseEvent and a Patient have none."""
    west.life.retract("Observation", "o1")
    west.life.retract("Condition", "x1")

    assert get(f"{west.base_url}/Observation/o1").json()["status"] == "entered-in-error"
    coding = get(f"{west.base_url}/Condition/x1").json()["verificationStatus"]["coding"][0]
    assert coding["code"] == "entered-in-error"
    for type_, id_ in (("AdverseEvent", "x1"), ("Patient", "p1")):
        with pytest.raises(ValueError, match="has no status"):
            west.life.retract(type_, id_)


def test_an_unmerge_moves_back_only_what_had_moved(west: Rehearsal) -> None:
    """What was the survivor's own stays with the survivor."""
    before = search_ids(f"{west.base_url}/Observation?patient=p2")
    west.life.merge("p1", "p2")
    assert len(search_ids(f"{west.base_url}/Observation?patient=p2")) == 6
    west.life.unmerge("p1")

    assert search_ids(f"{west.base_url}/Observation?patient=p2") == before
    assert search_ids(f"{west.base_url}/AdverseEvent?subject=p1") == {"x1"}
    with pytest.raises(KeyError):
        west.life.unmerge("p2")


def test_late_commits_come_out_of_order(west: Rehearsal, clock: Clock) -> None:
    """The later edit is seen first; a search by lastUpdated then finds a row that is older than what was seen."""
    first = west.life.edit(observation("late"), late=60)
    clock.forward(10)
    second = west.life.edit(observation("prompt"))
    assert first.last_updated < second.last_updated
    assert search_ids(f"{west.base_url}/Observation?_lastUpdated=ge2026-07-01") == {"prompt"}
    clock.forward(60)

    assert search_ids(f"{west.base_url}/Observation?_lastUpdated=ge2026-07-01") == {"late", "prompt"}


def test_a_late_deletion_is_late(west: Rehearsal, clock: Clock) -> None:
    """Until then the record is read as before; history and export keep silent too."""
    west.life.delete("Observation", "o1", late=60)
    assert get(f"{west.base_url}/Observation/o1").status_code == 200
    assert len(get(f"{west.base_url}/Observation/o1/_history").json()["entry"]) == 1
    assert ("Observation", "o1") in west.life.truth()
    clock.forward(61)

    assert get(f"{west.base_url}/Observation/o1").status_code == 410
    assert ("Observation", "o1") not in west.life.truth()


def test_the_truth_is_what_is_shown(west: Rehearsal) -> None:
    """By type and id, with the bytes that a read gives; what is hidden is not in it."""
    west.life.hide("Observation", "o2")
    truth = west.life.truth()

    assert len(truth) == 9
    for (type_, id_), version in truth.items():
        assert get(f"{west.base_url}/{type_}/{id_}").content == version.body


def test_chance_replays(tmp_path: Path) -> None:
    """The same seed makes the same life, record by record."""
    lives: list[Any] = []
    for seed in (5, 5, 6):
        rows = [observation(f"o{n}", status="final") for n in range(8)]
        folder = hospital(tmp_path / f"west{len(lives)}", rows)
        with serve(folder, stage=Stage(clock=Clock(), seed=seed)) as running:
            random = Random(seed)
            events = [running.life.happen(random) for _ in range(12)]
            lives.append((events, {key: version.body for key, version in running.life.truth().items()}))

    assert lives[0] == lives[1] != lives[2]
    assert {event.split()[0] for event in lives[0][0]} <= {"edit", "copy", "delete", "retract"}


def test_a_persona_can_come_and_go(west: Rehearsal) -> None:
    """What is shown changes with it; the records themselves do not."""
    west.play(Persona(time=Time(meta="none")))
    assert "meta" not in get(f"{west.base_url}/Observation/o1").json()
    west.play(Persona())
    assert get(f"{west.base_url}/Observation/o1").json()["meta"]["versionId"] == "1"
