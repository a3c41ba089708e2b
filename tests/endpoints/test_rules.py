"""Every row of every rule in `rules/` holds (see `rules.py`)."""

from collections.abc import Callable
from decimal import Decimal

import pandas as pd
import pytest

from fhir_adapter.core.protocol import Immune, Response, Schedule, TimeToEvent
from fhir_adapter.endpoints.immune_best import best
from fhir_adapter.endpoints.immune_response import Point, respond
from fhir_adapter.endpoints.recist import overall_response, target_response
from fhir_adapter.endpoints.schedule import gap_allowed
from tests.endpoints.build import (
    Facts,
    baseline_scan,
    conclude,
    one,
    pfs,
    protocol,
    rows,
    table,
    treated,
)
from tests.endpoints.option_rules import PROVED as OPTIONS
from tests.endpoints.option_rules import Cells, after, on, options, reported, ruled, told
from tests.endpoints.rules import rules


def recist_target(baseline: str, nadir: str, total: str, whole: str, gone: str) -> Cells:
    """The response of the targets of one time point."""
    micrometres = [None if not cell else float(Decimal(cell) * 1000) for cell in (total, baseline, nadir)]
    frame = pd.DataFrame([[*micrometres, 1, whole == "yes", gone == "yes"]], columns=[
        "sum_um", "baseline_um", "nadir_um", "targets", "complete", "gone"])
    frame[["sum_um", "baseline_um", "nadir_um"]] = frame[["sum_um", "baseline_um", "nadir_um"]].astype(float)
    return (str(target_response(frame)[0]),)


def recist_overall(target: str, non_target: str, new: str) -> Cells:
    """The overall response of one time point."""
    frame = pd.DataFrame([[target, non_target, new]], columns=["target", "non_target", "new_lesion"])
    return (str(overall_response(frame)[0]),)


def best_response(assessments: str, option: str) -> Cells:
    """Both best responses of what the investigator reports."""
    settings = Response(**{"sd_min_days": 42, **options(option)})
    derived = conclude(treated(), baseline_scan(), reported(assessments), rules=protocol(response=settings))
    return tuple(str(one(derived, "best_response", "value", confirmed=confirmed)) for confirmed in (False, True))


_OTHER: dict[str, Callable[[str], Facts]] = {
    "death": lambda day: table("vital_status", f"death\n{day}"),
    "contact": lambda day: table("performance_status", f"date score\n{day} 1"),
    "new": lambda day: table("anticancer_therapy", f"therapy start_date\ndabrafenib {day}"),
    "clinical": lambda day: table("disposition", f"event date\nclinical_progression {day}"),
    "stopped": lambda day: table("disposition", f"event date\nend_of_component {day}"),
    "study radiotherapy": lambda day: table("radiotherapy", f"start_date\n{day}"),
}


def pfs_rule(_: str, has_baseline: str, scans: str, other: str, option: str) -> Cells:
    """PFS under both rules."""
    name, _, day = other.rpartition(" ")
    parts = [treated(), *([baseline_scan()] if has_baseline == "yes" else []), reported(scans),
             *([_OTHER[name](on(day))] if name else [])]
    derived = conclude(*parts, rules=protocol(endpoints=pfs(**options(option))))
    found = (one(derived, "time_to_event", "status", "date", "reason", endpoint="PFS", rule=rule)
             for rule in ("table_a", "treatment_policy"))
    return tuple(f"{status} {after(date)} {reason}" for status, date, reason in found)


def os_rule(_: str, death: str, records: str, cut_off: str, option: str) -> Cells:
    """OS from what is stated."""
    parts = [treated()]
    if death == "flag":
        parts.append(table("vital_status", "statement\ndeceased_flag"))
    elif death:
        parts.append(table("vital_status", f"death\n{death}"))
    if records:
        parts.append(table("performance_status", "date score\n" + "\n".join(f"{day} 1" for day in records.split(", "))))
    derived = conclude(*parts, rules=protocol(time_to_event=TimeToEvent(**options(option))), cut_off=cut_off or None)
    return told(*one(derived, "time_to_event", "status", "date", "imputed", endpoint="OS"))


def _point(text: str, baseline: int, nadir: int) -> Point:
    day, size, *seen = text.split()
    total = None if size == "NE" else int(size) * 1000
    new = frozenset(word[1:] for word in seen if word.startswith("+"))
    worse = total is not None and total - nadir >= 5000 and 10 * total >= 12 * nadir
    stable = "CR" if total == 0 else "PR" if total is not None and 10 * total <= 7 * baseline else "SD"
    return Point(
        day=int(day), sum_um=total, complete=total is not None, targets=1, cleared=total == 0, new=bool(new),
        lesions=new,
        overall="PD" if worse or new or "nt" in seen else "NE" if total is None else stable,
        non_target="PD" if "nt" in seen else "NONE", growing=frozenset({"A"} if "nt" in seen else ()),
        symptom="symptom" in seen,
        new_targets={word.partition("=")[0]: int(word.partition("=")[2]) * 1000 for word in seen if "=" in word})


def irecist(baseline: str, points: str) -> Cells:
    """iRECIST of a series; RECIST's own response is worked out here from sum, baseline and nadir."""
    start = nadir = int(baseline) * 1000
    line = []
    for text in points.split("; "):
        line.append(_point(text, start, nadir))
        nadir = min(nadir, nadir if line[-1].sum_um is None else line[-1].sum_um)
    return (" ".join(answer.value or "-" for answer in respond(line, start, Immune())),)


