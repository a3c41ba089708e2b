"""Small builders of conclusions for the report's tests, and a whole study that looks like one (`demo`)."""

import math
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pandas as pd

from fhir_adapter import endpoints
from fhir_adapter.core.conflicts import ConflictKind, Owner
from fhir_adapter.core.figures import Completeness, Curve, CurveStep, Landmark, OpenConflict, Quantile, Rate, Summary
from fhir_adapter.core.study import Hospital, Protocol
from fhir_adapter.endpoints.conclusions import (
    AeEpisode,
    AliveEvidence,
    Baseline,
    BestResponse,
    Exposure,
    Population,
    TimePoint,
    TimeToEvent,
)
from fhir_adapter.report import Context

MONTH = 30.4375
ORIGIN = date(2024, 1, 1)
_TABLES = {one.record: one.name for one in endpoints.ALL}
_TAIL = {"why": "because the test says so", "provisional": False, "held_kinds": "[]", "facts": "[]"}


def conclude(record: type[Any], **values: Any) -> Any:
    """A conclusion with the columns at its end filled in."""
    return record(**{**_TAIL, **values})


def frames(*conclusions: Any) -> dict[str, pd.DataFrame]:
    """Frames by table name, as `derive` hands them on: every table, also the empty ones."""
    found: dict[str, pd.DataFrame] = {}
    for table in endpoints.ALL:
        columns = [field.name for field in msgspec.structs.fields(table.record)]
        rows = [msgspec.structs.asdict(one) for one in conclusions if type(one) is table.record]
        found[table.name] = pd.DataFrame(rows, columns=columns)
    return found


def member(subject: str, *populations: str) -> list[Any]:
    """A subject in these populations."""
    return [conclude(Population, subject=subject, population=name, included=True) for name in populations]


def treated(subject: str) -> list[Any]:
    """A subject in every population."""
    return member(subject, "screened", "enrolled", "treated", "safety", "evaluable")


def response(subject: str, value: str, change: int | None, *, confirmed: bool, **values: Any) -> Any:
    """A best response of the counted series; the change in permille."""
    return conclude(BestResponse, subject=subject, evaluator="investigator", source="lesions", confirmed=confirmed,
                    headline=confirmed, value=value, best_change_permille=change, **values)


def event(subject: str, endpoint: str, rule: str, days: int, status: str = "event", **values: Any) -> Any:
    """A time-to-event row that starts on `ORIGIN`."""
    reason = values.pop("reason", "death" if status == "event" else "last_alive")
    return conclude(TimeToEvent, subject=subject, endpoint=endpoint, rule=rule, headline=True,
                    start=values.pop("start", ORIGIN.isoformat()),
                    date=(ORIGIN + timedelta(days=days - 1)).isoformat() if status != "undetermined" else None,
                    status=status, days=days if status != "undetermined" else None, reason=reason, **values)


def adverse_event(subject: str, term: str, soc: str, grade: int | None, **values: Any) -> Any:
    """An adverse event of the registered set."""
    return conclude(AeEpisode, **{"subject": subject, "number": 1, "term": term, "coded": True, "soc": soc,
                                  "ctcae": "5.0", "grade": grade, "in_registered": True, **values})


def summary(**values: Any) -> Summary:
    """A summary of nobody, or of what is given."""
    nobody = {"screened": 0, "enrolled": 0, "treated": 0, "evaluable": 0, "orr_confirmed": Rate(0, 0),
              "orr_unconfirmed": Rate(0, 0), "dcr": Rate(0, 0)}
    return Summary(**{**nobody, **values})


def kind(name: str, *, blocking: bool = True) -> ConflictKind:
    """A kind of conflict."""
    return ConflictKind(name=name, title=f"Title of {name}", owner=Owner.INVESTIGATOR, blocking=blocking,
                        meanwhile=f"meanwhile of {name}", choices=("defer",))


def context(**values: Any) -> Context:
    """A context with a protocol of defaults."""
    return Context(**{"protocol": Protocol(), "cutoff": "2026-06-30", "generated": "2026-07-01T09:00:00+04:00",
                      "version": "0.0.test", **values})


