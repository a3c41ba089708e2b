"""The kinds of conflict: who settles each, whether it blocks a cut, and what counts while it is open.

Source of the provisional effects: endpoints.md §0, "While a conflict is open nobody disappears".
"""

from fhir_adapter.core.conflicts import ConflictKind, Owner

_MANAGER, _INVESTIGATOR, _ADJUDICATOR = Owner.DATA_MANAGER, Owner.INVESTIGATOR, Owner.ADJUDICATOR
_PICK = ("accept", "exclude", "override", "confirm", "defer")


def _kind(name: str, title: str, owner: Owner, meanwhile: str, choices: tuple[str, ...], *,
          blocking: bool = True) -> ConflictKind:
    return ConflictKind(name=name, title=title, owner=owner, blocking=blocking, meanwhile=meanwhile, choices=choices)


CODES = (
    _kind("unmapped_code", "A code that nobody has mapped", _MANAGER,
          "records with it are kept and wait; a drug is neither exposure nor new therapy",
          ("map_code", "unmatched", "defer")),
    _kind("ambiguous_coding", "Codings of one record that mean different things", _MANAGER,
          "the record waits", ("map_code", "unmatched", "exclude", "defer")),
    _kind("wider_code", "A code that is wider than the concept it leads to", _MANAGER,
          "the record waits", ("map_code", "unmatched", "exclude", "defer")),
)
"""Conflicts about codes: scope is hospital, system and code, one decision for every record that carries it."""

