"""Cuts: what was known at a moment stays readable and provable, whatever is received, decided or mapped afterwards."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_adapter import cuts, flow, study
from fhir_adapter.core.errors import DatabaseError, UsageError
from fhir_adapter.steps import cutting, manifest, proving
from fhir_adapter.steps.differing import Difference
from fhir_adapter.steps.workspace import Workspace, trial_tables
from fhir_adapter.store.locked import open_locked
from fhir_adapter.store.records import Cut
from fhir_adapter.store.trial import Trial
from fhir_adapter.store.vault import Vault
from tests.databases import Databases, sqlite_databases
from tests.flow import golden
from tests.flow.conftest import Hall
from tests.promises.conftest import Shelf, hurried

LAST = "2026-06-30"
"""The latest clinical date of the fixtures: a cut-off that leaves nothing out."""


def _cut(work: Workspace, name: str, cutoff: str = LAST, known_at: str = "") -> Cut:
    wanted = cuts.NewCut(cutoff=cutoff, known_at=known_at, name=name, by="dm1", with_open_conflicts=True)
    return cuts.create(work, wanted)[0]


def _manifest(cut: Cut) -> manifest.Manifest:
    return manifest.read_manifest(cut.manifest)


@contextmanager
def _frozen(work: Workspace, name: str) -> Iterator[Trial]:
    trial = open_locked(cutting.folder_of(work) / name / cutting.DATABASE, trial_tables())
    try:
        yield trial
    finally:
        trial.close()


def _os(trial: Trial, subject: str) -> str:
    rows = [row for row in trial.rows("time_to_event", "subject", [subject]) if row["endpoint"] == "OS"]
    return str(rows[0]["date"])


def _dead(work: Workspace, hall: Hall, hospital: str) -> tuple[str, dict[str, Any]]:
    """A subject of the hospital whose Patient alone says the full day of death; and that Patient."""
    reasons = {row["subject"]: row["reason"] for row in work.trial.all_rows("time_to_event") if row["endpoint"] == "OS"}
    for one in work.vault.identities(hospital):
        record = hall.rehearsed.hospitals[hospital].record("Patient", one.patient)
        stated = [row for row in work.trial.rows("vital_status", "subject", [one.subject]) if row["status"] == "dead"]
        if reasons.get(one.subject) == "death" and len(stated) == 1 and len(stated[0]["death"] or "") == 10:
            return one.subject, record
    raise AssertionError("nobody died")


CHANGES = {
    "south": (("partial_date", "override", '{"death": "2024-05-20"}', "inv1", "OS", ""),),
    "west": (("merged_patient", "split", "", "dm1", "", ""),
             ("therapy_role_unknown", "set_role", "subsequent", "inv1", "PFS", "table_a")),
}
"""By hospital what is decided after the cut: kind, choice, value, who, and which endpoint moves because of it."""


@pytest.mark.parametrize(("backend", "hospital"), [
    ("sqlite", "south"), *(pytest.param(*one, marks=pytest.mark.hard) for one in (
        ("postgresql", "south"), ("sqlite", "west")))])
def test_what_was_known_stays(
    own_hall: Hall, request: pytest.FixtureRequest, tmp_path: Path, backend: str, hospital: str
) -> None:
    """A death that is corrected, a decision, a patient split off: the old cut holds, and can be made again as of then.

    By hand: the death is corrected to the day after, so OS ends one day later in the later cut, and only there.
    """
    databases: Databases = request.getfixturevalue(f"{backend}_urls")
    with own_hall.workspace(databases, (hospital,)) as opened:
        flow.sync(hurried(opened), [])
        work = msgspec.structs.replace(hurried(opened), folder=tmp_path)
        first = _cut(work, "first")
        subject, patient = _dead(work, own_hall, hospital)
        before = date.fromisoformat(_os(work.trial, subject))
        changed = (before + timedelta(days=1)).isoformat()
        own_hall.rehearsed.hospitals[hospital].edit({**patient, "deceasedDateTime": changed})
        flow.sync(hurried(opened), [])
        expected = {}
        for kind, choice, value, by, endpoint, rule in CHANGES[hospital]:
            one = flow.conflicts(work, kind=kind)[0]
            flow.decide(work, flow.Choice(conflict=one.key, choice=choice, value=value, reason="so", by=by))
            expected[one.subject, endpoint, rule] = f"by {by}: {choice}; so"

        assert cuts.verify(work, "first").holds
        later, again = _cut(work, "later"), _cut(work, "again", known_at=first.known_at)
        assert _manifest(again).tables == _manifest(first).tables
        assert _manifest(again).inputs == _manifest(first).inputs
        assert _manifest(later).tables != _manifest(first).tables
        with _frozen(work, "first") as old, _frozen(work, "later") as new:
            assert (_os(old, subject), _os(new, subject)) == (before.isoformat(), changed)
            people = [len(trial.all_rows("subject")) for trial in (old, new)]
            assert people[1] - people[0] == (1 if hospital == "west" else 0)
        _told(cuts.difference(work, "first", "later"), subject, changed, expected)


def _told(found: Difference, subject: str, changed: str, expected: dict[tuple[str | None, str, str], str]) -> None:
    """What moved is told with its reason: a version that came, a decision that was signed."""
    why = {(one.change.subject, one.change.endpoint, one.change.rule): (one.change.after, one.reasons)
           for one in found.moved}
    after, reasons = why[subject, "OS", ""]
    assert after == f"event {changed} (death)"
    assert [one for one in reasons if one.startswith("version 2 of Patient") and "received since" in one]
    for (person, endpoint, rule), words in expected.items():
        if endpoint:
            assert person is not None
            assert [one for one in why[person, endpoint, rule][1] if words in one]


@pytest.mark.hard
def test_a_cut_holds_what_the_truth_says(hospitals: Hall, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Its endpoints equal golden/open, and both backends give the same tables."""
    made = []
    with ExitStack() as stack:
        own = Shelf(stack, hospitals, tmp_path, request)
        for backend in ("sqlite", "postgresql"):
            work = msgspec.structs.replace(own.synced(backend).work, folder=tmp_path / backend)
            made.append(_manifest(_cut(work, f"whole-{backend}")).tables)
            with _frozen(work, f"whole-{backend}") as trial:
                cut = msgspec.structs.replace(work, trial=trial)
                assert golden.endpoint_differences(cut, "open") == []
                assert golden.summary_differences(cut, "open") == []
    assert made[0] == made[1]