def kaplan_meier(endpoint: str, rule: str, rows: Iterable[tuple[int, bool]]) -> Curve:
    """A plain product-limit estimate with log-log limits (Kalbfleisch and Prentice), enough for a picture."""
    followed = sorted(rows)
    survival, variance, steps = 1.0, 0.0, []
    for days in sorted({one for one, _ in followed}):
        at_risk = sum(one >= days for one, _ in followed)
        events = sum(one == days and happened for one, happened in followed)
        censored = sum(one == days and not happened for one, happened in followed)
        survival *= 1 - events / at_risk
        variance += events / (at_risk * (at_risk - events)) if at_risk > events else 0.0
        low, high = _limits(survival, variance)
        steps.append(CurveStep(days=days, at_risk=at_risk, events=events, censored=censored, survival=survival,
                               low=low, high=high))
    first = {name: next((step.days for step in steps if _at_most_half(getattr(step, name))), None)
             for name in ("survival", "low", "high")}
    return Curve(endpoint=endpoint, rule=rule, n=len(followed), events=sum(happened for _, happened in followed),
                 steps=tuple(steps), median=Quantile(first["survival"], first["low"], first["high"]),
                 rates=tuple(_landmark(steps, months * MONTH) for months in (6, 12, 24)))


def _at_most_half(value: float | None) -> bool:
    return value is not None and value <= 0.5


def _limits(survival: float, variance: float) -> tuple[float | None, float | None]:
    if not 0 < survival < 1:
        return (survival, survival)
    spread = 1.96 * math.sqrt(variance) / abs(math.log(survival))
    return survival ** math.exp(spread), survival ** math.exp(-spread)


def _landmark(steps: list[CurveStep], days: float) -> Landmark:
    before = [step for step in steps if step.days <= days]
    if not steps or steps[-1].days < days or not before:
        return Landmark(days=days, at_risk=0)
    at_risk = next((step.at_risk for step in steps if step.days >= days), 0)
    return Landmark(days=days, at_risk=at_risk, survival=before[-1].survival, low=before[-1].low, high=before[-1].high)


_AES = (
    ("Hypertension", "Vascular disorders", 0.45, (2, 2, 3)), ("Fatigue", "General disorders", 0.5, (1, 1, 2)),
    ("Fever", "General disorders", 0.2, (1, 2)), ("Anorexia", "Metabolism and nutrition disorders", 0.3, (1, 2)),
    ("Dysphagia", "Gastrointestinal disorders", 0.35, (1, 2, 3)),
    ("Mucositis oral", "Gastrointestinal disorders", 0.3, (1, 2, 3)),
    ("Diarrhea", "Gastrointestinal disorders", 0.25, (1, 2, None)),
    ("Pneumonitis", "Respiratory, thoracic and mediastinal disorders", 0.12, (1, 2, 3)),
    ("Bronchopulmonary hemorrhage", "Respiratory, thoracic and mediastinal disorders", 0.06, (3, 5)),
    ("Hypothyroidism", "Endocrine disorders", 0.3, (1, 2)),
    ("Palmar-plantar erythrodysesthesia syndrome", "Skin and subcutaneous tissue disorders", 0.28, (1, 2, 3)),
    ("Platelet count decreased", "Investigations", 0.25, (1, 2, 3, 4)),
    ("Alanine aminotransferase increased", "Investigations", 0.22, (1, 2, None)),
)
_HELD = ("death_dates_disagree", "readers_disagree", "partial_date", "duplicate_adverse_event")
_TYPES = ("Patient", "ResearchSubject", "MedicationAdministration", "Procedure", "Observation", "AdverseEvent",
          "BodyStructure", "Condition", "Encounter")