KINDS = (
    *CODES,
    _kind("unit_unknown", "A unit that nobody can convert", _MANAGER, "the values are excluded",
          ("exclude", "confirm", "defer")),
    _kind("unit_contradicts_code", "A mass code with a molar unit, or the other way round", _MANAGER,
          "the unit is believed", ("confirm", "defer"), blocking=False),
    _kind("unit_implausible", "A size that only makes sense in another unit", _MANAGER,
          "the measurement is excluded", _PICK),
    _kind("onset_dates_differ", "An adverse event with two onset dates", _INVESTIGATOR,
          "the earlier date counts", _PICK, blocking=False),
    _kind("grades_disagree", "An adverse event with two grades", _INVESTIGATOR, "the higher grade counts", _PICK),
    _kind("withdrawal_level_open", "A withdrawal without a level", _INVESTIGATOR,
          "the subject is not asked for; earlier data stay", ("set_level", "defer")),
    _kind("death_date_missing", "A death without a date", _INVESTIGATOR,
          "dead one day after the last proof of life", _PICK),
    _kind("partial_date", "A date that matters, known to the month or year only", _INVESTIGATOR,
          "an imputed date within its bounds counts, flagged", _PICK),
    _kind("radiotherapy_dose_implausible", "A radiotherapy dose that only makes sense in another unit", _INVESTIGATOR,
          "the dose is unknown", _PICK),
    _kind("merged_patient", "A patient record that the hospital replaced by another", _MANAGER,
          "the two records are joined", ("confirm", "split", "defer")),
    _kind("merge_taken_back", "A merge of two patient records that the hospital took back", _MANAGER,
          "two subjects; what was recorded while they were one may stand with either", ("confirm", "join", "defer")),
    _kind("one_person_two_hospitals", "One person who seems to be two subjects", _MANAGER,
          "two subjects", ("join", "confirm", "defer")),
    _kind("death_dates_disagree", "Two dates of one death", _INVESTIGATOR,
          "dead at the earliest full date that is not before the last proof of life, else at the latest", _PICK),
    _kind("activity_after_death", "Something done to a subject after death", _INVESTIGATOR,
          "the death stands", _PICK),
    _kind("fatal_ae_without_death", "A fatal adverse event of a subject who is not recorded as dead", _INVESTIGATOR,
          "alive", _PICK),
    _kind("readers_disagree", "Two readings of one scan", _ADJUDICATOR, "the worse reading counts", _PICK),
    _kind("evaluators_disagree", "Investigator and central review differ", _ADJUDICATOR,
          "their series stay apart", _PICK, blocking=False),
    _kind("lesion_measured_twice", "Two sizes of one lesion on one day", _INVESTIGATOR,
          "the worse reading counts", _PICK),
    _kind("lesion_role_disagrees", "A lesion with two roles", _INVESTIGATOR, "the role of the sheet counts", _PICK),
    _kind("duplicate_adverse_event", "Adverse events that may be one", _MANAGER, "all count", _PICK, blocking=False),
    _kind("retracted_record", "A record that decided something and was retracted", _MANAGER,
          "it does not count", ("confirm", "defer")),
    _kind("hidden_record", "A record that decided something and is no longer visible to us", _MANAGER,
          "it counts as it was last seen", ("confirm", "exclude", "defer")),
    _kind("therapy_role_unknown", "A treatment of which nobody said what it was for", _INVESTIGATOR,
          "not new therapy", ("set_role", "defer")),
    _kind("response_contradiction", "Responses of one reader that cannot follow each other", _INVESTIGATOR,
          "the worse reading counts", _PICK),
    _kind("response_unlike_sizes", "A reported response that the measured lesions do not give", _INVESTIGATOR,
          "the source that is analysed counts, the other stands beside it", ("confirm", "exclude", "override", "defer"),
          blocking=False),
    _kind("ambiguous_time_point", "Scans that may belong to one time point or to two", _INVESTIGATOR,
          "one time point for each interval", _PICK),
    _kind("radiotherapy_dose_ambiguous", "Volumes that may add up to the subgroup's dose", _INVESTIGATOR,
          "a group of its own", _PICK),
    _kind("grade_not_in_ctcae",
          "A term, or a grade of it, that its CTCAE version does not have, or that cannot be checked", _INVESTIGATOR,
          "the event counts with the grade as stated", _PICK, blocking=False),
    _kind("fatal_grade_disagrees", "A fatal outcome without grade 5, or grade 5 with another outcome", _INVESTIGATOR,
          "the event counts as fatal, with the grade as stated", _PICK, blocking=False),
    _kind("dates_out_of_order", "Dates that cannot follow each other", _MANAGER, "both dates count as stated", _PICK,
          blocking=False),
    _kind("data_after_withdrawal", "Records dated after the subject withdrew their use", _MANAGER,
          "they count", _PICK),
    _kind("data_before_consent", "Study treatment before consent", _INVESTIGATOR, "it counts as given", _PICK,
          blocking=False),
    _kind("dose_out_of_protocol", "A dose that the protocol does not have", _INVESTIGATOR, "it counts as given", _PICK,
          blocking=False),
    _kind("target_rules_broken", "Target lesions that RECIST does not allow", _INVESTIGATOR,
          "they are targets as stated", _PICK, blocking=False),
    _kind("method_changed", "A lesion measured by another method than before", _INVESTIGATOR, "all sizes count", _PICK,
          blocking=False),
    _kind("radiotherapy_total_differs", "Doses of radiotherapy that do not add up", _INVESTIGATOR,
          "the total as stated counts", _PICK),
    _kind("dead_by_performance_status", "A performance status of 5 of a subject who is not recorded as dead",
          _INVESTIGATOR, "alive", _PICK),
    _kind("histology_missing", "A diagnosis without the histology of the trial", _INVESTIGATOR,
          "the subject counts", _PICK, blocking=False),
    _kind("person_differs", "Records that give one person two ages or sexes", _MANAGER, "the oldest record's count",
          _PICK),
    _kind("expected_not_received", "Something expected that is missing", _MANAGER, "it is missing",
          ("confirm", "defer"), blocking=False),
    _kind("no_contact", "A subject of whom nobody has heard for too long", _MANAGER,
          "censored at the last proof of life", ("confirm", "defer"), blocking=False),
    _kind("scan_missing", "A planned scan that has not come", _MANAGER,
          "the assessment counts as missed", ("confirm", "defer"), blocking=False),
    _kind("ae_grade_differs", "An adverse event whose grade is not the one of its values", _INVESTIGATOR,
          "the grade counts as reported", ("confirm", "override", "exclude", "defer"), blocking=False),
    _kind("causality_disagrees", "Two judgements of what caused an adverse event", _INVESTIGATOR,
          "related, if one of them says so", _PICK, blocking=False),
    _kind("serious_event_not_reported", "A serious event of the safety database that no hospital reports",
          _INVESTIGATOR, "only what hospitals report counts", ("confirm", "defer")),
    _kind("safety_report_differs", "The safety database and a hospital differ about one event", _INVESTIGATOR,
          "what the hospital reports counts", _PICK),
    _kind("lab_grade_without_ae", "A value of grade 3 or more without an adverse event", _INVESTIGATOR,
          "the value keeps its grade; no event is made of it", ("confirm", "exclude", "defer"), blocking=False),
)
"""Every kind of conflict."""

BY_NAME = {kind.name: kind for kind in KINDS}
CODE_KINDS = frozenset(kind.name for kind in CODES)
OVERDUE_KINDS = frozenset({"no_contact", "scan_missing"})
"""Conflicts about what is overdue: whether they are there depends on the day that a hospital has reached."""
UNIT_KINDS = frozenset({"unit_unknown", "unit_contradicts_code"})
"""Conflicts about units: like those about codes one for every record of a hospital that carries it."""
