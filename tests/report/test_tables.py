"""The tables of the page: adverse events, treatment, conflicts, completeness, options, subjects."""

from decimal import Decimal

from fhir_adapter.core.figures import Completeness, OpenConflict, Rate
from fhir_adapter.core.study import Hospital, Protocol
from fhir_adapter.endpoints.conclusions import Exposure
from fhir_adapter.report import adverse_events, headline, openness, subjects, treatment, words
from tests.report.build import adverse_event, conclude, context, event, frames, kind, response, summary, treated


def test_participants_count_once_at_the_worst_grade() -> None:
    """A missing grade neither raises nor lowers the worst; a class is not the sum of its terms (endpoints.md §10)."""
    tables = frames(
        *treated("S-1"), *treated("S-2"), *treated("S-3"),
        adverse_event("S-1", "Nausea", "Gastrointestinal disorders", 1, number=1),
        adverse_event("S-1", "Nausea", "Gastrointestinal disorders", 3, number=2, serious=True),
        adverse_event("S-1", "Diarrhea", "Gastrointestinal disorders", None, number=3),
        adverse_event("S-2", "Diarrhea", "Gastrointestinal disorders", None, related=True),
        adverse_event("S-3", "Fatigue", "General disorders", 5, in_registered=False, in_teae=True),
    )

    lines = adverse_events.table(tables, "registered")

    assert [(line.level, line.name, line.participants) for line in lines] == [
        ("any", "Any adverse event", 2), ("soc", "Gastrointestinal disorders", 2), ("term", "Diarrhea", 2),
        ("term", "Nausea", 1),
    ]
    assert lines[0].by_grade == {"1": 0, "2": 0, "3": 1, "4": 0, "5": 0, "missing": 1}
    assert lines[2].by_grade["missing"] == 2
    assert (lines[0].grade_3_or_more, lines[0].serious, lines[0].related) == (1, 1, 1)
    assert (adverse_events.counts(tables, "teae").grade_5, adverse_events.counts(tables, "registered").n) == (1, 3)


def test_most_frequent_first_then_alphabet() -> None:
    """Classes and terms by participants, ties by name without regard to case."""
    tables = frames(*(adverse_event(subject, term, soc, 1, number=number) for number, (subject, term, soc) in enumerate(
        [("S-1", "b", "Two"), ("S-1", "A", "Two"), ("S-1", "x", "One"), ("S-2", "x", "One")])))

    assert [line.name for line in adverse_events.table(tables, "registered")[1:]] == ["One", "x", "Two", "A", "b"]


def test_exactly_sixty_gray_is_in_the_subgroup_and_unknown_is_not_below() -> None:
    """Groups as concluded; those without a radiotherapy row count as none (endpoints.md §13)."""
    rows = [conclude(Exposure, subject=subject, treatment="radiotherapy", at_least_subgroup=group,
                     dose_cgy=None if dose is None else Decimal(dose))
            for subject, group, dose in (("S-1", "yes", 6000), ("S-2", "no", 5940), ("S-3", "unknown", None))]
    tables = frames(*(one for number in range(1, 5) for one in treated(f"S-{number}")), *rows,
                    event("S-1", "OS", "", 90), event("S-2", "OS", "", 89))

    groups = {group.name: group for group in treatment.dose_groups(tables, "treated", 60, 90)}

    assert {name: group.subjects for name, group in groups.items()} == {
        "at least 60 Gy": 1, "below 60 Gy": 1, "ambiguous: volumes that may add up to 60 Gy": 0, "dose unknown": 1,
        "no study radiotherapy": 1}
    assert groups["at least 60 Gy"].dose == "60 (60–60)"
    assert groups["below 60 Gy"].dose == "59.4 (59.4–59.4)"
    assert (groups["at least 60 Gy"].at_landmark, groups["below 60 Gy"].at_landmark) == (1, 0)


def test_unknown_amounts_are_said_not_counted_as_zero() -> None:
    """A total over known amounts names how many are known."""
    rows = [conclude(Exposure, subject=subject, treatment="anlotinib", doses=14, evidence=rank,
                     total_mg=None if total is None else Decimal(total))
            for subject, total, rank in (("S-1", 168, "administered"), ("S-2", None, "stated"))]

    (drug,) = treatment.drugs(frames(*rows))

    assert drug.total_mg == "168 (168–168), 1 of 2 known"
    assert drug.doses == "14 (14–14)"
    assert drug.evidence == "administered 1, stated 1"


def test_blocking_kinds_come_first() -> None:
    """Each kind with its owner, what counts meanwhile, how many are open and closed, whom and where."""
    about = context(
        kinds=(kind("a", blocking=False), kind("b")), closed={"b": 4},
        conflicts=(OpenConflict("a", ("S-1",), ("west",)), OpenConflict("a", ("S-1",), ("west",)),
                   OpenConflict("b", (), ("east",)), OpenConflict("nobody described", ("S-2",))),
    )

    lines = openness.kind_lines(about)

    assert [(line.name, line.open, line.closed, line.subjects, line.blocking) for line in lines] == [
        ("b", 1, 4, 0, True), ("nobody described", 1, 0, 1, True), ("a", 2, 0, 1, False)]
    assert (lines[0].owner, lines[0].meanwhile, lines[0].hospitals) == ("investigator", "meanwhile of b", ("east",))