def demo(seed: int = 7) -> tuple[dict[str, pd.DataFrame], Summary, Context]:
    """A believable study of 60 enrolled subjects at three hospitals; nobody in it exists."""
    random = Random(seed)
    found: list[Any] = []
    times: dict[tuple[str, str], list[tuple[int, bool]]] = {}
    best: dict[str, list[str]] = {"confirmed": [], "unconfirmed": []}
    conflicts: list[OpenConflict] = []
    for number in range(1, 65):
        subject = f"ATC-{number:03d}"
        if number > 60:
            found += member(subject, "screened")
            found.append(conclude(Population, subject=subject, population="enrolled", included=False,
                                  reason="screening_failure", why="a screening failure was recorded"))
            continue
        if number > 58:
            found += member(subject, "screened", "enrolled")
            continue
        found += member(subject, "screened", "enrolled", "treated", "safety", *(["evaluable"] if number % 8 else []))
        held = random.choice(_HELD) if random.random() < 0.12 else ""
        if held:
            conflicts.append(OpenConflict(held, (subject,), (random.choice(["west", "east", "south"]),)))
        found += _demo_subject(random, subject, times, best, held)
    curves = tuple(kaplan_meier(endpoint, rule, rows) for (endpoint, rule), rows in sorted(times.items(), reverse=True))
    follow_up = kaplan_meier("OS", "", [(days, not died) for days, died in times["OS", ""]]).median
    tables = frames(*found)
    counted = {name: {value: values.count(value) for value in ("CR", "PR", "SD", "PD", "NE")}
               for name, values in best.items()}
    rates = {name: counted[name]["CR"] + counted[name]["PR"] for name in counted}
    total = summary(
        screened=64, enrolled=60, treated=58, evaluable=51,
        orr_confirmed=Rate(rates["confirmed"], 58, 0.25, 0.48),
        orr_unconfirmed=Rate(rates["unconfirmed"], 58, 0.31, 0.55),
        dcr=Rate(rates["confirmed"] + counted["confirmed"]["SD"], 58, 0.55, 0.79),
        best_confirmed=counted["confirmed"], best_unconfirmed=counted["unconfirmed"], curves=curves,
        follow_up=follow_up,
    )
    return tables, total, _demo_context(conflicts)


def _demo_context(conflicts: list[OpenConflict]) -> Context:
    from fhir_adapter.review.kinds import KINDS

    hospitals = {
        "west": Hospital(id="west", name="West hospital", base_url="http://127.0.0.1:1/fhir"),
        "east": Hospital(id="east", name="East hospital", base_url="http://127.0.0.1:2/fhir", fhir_version="R5"),
        "south": Hospital.model_validate({
            "id": "south", "name": "South hospital", "base_url": "http://127.0.0.1:3/fhir", "fhir_version": "STU3",
            "types": {"AdverseEvent": {"unavailable": {"since": "2026-01-05", "reason": "not offered by the EHR",
                                                       "signed_by": "dm1"}}}}),
        "desk": Hospital.model_validate({"id": "desk", "name": "Trial office",
                                         "pull": {"mode": "sheet", "path": "supplements/atc-pd1"}}),
    }
    whole = "2026-07-01T04:00:12+00:00"
    rows = [
        Completeness(hospital=hospital, type=kind, mode="last_updated", whole_as_of=whole)
        for hospital in ("west", "east", "south") for kind in _TYPES
        if (hospital, kind) not in {("south", "AdverseEvent"), ("east", "Observation"), ("south", "Encounter")}
    ]
    rows += [
        Completeness(hospital="desk", type="Sheet", mode="sheet", whole_as_of=whole, quarantined=1),
        Completeness(hospital="east", type="Observation", mode="full_reread",
                     whole_as_of="2026-06-28T04:00:12+00:00", open_since="2026-06-29T04:01:00+00:00"),
    ]
    conflicts = [*conflicts, OpenConflict("unmapped_code", (), ("east",)), OpenConflict("unmapped_code", (), ("west",))]
    protocol = Protocol.model_validate({
        "trial": {"id": "ATC-PD1", "title": "Tislelizumab, anlotinib and radiotherapy in anaplastic thyroid cancer "
                                            "(phase II, single arm)"},
        "schedule": {"interval_days": 42, "window_days": 7},
        "radiotherapy": {"protocol": {"from_day": -28, "to_day": 84}},
    })
    return context(protocol=protocol, hospitals=hospitals, kinds=KINDS, conflicts=tuple(conflicts),
                   closed={"unmapped_code": 3, "partial_date": 1}, completeness=tuple(rows), known_at=whole,
                   notice="Rehearsal data. Nobody in this report exists.")


