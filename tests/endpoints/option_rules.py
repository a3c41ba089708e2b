"""Provers of the rules that show what the options of endpoints.md §14 change (see `rules.py`, `test_rules.py`)."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from fhir_adapter.core.protocol import Protocol, Schedule
from fhir_adapter.core.study import Radiotherapy
from fhir_adapter.endpoints import summary
from fhir_adapter.endpoints.courses import Volume
from fhir_adapter.endpoints.estimates import Followed, curve
from fhir_adapter.endpoints.frames import NOTHING
from fhir_adapter.endpoints.radiation import effects
from fhir_adapter.endpoints.subgroup_estimates import Timed, at_landmark
from tests.endpoints.build import (
    Facts,
    baseline_scan,
    conclude,
    facts,
    one,
    overall,
    pfs,
    protocol,
    rows,
    table,
    treated,
)
from tests.endpoints.graded import graded, lab, one_grade

START = date(2023, 1, 2)
Cells = tuple[str, ...]


def on(days: str | int) -> str:
    """The day so many days after the start."""
    return (START + timedelta(days=int(days))).isoformat()


def after(day: Any) -> str:
    """So many days after the start; empty for none."""
    return "" if day is None else str((date.fromisoformat(day) - START).days)


def told(*values: Any) -> Cells:
    """Cells of values."""
    return tuple("" if value is None else ("no", "yes")[value] if isinstance(value, bool) else str(value)
                 for value in values)


def options(text: str) -> dict[str, Any]:
    """`name=value` as an option of the protocol; a list has its items joined by `+`."""
    name, _, value = text.partition("=")
    if not name:
        return {}
    return {name: tuple(value.split("+")) if name == "dose_levels" else {"true": True, "false": False}.get(
        value, int(value) if value.isdigit() else value)}


def ruled(text: str) -> Protocol:
    """The tests' protocol with an option in whichever of its tables has it."""
    chosen = options(text)
    if set(chosen) <= set(pfs()["PFS"].__class__.model_fields):
        return protocol(endpoints=pfs(**chosen))
    section = next(name for name in ("response", "time_to_event", "population", "toxicity", "radiotherapy")
                   if set(chosen) <= set(getattr(protocol(), name).__class__.model_fields))
    return protocol(**{section: chosen})


def reported(text: str) -> Facts:
    """`42 SD, 84 PR` as the investigator's responses."""
    return overall("\n".join(f"{on(scan.split()[0])} {scan.split()[1]}" for scan in text.split(", "))) if text else {}


def response_source(lesions: str, reports: str, option: str) -> Cells:
    """The analysed source and the headline's best response."""
    sizes = "".join(f"T1 {on(scan.split()[0])} {scan.split()[1]}\n" for scan in lesions.split(", "))
    derived = conclude(treated(), table("lesion", "lesion\nT1"), reported(reports),
                       table("lesion_measurement", f"lesion date mm\nT1 2022-12-20 50\n{sizes}"), rules=ruled(option))
    return told(*one(derived, "best_response", "source", "value", headline=True))


def time_points(first: str, second: str, schedule: str, option: str) -> Cells:
    """The time points after the baseline as days from the start."""
    rules = ruled(option) if schedule == "yes" else ruled(option).model_copy(update={"schedule": Schedule()})
    derived = conclude(treated(), table("lesion", "lesion\nT1\nT2"), table("lesion_measurement", (
        f"lesion date mm\nT1 2022-12-20 30\nT2 2022-12-20 20\nT1 {on(first)} 30\nT2 {on(second)} 20")), rules=rules)
    spans = [(after(begins), after(ends)) for number, begins, ends in rows(
        derived, "time_point", "number", "date", "last_date", source="lesions") if number]
    return (", ".join(begins if begins == ends else f"{begins}-{ends}" for begins, ends in spans),)


def clocks(radiotherapy: str, death: str, option: str) -> Cells:
    """PFS of the headline rule."""
    parts = [treated(), baseline_scan(), reported("42 SD"), table("vital_status", f"death\n{on(death)}")]
    parts += [table("radiotherapy", f"start_date\n{on(radiotherapy)}")] if radiotherapy else []
    start, days, status, ended = one(conclude(*parts, rules=ruled(option)), "time_to_event", "start", "days", "status",
                                     "date", endpoint="PFS", headline=True)
    return told(after(start), days, status, after(ended))


def _followed(times: str) -> list[Followed]:
    return [Followed(int(time.rstrip("+")), not time.endswith("+")) for time in times.split(", ")]


def survival_median(times: str, option: str) -> Cells:
    """Median, and the survival at six months to four digits."""
    found = curve("OS", "", _followed(times), ruled(option).time_to_event)
    rate, median = found.rates[0].survival, found.median.days
    return told(None if median is None else f"{median:g}", None if rate is None else f"{round(rate, 4):g}")


def survival_limits(times: str, option: str) -> Cells:
    """Median and its limits."""
    median = curve("OS", "", _followed(times), ruled(option).time_to_event).median
    return told(*(None if day is None else f"{day:g}" for day in (median.days, median.low, median.high)))


