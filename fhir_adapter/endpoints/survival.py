"""Who died when, and until when others are known to be alive.

Proof of life: scans and measurements, given drugs, radiotherapy and procedures, stays, onsets of adverse events, ECOG
0 to 4, contacts. No proof: prescriptions, dispensing, results on archived tissue, pathology, anything after death.
Death: stated with a date; a fatal adverse event alone does not make a subject dead.
- Full dates that disagree: the earliest that is not before the last proof of life, else the latest.
- Day missing: the 15th, not before the last proof of life, within the month.
- Month missing, or no date at all: the day after the last proof of life, within the year.
Every imputed date is flagged. Source: endpoints.md §0.15, §0.16, §7, §12, end of §0.
"""

from collections import defaultdict

import msgspec

from fhir_adapter.endpoints.conclusions import AliveEvidence
from fhir_adapter.endpoints.frames import Ground, Row, Trial, day, first_day, ground, last_day, together, written
from fhir_adapter.endpoints.treatment import Step

_DONE = frozenset({"completed", "stopped", "in-progress", "finished", "discharged", "onleave", "arrived", "triaged"})
_RESULTS = frozenset({"final", "amended", "corrected", "preliminary", "unknown"})
_STEPS = frozenset({"consent", "screened", "enrolled", "contact", "clinical_progression"})
_DEATHS = frozenset({"deceased_date", "deceased_flag", "sheet"})

Proof = tuple[str, int, Ground]
"""Kind, day, ground."""


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """The death of a subject: its day, and what of it was imputed (`day`, `month`, `date`)."""

    day: int
    imputed: str | None
    cause: str | None
    note: str
    ground: Ground


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a subject's life: the latest proof of each kind up to death, and the death."""

    latest: dict[str, Proof]
    death: Death | None

    @property
    def last_alive(self) -> Proof | None:
        """The latest proof of life."""
        return max(self.latest.values(), key=lambda proof: (proof[1], proof[0]), default=None)


def lives(trial: Trial, steps: dict[str, list[Step]], starts: dict[str, int]) -> dict[str, Life]:
    """The life of every subject; `starts` bounds an imputed death from below where nothing else does."""
    proofs = _proofs(trial, steps)
    stated: dict[str, list[Row]] = defaultdict(list)
    for row in trial.rows("vital_status"):
        if row.status == "dead" and row.statement in _DEATHS:
            stated[row.subject].append(row)
    found = {}
    for subject in sorted({*proofs, *stated}):
        some = proofs.get(subject, [])
        death = _death(stated[subject], some, starts.get(subject)) if stated.get(subject) else None
        latest: dict[str, Proof] = {}
        for proof in some:
            if death is None or proof[1] <= death.day:
                latest[proof[0]] = max(proof, latest.get(proof[0], proof), key=lambda one: one[1])
        found[subject] = Life(latest=latest, death=death)
    return found


def _death(stated: list[Row], proofs: list[Proof], start: int | None) -> Death:
    whole = together(ground("vital_status", row) for row in stated)
    cause = next((row.cause for row in stated if row.cause), None)
    full = sorted({number for row in stated if (number := day(row.death)) is not None})
    if full:
        alive = max((number for _, number, _ in proofs), default=0)
        chosen = next((number for number in full if number >= alive), full[-1])
        deciding = [ground("vital_status", row) for row in stated if day(row.death) == chosen]
        note = "death dates disagree: the earliest not before the last proof of life" if len(full) > 1 else ""
        return Death(day=chosen, imputed=None, cause=cause, note=note,
                     ground=Ground(together(deciding).refs if len(full) == 1 else whole.refs, whole.held))
    partial = max((row.death for row in stated if row.death), key=len, default=None)
    low, high = first_day(partial) or 0, last_day(partial)
    alive = max((number for _, number, _ in proofs if high is None or number <= high), default=start or 0)
    if partial is not None and len(partial) == 7:
        number, imputed = max(low + 14, alive, start or 0), "day"
    else:
        number, imputed = max(alive + 1, low, start or 0), "date" if partial is None else "month"
    number = number if high is None else min(number, high)
    note = {"day": "the day of death is not known", "month": "only the year of death is known",
            "date": "dead, the date is not known"}[imputed]
    return Death(day=number, imputed=imputed, cause=cause, note=f"{note}: imputed", ground=whole)


def _proofs(trial: Trial, steps: dict[str, list[Step]]) -> dict[str, list[Proof]]:
    found: dict[str, list[Proof]] = defaultdict(list)
    for table, row, dates in _dated(trial):
        for text in dates:
            number = first_day(text)
            if number is not None:
                found[row.subject].append((table, number, ground(table, row)))
    for subject, some in steps.items():
        found[subject].extend((step.event, step.day, step.ground) for step in some
                              if step.event in _STEPS and step.day is not None)
    return found


def _dated(trial: Trial) -> list[tuple[str, Row, tuple[str | None, ...]]]:
    """Facts that prove life, each with the days it proves."""
    found: list[tuple[str, Row, tuple[str | None, ...]]] = []
    for table in ("lab_result", "vital_sign"):
        found.extend((table, row, (row.date,)) for row in trial.rows(table) if row.status in _RESULTS)
    found.extend(("lesion_measurement", row, (row.date,)) for row in trial.rows("lesion_measurement")
                 if row.method != "pathology")
    found.extend(("tumor_assessment", row, (row.start_date, row.end_date)) for row in trial.rows("tumor_assessment")
                 if row.method != "pathology")
    found.extend(("response_assessment", row, (row.date,)) for row in trial.rows("response_assessment")
                 if row.category != "best_overall")
    found.extend(("drug_administration", row, (row.start_date, row.end_date))
                 for row in trial.rows("drug_administration") if row.given and row.evidence == "administered")
    found.extend(("medication", row, (row.start_date,)) for row in trial.rows("medication")
                 if row.evidence == "administered")
    for table in ("radiotherapy", "procedure"):
        found.extend((table, row, (row.start_date, row.end_date)) for row in trial.rows(table) if row.status in _DONE)
    found.extend(("hospital_stay", row, (row.start_date, None if row.died else row.end_date))
                 for row in trial.rows("hospital_stay") if row.status in _DONE)
    found.extend(("adverse_event", row, (row.onset,)) for row in trial.rows("adverse_event"))
    found.extend(("performance_status", row, (row.date,)) for row in trial.rows("performance_status")
                 if _lives(row.scale, int(row.score)))
    return found


def _lives(scale: str, score: int) -> bool:
    return score <= 4 if scale == "ECOG" else score > 0


def conclude(found: dict[str, Life]) -> list[AliveEvidence]:
    """One row per subject and kind of proof."""
    rows = []
    for subject, life in sorted(found.items()):
        last = life.last_alive
        for kind, (_, number, its_ground) in sorted(life.latest.items()):
            rows.append(AliveEvidence(
                subject=subject, kind=kind, date=written(number), latest=last is not None and number == last[1],
                **its_ground.told(f"alive on {written(number)}: {kind.replace('_', ' ')}"),
            ))
    return rows
