"""A new study, a broken study."""

from pathlib import Path

import pytest

from fhir_adapter import study as loading
from fhir_adapter.core.concepts import CTCAE_IN_PART
from tests.cli.conftest import run


def test_init_makes_a_study_that_loads(tmp_path: Path) -> None:
    """Mappings, settings and a sample, no hospital; it says what to do next."""
    folder = tmp_path / "mine"
    ended = run("init", folder)

    assert ended.code == 0
    assert "sync" in ended.out
    assert loading.load(folder).hospitals == {}
    assert (folder / "sync" / "hospitals" / "example.toml.sample").is_file()
    assert run("status", study=folder).code == 0
    assert run("sync", study=folder).code == 0
    assert run("mappings", "check", study=folder).out == "The mappings are in order.\n"


def test_sheets_are_checked_before_there_is_a_hospital(tmp_path: Path) -> None:
    """Filled-in templates of a new study: each cell, and that nobody is in it yet."""
    folder, sheets = tmp_path / "mine", tmp_path / "sheets"
    run("init", folder)
    run("supplements", "template", sheets)
    assert run("supplements", "check", sheets, study=folder).code == 0
    with (sheets / "disposition.csv").open("a") as file:
        file.write("ATC-1,2024-01-02,vanished,,,,,Dr Desk,2026-07-01\n")
    said = run("supplements", "check", sheets, study=folder)

    assert said.code == 2
    lines = said.out.splitlines()
    assert lines[0] == "sheet disposition, row 2, column subject: no subject of the study"
    assert [line.partition(": none of")[0] for line in lines[1:]] == ["sheet disposition, row 2, column event"]


def test_the_sample_is_a_hospital(tmp_path: Path) -> None:
    """Copied under a name of its own, it loads as it is."""
    folder = tmp_path / "mine"
    run("init", folder)
    hospitals = folder / "sync" / "hospitals"
    (hospitals / "mine.toml").write_text((hospitals / "example.toml.sample").read_text())

    assert loading.load(folder).hospitals["mine"].auth.kind == "smart_backend"


@pytest.mark.parametrize("rehearsal", [(), ("--rehearsal",)])
def test_init_refuses_a_folder_with_something_in_it(tmp_path: Path, rehearsal: tuple[str, ...]) -> None:
    """Nothing is ever overwritten."""
    (tmp_path / "there").write_text("")
    ended = run("init", tmp_path, *rehearsal)

    assert ended.code == 2
    assert "not empty" in ended.err
    assert [one.name for one in tmp_path.iterdir()] == ["there"]


def test_a_folder_that_is_no_study_says_so(tmp_path: Path) -> None:
    """And how to make one; nothing is written."""
    ended = run("sync", study=tmp_path)

    assert ended.code == 2
    assert "fhir-adapter init" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_ctcae_version_without_limits_is_refused(tmp_path: Path) -> None:
    """A study says so before anything is graded; with the kit's limits v4.03 is a version like the others."""
    folder = tmp_path / "mine"
    run("init", folder, "--rehearsal")
    trial = folder / "mappings" / "trial.toml"
    trial.write_text(trial.read_text().replace('ctcae = "5.0"', 'ctcae = "4.03"'))
    assert run("status", study=folder).code == 0
    (folder / "mappings" / "ctcae" / "criteria-v4.03.csv").unlink()
    ended = run("status", study=folder)

    assert ended.code == 2
    assert "trial.toml: toxicity.ctcae: mappings/ctcae has no limits of v4.03" in ended.err


def test_events_of_a_version_in_part_are_read_by_the_terms_at_hand(tmp_path: Path) -> None:
    """v4.03-part.csv: v5.0's terms serve beside it; a study's own v4.03.csv replaces both and is taken as whole."""
    folder = tmp_path / "mine"
    run("init", folder)
    trial, ctcae = folder / "mappings" / "trial.toml", folder / "mappings" / "ctcae"
    trial.write_text(trial.read_text().replace('ctcae = "5.0"', 'ctcae = "4.03"'))
    in_part = loading.load(folder).concepts
    (ctcae / "v4.03.csv").write_text("code,term,soc,grades\n10016256,Fatigue,General disorders,1 2 3\n")
    whole = loading.load(folder).concepts

    assert in_part.term("adverse_event", "Fatigue")["soc"] == (
        "General disorders and administration site conditions")
    assert in_part.term("adverse_event", "Hyponatremia")["grades"] == "1 3 4 5"
    assert set(in_part.terms[CTCAE_IN_PART]) == {"4.03"}
    assert set(whole.terms["adverse_event"]) == {"Fatigue"}
    assert whole.terms[CTCAE_IN_PART] == {}


def test_a_broken_study_lists_all_errors_at_once(tmp_path: Path) -> None:
    """Each with its file and key, none with its value."""
    folder = tmp_path / "mine"
    run("init", folder, "--rehearsal")
    hospitals = folder / "sync" / "hospitals"
    (hospitals / "west.toml").write_text('name = "W"\nbase_url = "https://SECRET.example"\nfhir_version = "R9"\n'
                                         '[auth]\nkind = "magic"\npasword = "SECRET"\n')
    (hospitals / "east.toml").write_text("name = ")
    (hospitals / "south.toml").write_text('name = "S"\n[cohort]\nall = true\ngroup = "Group/1"\n')
    with (folder / "mappings" / "trial.toml").open("a") as file:
        file.write("\n[nonsense]\nx = 1\n")
    with (folder / "mappings" / "concepts" / "drug.csv").open("a") as file:
        file.write("s,c,d,concept,sideways,,,,\n")
    ended = run("status", study=folder)

    assert ended.code == 2
    for said in ("west.toml: fhir_version", "west.toml: auth.kind", "west.toml: auth.pasword", "east.toml: is not TOML",
                 "south.toml: cohort", "south.toml: base_url", "trial.toml: nonsense", "drug.csv: line"):
        assert said in ended.err
    assert "SECRET" not in ended.err
    assert not (folder / "data").exists()