def landmark(subjects: str, option: str) -> Cells:
    """Who is left out, and subjects and events by level."""
    timed = []
    for number, words in enumerate(said.split() for said in subjects.split(", ")):
        timed.append(Timed(subject=f"S{number}", days=int(words[0].rstrip("+")), event=not words[0].endswith("+"),
                           level=words[1], since=int(words[2]) if len(words) > 2 else None))
    found = at_landmark("dose", "OS", timed, {}, ruled(option))
    by_level = {level.name: f"{level.curve.events} of {level.curve.n}" for level in found.levels}
    return told(sum(found.excluded.values()) or None, by_level.get("yes"), by_level.get("no"))


def response_rates(option: str) -> Cells:
    """The rate of the headline."""
    parts = [treated(subject=f"S{number}") for number in (1, 2, 3)]
    parts += [table("disposition", "subject event date\nS4 enrolled 2022-12-28"), *(
        table("lesion_measurement", f"subject lesion date mm\n{subject} T1 2022-12-20 50\n" + "".join(
            f"{subject} T1 {on(day)} {size}\n" for day in days)) for subject, size, days in (
            ("S1", 30, (42, 84)), ("S2", 48, (42, 84)), ("S3", 50, ()))),
        table("lesion", "subject lesion\nS1 T1\nS2 T1\nS3 T1")]
    rules = ruled(option)
    rate = summary(conclude(facts(*parts), rules=rules).frames, rules).orr_confirmed
    return (f"{rate.x} of {rate.n}",)


def relatedness(judged: str, option: str) -> Cells:
    """Whether the event is related to any component."""
    lines = [f"a {component} {'-' if word == '?' else word}" for component, word in (
        said.split() for said in judged.split(", ") if said)]
    parts = [treated(), table("adverse_event", "resource onset\na 2023-01-12")]
    parts += [table("ae_causality", "resource component related\n" + "\n".join(lines))] if lines else []
    return told(one(conclude(*parts, rules=ruled(option)), "ae_episode", "related"))


TERMS = {"neutrophils": "Neutrophil count decreased", "sodium": "Hyponatremia"}


def lab_options(test: str, value: str, low: str, high: str, option: str) -> Cells:
    """The grade of one value."""
    name, unit = test.split()
    chosen: dict[str, Any] = {key: str(said) for key, said in options(option).items()}
    derived = graded(lab(name, value, unit, low=low or None, high=high or None), version=chosen.pop("ctcae", "5.0"),
                     **chosen)
    return told(one_grade(derived, TERMS[name], "grade"))


def radiotherapy_effect(dose: str, fractions: str, option: str) -> Cells:
    """EQD2 and BED of one volume."""
    volume = Volume(level="course", volume="PTV", dose_cgy=Decimal(dose).scaleb(2),
                    fractions=int(fractions) if fractions else None, ground=NOTHING)
    found = effects(volume, ruled(option).radiotherapy.alpha_beta)
    return told(found.get("eqd2_gy"), found.get("bed_gy"))


def radiotherapy_role(start: str, option: str) -> Cells:
    """What a course is for."""
    limits = option.removeprefix("protocol=").split("..") if option else []
    window = {"from_day": int(limits[0]), "to_day": int(limits[1])} if limits else None
    derived = conclude(treated(), table("radiotherapy", f"start_date\n{on(start)}"),
                       rules=protocol(radiotherapy=Radiotherapy.model_validate({"protocol": window})))
    return told(one(derived, "treatment", "role", kind="radiotherapy"))


def exposure(drug: str, doses: str) -> Cells:
    """The exposure to one drug."""
    lines = []
    for span, amount in (dose.split() for dose in doses.split(", ")):
        first, _, last = span.partition("..")
        lines += [f"{drug} {on(day)} {amount}" for day in range(int(first), int(last or first) + 1)]
    derived = conclude(table("drug_administration", "\n".join(["drug start_date dose_mg", *lines])))
    return told(*one(derived, "exposure", "doses", "total_mg", "duration_days", "relative_intensity", "dose_percent",
                     treatment=drug))


def response_duration(scans: str, therapy: str, option: str) -> Cells:
    """TTR, and DOR under both rules."""
    new = table("anticancer_therapy", f"therapy start_date\ndabrafenib {on(therapy)}") if therapy else {}
    derived = conclude(treated(), baseline_scan(), reported(scans), new, rules=ruled(option))
    found = [next(iter(rows(derived, "time_to_event", "days", "status", endpoint=endpoint, rule=rule)), (None, None))
             for endpoint, rule in (("TTR", ""), ("DOR", "treatment_policy"), ("DOR", "table_a"))]
    return told(found[0][0], *found[1], *found[2])


PROVED: dict[str, Callable[..., Cells]] = {
    "response_source": response_source, "time_points": time_points, "clocks": clocks,
    "survival_median": survival_median, "survival_limits": survival_limits, "landmark": landmark,
    "response_rates": response_rates, "relatedness": relatedness, "lab_options": lab_options,
    "radiotherapy_effect": radiotherapy_effect, "radiotherapy_role": radiotherapy_role,
    "exposure": exposure, "response_duration": response_duration,
}
"""Who proves which file."""
