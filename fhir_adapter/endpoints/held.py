"""Which open conflicts may change which conclusions of a subject, also when they hold none of the deciding facts."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec
import pandas as pd

from fhir_adapter.endpoints.frames import Ground, Trial

IDENTITY = frozenset({"merged_patient", "merge_taken_back", "one_person_two_hospitals", "changed_after_decision",
                      "withdrawal_level_open"})
DEATH = frozenset({"death_dates_disagree", "death_date_missing", "partial_date", "activity_after_death",
                   "fatal_ae_without_death"})
RESPONSE = frozenset({"readers_disagree", "lesion_measured_twice", "lesion_role_disagrees", "unit_implausible",
                      "unit_unknown", "response_contradiction", "ambiguous_time_point"})
THERAPY = frozenset({"therapy_role_unknown", "unmapped_code", "ambiguous_coding", "wider_code"})
LOST = frozenset({"retracted_record", "hidden_record"})
"""A record is gone or out of sight: what that may change follows from the facts that it stated, not from the kind."""

_TABLES: dict[str, tuple[str, ...]] = {
    "response": ("lesion", "lesion_measurement", "response_assessment", "tumor_assessment"),
    "therapy": ("anticancer_therapy", "drug_administration", "medication", "procedure", "radiotherapy"),
    "death": ("vital_status", "adverse_event", "performance_status", "hospital_stay", "drug_administration",
              "lab_result", "vital_sign", "procedure", "radiotherapy", "lesion_measurement", "tumor_assessment",
              "response_assessment", "disposition"),
}
_KINDS = {"response": RESPONSE, "therapy": THERAPY, "death": DEATH, "identity": IDENTITY}

_TREATED = frozenset({"drug_administration", "radiotherapy", "anticancer_therapy", "procedure"})
"""What decides when a study treatment began: study days, windows and the start of clocks hang on it."""

_TUMOUR = frozenset(_TABLES["response"])
_OS = frozenset(_TABLES["death"]) | _TREATED
_RESTS_ON = {
    "baseline": _TUMOUR | _TREATED,
    "population": _TUMOUR | _TREATED | {"vital_status"},
    "treatment": frozenset(_TABLES["therapy"]),
    "time_point": _TUMOUR | _TREATED,
    "immune_time_point": _TUMOUR | _TREATED,
    "best_response": _TUMOUR | frozenset(_TABLES["therapy"]),
    "immune_best_response": _TUMOUR | frozenset(_TABLES["therapy"]),
    "time_to_event": _TUMOUR | _OS | frozenset(_TABLES["therapy"]),
    "alive_evidence": frozenset(_TABLES["death"]),
    "assessment_compliance": _TUMOUR | _TREATED | {"vital_status"},
    "ae_episode": _TREATED | {"adverse_event"},
    "lab_toxicity": _TREATED | {"lab_result"},
    "exposure": _TREATED | {"radiotherapy_volume", "medication"},
}
"""By conclusion the fact tables whose rows can change it; of overall survival `_OS`."""


class Open(msgspec.Struct, frozen=True):
    """An open conflict of a subject, and of which fact tables its sides are."""

    kind: str
    tables: frozenset[str] = frozenset()


def marked(frames: dict[str, pd.DataFrame], doubted: Mapping[str, Iterable[Open]]) -> dict[str, pd.DataFrame]:
    """The conclusions, provisional where a record that they could rest on was retracted or is out of sight.

    Such a record's facts are not among those that decided (a retracted one does not count any more), so nothing else
    would tell whoever reads the conclusion that somebody has to say whether it was a mistake to take it away.
    """
    lost = [(subject, one) for subject, some in doubted.items() for one in some if one.kind in LOST]
    return {name: _marked(name, frame, lost) for name, frame in frames.items()} if lost else frames


def _marked(name: str, frame: pd.DataFrame, lost: list[tuple[str, Open]]) -> pd.DataFrame:
    kinds: dict[str, set[str]] = defaultdict(set)
    survival: dict[str, set[str]] = defaultdict(set)
    for subject, one in lost:
        if one.tables & _RESTS_ON[name]:
            kinds[subject].add(one.kind)
        if one.tables & _OS:
            survival[subject].add(one.kind)
    if not kinds or frame.empty:
        return frame
    endpoints = frame["endpoint"].tolist() if name == "time_to_event" else [""] * len(frame)
    held = [written if not (more := (survival if endpoint == "OS" else kinds).get(subject)) else
            json.dumps(sorted({*json.loads(written), *more}))
            for subject, endpoint, written in zip(frame["subject"].tolist(), endpoints, frame["held_kinds"].tolist(),
                                                  strict=True)]
    provisional = [one != "[]" for one in held]
    return frame.assign(held_kinds=pd.Series(held, index=frame.index, dtype=object),
                        provisional=pd.Series(provisional, index=frame.index, dtype=frame["provisional"].dtype))


class Held:
    """Open conflicts by subject and area: response, therapy, death, identity."""

    def __init__(self, trial: Trial, doubted: Mapping[str, Iterable[Open]] | None = None) -> None:
        """`doubted`: by subject the open conflicts, also those that hold no fact (an identity)."""
        self._found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for name, frame in trial.tables.items():
            some = frame[frame["held_kind"].notna()]
            for subject, kind in zip(some["subject"].tolist(), some["held_kind"].tolist(), strict=True):
                if kind in IDENTITY:
                    self._found[subject, "identity"].add(kind)
                for area, tables in _TABLES.items():
                    if name in tables and kind in _KINDS[area]:
                        self._found[subject, area].add(kind)
        for subject, conflicts in (doubted or {}).items():
            for one in conflicts:
                for area in [area for area, known in _KINDS.items() if one.kind in known]:
                    self._found[subject, area].add(one.kind)

    def add(self, subject: str, area: str, kind: str) -> None:
        """A doubt that the derivation itself found."""
        self._found[subject, area].add(kind)

    def of(self, subject: str, *areas: str) -> Ground:
        """What may change a conclusion that depends on these areas; identity always does."""
        kinds = set().union(*(self._found.get((subject, area), set()) for area in (*areas, "identity")))
        return Ground(held=frozenset(kinds))