def _demo_subject(random: Random, subject: str, times: dict[tuple[str, str], list[tuple[int, bool]]],
                  best: dict[str, list[str]], held: str) -> list[Any]:
    value = random.choices(("CR", "PR", "SD", "PD", "NE"), (4, 34, 30, 22, 10))[0]
    gain = {"CR": 3.2, "PR": 2.0, "SD": 1.2, "PD": 0.6, "NE": 0.5}[value]
    died = random.random() < 0.76
    life = max(20, int(random.expovariate(1 / 230) * gain ** 0.5) + 20)
    free = max(15, min(life, int(life * random.uniform(0.35, 1.0))))
    progressed = free < life and value != "NE"
    tail = {"provisional": bool(held), "held_kinds": f'["{held}"]' if held else "[]",
            "why": "Two readings of one scan differ; the worse one counts." if held else "As the scans say."}
    start = ORIGIN + timedelta(days=random.randint(0, 500))
    found: list[Any] = []

    def at(days: int) -> str:
        return (start + timedelta(days=days)).isoformat()

    status = "event" if progressed or died else "censored"
    ends = [("PFS", "treatment_policy", free if progressed else life, status,
             "progression" if progressed else "death" if died else "last_assessment"),
            ("OS", "", life, "event" if died else "censored", "death" if died else "last_alive")]
    censored = random.random() < 0.18
    ends.insert(1, ("PFS", "table_a", max(1, int(ends[0][2] * 0.7)) if censored else ends[0][2],
                    "censored" if censored else status, "new_therapy" if censored else ends[0][4]))
    for endpoint, rule, days, state, why in ends:
        times.setdefault((endpoint, rule), []).append((days, state == "event"))
        found.append(conclude(TimeToEvent, subject=subject, endpoint=endpoint, rule=rule, headline=True, start=at(0),
                              date=at(days - 1), status=state, days=days, reason=why, **tail))
    confirmed = value if value not in ("CR", "PR") or random.random() < 0.8 else "SD"
    change = {"CR": -1000, "PR": random.randint(-850, -300), "SD": random.randint(-290, 190),
              "PD": random.randint(-100, 1400)}.get(value)
    found += [response(subject, value, change, confirmed=False, **tail),
              response(subject, confirmed, change, confirmed=True, **tail)]
    best["confirmed"].append(confirmed)
    best["unconfirmed"].append(value)
    found.append(conclude(Baseline, subject=subject, evaluator="investigator",
                          date=at(-9), targets=2,
                          sum_um=random.randint(12, 140) * 1000, age=random.randint(48, 81),
                          sex=random.choice(("female", "male")),
                          ecog=random.choice((0, 1, 1, 2)), first_dose=at(0), first_treatment=at(0)))
    found.append(conclude(AliveEvidence, subject=subject, kind="vital_sign", date=at(life - 2), latest=True))
    for number, day in enumerate(range(42, free + 1, 42), start=1):
        last = number == len(range(42, free + 1, 42))
        seen = "PD" if progressed and last else value if value in ("CR", "PR") and number > 1 else "SD"
        found.append(conclude(TimePoint, subject=subject, evaluator="investigator", source="lesions", number=number,
                              grouping="visit", date=at(day + random.randint(-4, 4)), last_date=at(day + 4),
                              censor_date=at(day), overall=seen, chosen=True))
    found += _demo_safety(random, subject, at, min(free, life))
    return found


def _demo_safety(random: Random, subject: str, at: Any, last: int) -> list[Any]:
    cycles = max(1, last // 21)
    found: list[Any] = [
        conclude(Exposure, subject=subject, treatment="tislelizumab", evidence="administered", doses=cycles,
                 total_mg=Decimal(200 * cycles), first_date=at(0), last_date=at((cycles - 1) * 21),
                 duration_days=cycles * 21, relative_intensity=Decimal(random.randint(70, 100))),
        conclude(Exposure, subject=subject, treatment="anlotinib",
                 evidence=random.choice(("administered", "stated")), doses=cycles * 14,
                 total_mg=Decimal(168 * cycles) if random.random() < 0.9 else None, first_date=at(1),
                 last_date=at((cycles - 1) * 21 + 14), duration_days=cycles * 21),
    ]
    group = random.choices(("yes", "no", "unknown", "ambiguous", ""), (28, 22, 4, 2, 4))[0]
    if group:
        dose = {"yes": random.choice((6000, 6600)), "no": random.choice((3000, 4500, 5940))}.get(group)
        found.append(conclude(Exposure, subject=subject, treatment="radiotherapy", doses=1, first_date=at(-3),
                              last_date=at(min(40, last)), dose_cgy=None if dose is None else Decimal(dose),
                              at_least_subgroup=group))
    for number, (term, soc, chance, grades) in enumerate(_AES, start=1):
        if random.random() < chance:
            grade = random.choice(grades)
            found.append(adverse_event(subject, term, soc, grade, number=number, serious=(grade or 0) >= 3,
                                       related=random.random() < 0.6, in_teae=random.random() < 0.9,
                                       in_extended=(grade or 0) >= 3))
    return found