@pytest.fixture(scope="module")
def small(hospitals: Hall, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One hospital, synced, with a cut `kept`, in a study folder of its own whose mappings a test may edit."""
    folder = tmp_path_factory.mktemp("small")
    shutil.copytree(hospitals.study.folder / "mappings", folder / "mappings")
    with hospitals.workspace(sqlite_databases(folder), ("south",)) as opened:
        own = opened.study.model_copy(update={"folder": folder})
        flow.sync(hurried(opened), [])
        work = msgspec.structs.replace(hurried(opened), folder=folder, study=own)
        key = flow.conflicts(work, kind="activity_after_death")[0].key
        flow.decide(work, flow.Choice(conflict=key, choice="confirm", reason="registered later", by="inv1"))
        _cut(work, "kept")
        yield work


def test_an_early_cut_off_leaves_out_what_came_later(small: Workspace) -> None:
    """No fact begins after it, no value ends after it, nobody who was enrolled later is in a population.

    Expected: endpoints.md §0.17 (later facts invisible), §7 (a death after the cut-off is never an event).
    """
    deaths = [row["death"] for row in small.trial.all_rows("vital_status") if row["status"] == "dead" and row["death"]]
    cutoff = sorted(deaths)[len(deaths) // 2]
    _cut(small, "early", cutoff)
    with _frozen(small, "early") as trial:
        rows = trial.all_rows("time_to_event")
        assert rows
        assert [row for row in rows if (row["date"] or "") > cutoff] == []
        assert [row for row in trial.all_rows("lab_result") if (row["date"] or "") > cutoff] == []
        late = {row["subject"] for row in small.trial.all_rows("baseline") if (row["enrolled"] or "") > cutoff}
        assert late
        included = {row["subject"] for row in trial.all_rows("population")
                    if row["population"] == "enrolled" and row["included"]}
        assert not late & included
        died = {row["subject"] for row in rows if row["endpoint"] == "OS" and row["reason"] == "death"}
    whole = {row["subject"]: row["date"] for row in small.trial.all_rows("time_to_event")
             if row["endpoint"] == "OS" and row["reason"] == "death"}
    assert died == {subject for subject, day in whole.items() if day <= cutoff}


Altered = tuple[Workspace, Callable[[], object]]
"""The study as it is altered, and what puts it back."""


def _faults(work: Workspace) -> list[str]:
    with pytest.raises(DatabaseError) as raised:
        cuts.verify(work, "kept")
    return str(raised.value).splitlines()[1:]


def _version(work: Workspace, change: pytest.MonkeyPatch) -> Altered:
    """One raw version is altered in the vault."""
    with work.vault.database.writing() as transaction:
        key, ordinal, body, sha = transaction.row(
            "SELECT v.resource, v.ordinal, v.body, v.sha256 FROM version v JOIN resource r ON r.key = v.resource "
            "WHERE r.type = 'Observation' ORDER BY v.seq LIMIT 1")
        transaction.run("UPDATE version SET sha256 = 'other' WHERE resource = ? AND ordinal = ?", (key, ordinal))

    def back() -> None:
        with work.vault.database.writing() as transaction:
            transaction.run("UPDATE version SET sha256 = ?, body = ? WHERE resource = ? AND ordinal = ?",
                            (sha, body, key, ordinal))

    return work, back


def _decision(work: Workspace, change: pytest.MonkeyPatch) -> Altered:
    """A signed decision is altered by somebody who took the trigger off."""
    with work.vault.database.writing() as transaction:
        transaction.run("DROP TRIGGER decision_no_update")
        transaction.run("UPDATE decision SET choice = 'defer'")

    def back() -> None:
        with work.vault.database.writing() as transaction:
            transaction.run("UPDATE decision SET choice = 'confirm'")

    return work, back


def _mapping(work: Workspace, change: pytest.MonkeyPatch) -> Altered:
    """A code means something else in the mappings that were kept with the cut."""
    path = cutting.folder_of(work) / "kept" / "mappings" / "concepts" / "drug.csv"
    text = path.read_text(encoding="utf-8")
    path.chmod(0o600)
    path.write_text(text.replace(",anlotinib,", ",lenvatinib,"), encoding="utf-8")
    return work, lambda: path.write_text(text, encoding="utf-8")


def _both_mappings(work: Workspace, change: pytest.MonkeyPatch) -> Altered:
    """A code means something else both in the study and in what was kept: the mappings of then are nowhere."""
    path = work.study.mappings / "concepts" / "drug.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(",anlotinib,", ",lenvatinib,"), encoding="utf-8")
    _, back = _mapping(work, change)
    altered = msgspec.structs.replace(work, study=study.with_mappings(work.study, work.study.mappings))

    def both() -> None:
        path.write_text(text, encoding="utf-8")
        back()

    return altered, both


def _program(work: Workspace, change: pytest.MonkeyPatch) -> Altered:
    """Another version of the program."""
    change.setattr(manifest, "__version__", "9.9")
    return work, lambda: None


def _file(work: Workspace, change: pytest.MonkeyPatch) -> Altered:
    """A result was edited in the cut's folder."""
    path = cutting.folder_of(work) / "kept" / "csv" / "v_time_to_event.csv"
    text = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(text.replace(b"event", b"EVENT", 1))
    return work, lambda: path.write_bytes(text)


@pytest.mark.parametrize(("alter", "expected"), [
    (_version, ("versions: south had", "not the same ones", "of south has changed")),
    (_decision, ("decisions: were 1, are 1, not the same ones", "decision 1 has changed", "results: conflict")),
    (_mapping, ("files: mappings/concepts/drug.csv has changed",)),
    (_both_mappings, ("files: mappings/concepts/drug.csv has changed", "mappings: concepts/drug.csv has changed",
                      "results: exposure", "EXPOSURE, anlotinib: ")),
    (_program, ("program: was", "is 9.9")),
    (_file, ("files: csv/v_time_to_event.csv has changed",)),
], ids=["version", "decision", "mapping", "both mappings", "program", "file"])
def test_what_changed_is_named(small: Workspace, monkeypatch: pytest.MonkeyPatch,
                               alter: Callable[[Workspace, pytest.MonkeyPatch], Altered],
                               expected: tuple[str, ...]) -> None:
    """A cut holds; with one thing altered it does not, and that thing is named; put back, it holds again."""
    altered, back = alter(small, monkeypatch)
    try:
        faults = _faults(altered)
    finally:
        back()
        monkeypatch.undo()
    assert [one for one in expected if not any(one in fault for fault in faults)] == [], faults
    assert cuts.verify(small, "kept").holds


@contextmanager
def _remapped(work: Workspace) -> Iterator[Workspace]:
    """The study after somebody has changed what a drug's codes mean."""
    path = work.study.mappings / "concepts" / "drug.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(",anlotinib,", ",lenvatinib,"), encoding="utf-8")
    try:
        yield msgspec.structs.replace(work, study=study.with_mappings(work.study, work.study.mappings))
    finally:
        path.write_text(text, encoding="utf-8")


def test_a_cut_is_proved_by_its_own_mappings(small: Workspace) -> None:
    """Mappings that change afterwards, options too, break no cut; how they differ is told."""
    with _remapped(small) as work:
        proof = cuts.verify(work, "kept")
    assert proof.holds
    assert "mappings: concepts/drug.csv has changed" in proof.notes
    assert [one for one in proof.notes if one.startswith("  concepts/drug.csv: +") and "lenvatinib" in one]
    assert cuts.verify(small, "kept").notes == ()


def test_as_known_then_means_by_the_mappings_of_then(small: Workspace, tmp_path: Path) -> None:
    """A cut of an earlier moment uses the mappings in force at it: those that a cut has kept, or those handed in.

    Where they are nowhere it is refused, but for who asks for those of now; then the cut says so.
    """
    kept = next(one for one in cuts.listed(small) if one.name == "kept")
    then = shutil.copytree(small.study.mappings, tmp_path / "then")
    wanted = cuts.NewCut(cutoff=LAST, known_at=kept.known_at, name="found", by="dm1", with_open_conflicts=True)
    with _remapped(small) as work:
        found = cuts.create(work, wanted)[0]
        assert _manifest(found).tables == _manifest(kept).tables
        assert _manifest(found).inputs == _manifest(kept).inputs
        elsewhere = msgspec.structs.replace(work, folder=tmp_path)
        with pytest.raises(UsageError, match="no cut has kept those of then"):
            cuts.create(elsewhere, msgspec.structs.replace(wanted, name="none"))
        with pytest.raises(UsageError, match="not those that were in force"):
            cuts.create(elsewhere, msgspec.structs.replace(wanted, name="none", mappings=work.study.mappings))
        given = cuts.create(elsewhere, msgspec.structs.replace(wanted, name="given", mappings=then))[0]
        assert _manifest(given).tables == _manifest(kept).tables
        of_now = cuts.create(elsewhere, msgspec.structs.replace(wanted, name="of-now", with_mappings_of_now=True))[0]
        assert _manifest(of_now).inputs.mappings_as_of == "signing"
        assert _manifest(of_now).tables["exposure"] != _manifest(kept).tables["exposure"]
        assert cuts.verify(elsewhere, "of-now").holds


def test_the_report_of_a_cut_is_frozen(small: Workspace) -> None:
    """The page of a cut is the same bytes whatever the study knows or means by then; a damaged cut gives none."""
    before = {path.name: path.read_bytes() for path in cuts.report(small, "kept")}
    with _remapped(small) as work:
        later = msgspec.structs.replace(work, clock=lambda: small.clock() + timedelta(days=400))
        assert {path.name: path.read_bytes() for path in cuts.report(later, "kept")} == before
    kept = next(one for one in cuts.listed(small) if one.name == "kept")
    page = before["index.html"].decode()
    assert all(said in page for said in ("Cut kept", kept.digest, LAST, "signed by <b>dm1"))
    _, back = _file(small, pytest.MonkeyPatch())
    try:
        with pytest.raises(DatabaseError, match="not as it was signed"):
            cuts.report(small, "kept")
    finally:
        back()


def test_open_conflicts_block_unless_signed_for(small: Workspace) -> None:
    """They are refused by name, and named on the cut once somebody signs for them."""
    with pytest.raises(UsageError, match="partial_date") as raised:
        cuts.create(small, cuts.NewCut(cutoff=LAST, name="refused", by="dm1"))
    assert [one.name for one in cuts.listed(small)].count("refused") == 0
    waived = _manifest(next(one for one in cuts.listed(small) if one.name == "kept")).waived
    blocking = {one.key for one in flow.conflicts(small) if one.blocking}
    assert {one.key for one in waived} == blocking
    assert all(key[:12] in str(raised.value) for key in blocking)
    assert sorted(path.name for path in cutting.folder_of(small).iterdir() if "refused" in path.name) == []


@pytest.mark.parametrize(("wanted", "words"), [
    ({"cutoff": "2026-06"}, "--cutoff wants"), ({"cutoff": LAST, "name": "../away"}, "name has letters"),
    ({"cutoff": LAST, "name": "kept"}, "never change"), ({"cutoff": LAST, "known_at": "2026-01-01"}, "with its zone"),
    ({"cutoff": LAST, "known_at": "2999-01-01T00:00:00+00:00"}, "in the future"),
    ({"cutoff": LAST, "known_at": "1999-01-01T00:00:00+00:00"}, "Nothing had been received"),
    ({"cutoff": LAST, "by": "nobody"}, "not in .people."),
])
def test_what_cannot_be_cut_is_refused(small: Workspace, wanted: dict[str, str], words: str) -> None:
    """Half a date, a name that is taken or leads elsewhere, a moment without zone, to come, or before everything."""
    with pytest.raises(UsageError, match=words):
        cuts.create(small, cuts.NewCut(**{"by": "dm1", **wanted}))  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_while_cutting(small: Workspace, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead before it was signed: no cut, and no folder of that name. After: the cut is whole at the next look."""
    name = f"killed-{moment}"
    child = os.fork()
    if child == 0:
        place: tuple[object, str] = (Vault, "lock_cut") if moment == "before" else (cutting, "finish")
        monkeypatch.setattr(place[0], place[1], lambda _, cut, *rest: os._exit(9) if cut.name == name else None)
        try:
            _cut(small, name)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    folder = cutting.folder_of(small)
    assert not (folder / name).exists()
    names = [one.name for one in cuts.listed(small)]
    assert (name in names) == (moment == "after")
    if moment == "after":
        assert proving.verify(small, name).faults == ()
    _cut(small, f"next-{moment}")
    assert [path.name for path in folder.iterdir() if path.name.startswith(".making")] == []