def ibor(responses: str) -> Cells:
    """Both best responses by iRECIST."""
    assessed = [(42 * number, value) for number, value in enumerate(responses.split(), start=1)]
    return tuple(best(assessed, 0, Response(), confirmed=confirmed)[0] for confirmed in (False, True))


def ae_sets(_: str, *cells: str) -> Cells:
    """The analysis sets of one record."""
    onset, end, grade, serious, before, option = cells
    begins = "-" if not onset else onset if len(onset) == 7 else on(onset)
    lines = [f"{on(-30)} {on(20)} {before} no"] if before else []
    lines.append(f"{begins} {on(end) if end else '-'} {grade} {serious}")
    derived = conclude(treated(), table("drug_administration", f"start_date dose_mg\n{on(100)} 200"),
                       table("disposition", f"event date\nend_of_component {on(100)}"),
                       table("adverse_event", "onset end_date grade serious\n" + "\n".join(lines)),
                       rules=ruled(option))
    found = rows(derived, "ae_episode", "in_registered", "in_teae", "in_extended", number=len(lines))
    return told(*found[0])


def ae_at_cutoff(_: str, *cells: str) -> Cells:
    """One record, the worst grade of its subject, and OS, as of a cut-off."""
    onset, end, grade, outcome, death, before, cut_off = cells
    lines = [f"{on(30)} - {before} ongoing"] if before else []
    lines.append(f"{on(onset)} {on(end) if end else '-'} {grade} {outcome or '-'}")
    parts = [treated(), table("adverse_event", "onset end_date grade outcome\n" + "\n".join(lines))]
    parts += [table("vital_status", f"death\n{on(death)}")] if death else []
    derived = conclude(*parts, cut_off=on(cut_off) if cut_off else None)
    found = rows(derived, "ae_episode", "grade", "fatal", "end", number=len(lines)) or [(None, None, None)]
    worst = max((grade for (grade,) in rows(derived, "ae_episode", "grade") if grade is not None), default=None)
    grade_, fatal, ended = found[0]
    return told(grade_, fatal, after(ended) or None, worst, one(derived, "time_to_event", "status", endpoint="OS"))


def radiotherapy_dose(records: str, option: str) -> Cells:
    """The dose and the subgroup of one subject; every record of one text belongs to one course."""
    parts = [treated()]
    courses = ["level start_date part_of resource"]
    volumes = ["volume dose_cgy resource"]
    for number, record in enumerate(records.split(", ") if records else ()):
        level, volume, dose = record.split()
        resource = "c" if level == "course" else f"p{number}"
        if resource not in (line.split()[3] for line in courses[1:]):
            courses.append(f"{level} {on(7)} {'-' if level == 'course' else 'c'} {resource}")
        volumes.append(f"{volume} {dose} {resource}")
    if records:
        parts += [table("radiotherapy", "\n".join(courses)), table("radiotherapy_volume", "\n".join(volumes))]
    derived = conclude(*parts, rules=ruled(option))
    dose, group = one(derived, "exposure", "dose_cgy", "at_least_subgroup", treatment="radiotherapy")
    return told(None if dose is None else f"{(dose / 100).normalize():f}", group)


def baseline(scans: str) -> Cells:
    """The baseline of one subject."""
    lines = [f"{on(scan.split()[0])} CT {'yes' if 'called' in scan else 'no'}" for scan in scans.split(", ")]
    derived = conclude(treated(), table("tumor_assessment", "start_date method stated_baseline\n" + "\n".join(lines)))
    day, deviation = one(derived, "baseline", "date", "deviation")
    return told(after(day) or None, deviation)


def missed_scans(interval: str, window: str, steps: str, last: str) -> Cells:
    """The gap allowed."""
    changed = tuple(tuple(int(part) for part in step.split(":")) for step in steps.split(", ") if step)
    schedule = Schedule.model_validate({"interval_days": int(interval), "window_days": int(window), "steps": changed})
    return (str(gap_allowed(schedule, int(last))),)


PROVED: dict[str, Callable[..., Cells]] = {
    "recist_target": recist_target, "recist_overall": recist_overall, "best_response": best_response, "pfs": pfs_rule,
    "os": os_rule, "irecist": irecist, "ibor": ibor, "ae_sets": ae_sets, "ae_at_cutoff": ae_at_cutoff,
    "radiotherapy_dose": radiotherapy_dose, "baseline": baseline, "missed_scans": missed_scans, **OPTIONS,
}
"""Who proves which file."""

CASES = [(rule.name, given, expected) for rule in rules() for given, expected in rule.cases]


def test_every_rule_is_proved() -> None:
    """No file without a prover, no prover without a file, no rule without a case."""
    assert {rule.name for rule in rules()} == set(PROVED)
    assert all(rule.cases for rule in rules())


@pytest.mark.parametrize(("name", "given", "expected"), CASES, ids=[
    f"{name}: {' | '.join(given)}" for name, given, _ in CASES])
def test_rule(name: str, given: Cells, expected: Cells) -> None:
    """The row holds."""
    assert PROVED[name](*given) == expected