def test_a_gap_is_declared_an_open_window_is_not() -> None:
    """Each cell says what it is: whole, open, never whole, quarantine, declared gap, not asked."""
    south = Hospital.model_validate({"id": "south", "name": "South", "base_url": "https://south.example", "types": {
        "AdverseEvent": {"unavailable": {"since": "2026-01-05", "reason": "not offered", "signed_by": "dm1"}}}})
    rows = [("west", "AdverseEvent", "2026-07-01", None, 0), ("west", "Patient", None, None, 0),
            ("south", "Patient", "2026-07-01", "2026-07-02T04:00Z", 0), ("west", "Procedure", "2026-07-01", None, 2)]
    about = context(hospitals={"south": south}, completeness=tuple(
        Completeness(hospital=hospital, type=name, mode="full_reread", whole_as_of=whole, open_since=opened,
                     quarantined=waiting) for hospital, name, whole, opened, waiting in rows))

    grid = openness.grid(about)

    assert grid.hospitals == (("South", "R4, search"), ("west", ""))
    assert {name: [cell.state for cell in cells] for name, cells in grid.rows} == {
        "AdverseEvent": ["declared gap", "whole"], "Patient": ["open", "never whole"],
        "Procedure": ["not asked", "quarantine"]}
    assert (grid.incomplete, grid.gaps) == (3, 1)
    assert grid.rows[0][1][0].lines == ("not available since 2026-01-05: not offered (signed by dm1)",)


def test_every_option_is_printed_with_where_it_comes_from() -> None:
    """Stated ones and defaults alike (endpoints.md §14)."""
    protocol = Protocol.model_validate({"response": {"confirm_days": 30}, "regimen": {
        "anlotinib": {"dose_mg": 12, "doses_per_cycle": 14, "cycle_days": 21}}})

    found = {f"{one.table}.{one.key}": (one.value, one.stated) for one in openness.options(protocol)}

    assert found["response.confirm_days"] == ("30", True)
    assert found["response.sd_min_days"] == ("35", False)
    assert found["schedule.interval_days"] == ("not set", False)
    assert found["time_to_event.km_ci"] == ('"log-log"', False)
    assert found["endpoints.PFS.pfs_rule"] == ('"treatment_policy"', False)
    assert found["regimen.anlotinib.dose_mg"] == ("12", True)
    assert not any(name.startswith("trial.") for name in found)


def test_each_subject_says_why() -> None:
    """Both responses, both PFS rules, OS; days and months; what was imputed; kinds in words."""
    tables = frames(
        *treated("S-1"), response("S-1", "NE", None, confirmed=True, reason="too_early"),
        event("S-1", "PFS", "treatment_policy", 61, why="new lesion", imputed="day", provisional=True,
              held_kinds='["partial_date"]'),
    )

    (found,) = subjects.listing(tables, context(kinds=(kind("partial_date"),)), words.PFS_RULES)

    assert found.populations == "screened, enrolled, treated, safety, evaluable"
    assert [(line.name, line.value, line.reason) for line in found.endpoints] == [
        ("Best response, confirmed", "NE", "too early"), ("PFS, treatment policy", "event", "death")]
    assert (found.endpoints[1].date, found.endpoints[1].days) == ("2024-03-01, day imputed", "61 d (2.0 mo)")
    assert (found.endpoints[1].why, found.endpoints[1].kinds) == ("new lesion", ("Title of partial_date",))


def test_numbers_are_said_with_their_interval() -> None:
    """8/20 is 40.0 % with 19.1 to 63.9 (Clopper-Pearson, endpoints.md §4); no denominator, no interval."""
    assert words.interval(Rate(8, 20, 0.19119, 0.63946)) == "95 % CI 19.1–63.9 %"
    assert words.interval(Rate(0, 0)) == "no interval: nothing to estimate"
    assert words.of(0, 0) == "0/0"
    assert words.months(None, 30.4375) == "NR"


def test_responses_are_counted_in_the_population_of_efficacy() -> None:
    """Without counts from the estimates the page counts the conclusions: treated subjects only, in a fixed order."""
    tables = frames(*treated("S-1"), response("S-1", "SD", 0, confirmed=True), *treated("S-2"),
                    response("S-2", "CR", -1000, confirmed=True), response("S-3", "PD", 300, confirmed=True))

    assert headline.best_counts(tables, summary(), confirmed=True) == {"CR": 1, "SD": 1}
    assert headline.best_counts(tables, summary(best_confirmed={"CR": 7}), confirmed=True) == {"CR": 7}
