"""Which open conflicts may change which conclusions of a subject, also when they hold none of the deciding facts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from fhir_adapter.endpoints.frames import Ground, Trial

IDENTITY = frozenset({"merged_patient", "merge_taken_back", "one_person_two_hospitals", "changed_after_decision",
                      "withdrawal_level_open"})
DEATH = frozenset({"death_dates_disagree", "death_date_missing", "partial_date", "activity_after_death",
                   "fatal_ae_without_death", "hidden_record"})
RESPONSE = frozenset({"readers_disagree", "lesion_measured_twice", "lesion_role_disagrees", "unit_implausible",
                      "unit_unknown", "response_contradiction", "ambiguous_time_point", "retracted_record",
                      "hidden_record"})
THERAPY = frozenset({"therapy_role_unknown", "unmapped_code", "ambiguous_coding", "wider_code", "hidden_record"})

_TABLES: dict[str, tuple[str, ...]] = {
    "response": ("lesion", "lesion_measurement", "response_assessment", "tumor_assessment"),
    "therapy": ("anticancer_therapy", "drug_administration", "medication", "procedure", "radiotherapy"),
    "death": ("vital_status", "adverse_event", "performance_status", "hospital_stay", "drug_administration",
              "lab_result", "vital_sign", "procedure", "radiotherapy", "lesion_measurement", "tumor_assessment",
              "response_assessment", "disposition"),
}
_KINDS = {"response": RESPONSE, "therapy": THERAPY, "death": DEATH, "identity": IDENTITY}


class Held:
    """Open conflicts by subject and area: response, therapy, death, identity."""

    def __init__(self, trial: Trial, doubted: Mapping[str, Iterable[str]] | None = None) -> None:
        """`doubted`: by subject the kinds of open conflicts that hold no fact (a record after death, an identity)."""
        self._found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for name, frame in trial.tables.items():
            some = frame[frame["held_kind"].notna()]
            for subject, kind in zip(some["subject"].tolist(), some["held_kind"].tolist(), strict=True):
                if kind in IDENTITY:
                    self._found[subject, "identity"].add(kind)
                for area, tables in _TABLES.items():
                    if name in tables and kind in _KINDS[area]:
                        self._found[subject, area].add(kind)
        for subject, kinds in (doubted or {}).items():
            for kind in kinds:
                for area in [area for area, known in _KINDS.items() if kind in known]:
                    self._found[subject, area].add(kind)

    def add(self, subject: str, area: str, kind: str) -> None:
        """A doubt that the derivation itself found."""
        self._found[subject, area].add(kind)

    def of(self, subject: str, *areas: str) -> Ground:
        """What may change a conclusion that depends on these areas; identity always does."""
        kinds = set().union(*(self._found.get((subject, area), set()) for area in (*areas, "identity")))
        return Ground(held=frozenset(kinds))
