"""What the figures show, before a line is drawn."""

from fhir_adapter.core.figures import Curve, CurveStep
from fhir_adapter.endpoints.conclusions import AliveEvidence, Exposure, TimePoint
from fhir_adapter.report import survival, swimmer, waterfall, words
from fhir_adapter.report.drawing import month_ticks
from tests.report.build import MONTH, ORIGIN, conclude, event, frames, kaplan_meier, response, treated


def test_numbers_at_risk_are_those_followed_just_before() -> None:
    """Kaplan and Meier 1958 §3: at risk at t are all whose time is t or later; after the last nobody."""
    curve = kaplan_meier("OS", "", [(10, True), (20, False), (20, True), (30, True)])

    assert [words.at_risk(curve, days) for days in (0, 10, 11, 20, 21, 30, 31)] == [4, 4, 3, 3, 1, 1, 0]


def test_curve_in_words_has_every_number() -> None:
    """Who cannot see the curve reads subjects, events, median and the interval's method."""
    curve = kaplan_meier("PFS", "table_a", [(30, True), (61, True), (91, True), (400, False)])

    said = survival.alternative((curve,), MONTH)

    assert said.startswith("Kaplan-Meier curve of progression-free survival. PFS, table A: 4 subjects, 3 events,")
    assert "median 2.0 months" in said
    assert "log-log" in said


def test_nobody_followed_gives_no_curve() -> None:
    """An empty Kaplan-Meier table is no figure."""
    assert survival.figure((Curve(endpoint="OS", rule="", n=0, events=0),), MONTH, "2026-06-30") is None


def test_curve_with_one_step_is_drawn() -> None:
    """One subject on one day is enough for a figure."""
    step = CurveStep(days=1, at_risk=1, events=1, censored=0, survival=0.0)

    assert survival.figure((Curve(endpoint="OS", rule="", n=1, events=1, steps=(step,)),), MONTH, "") is not None


def test_ticks_are_few_and_reach_the_end() -> None:
    """At most a dozen ticks, whatever the follow-up."""
    assert month_ticks(5.2) == [0, 1, 2, 3, 4, 5, 6]
    assert all(len(month_ticks(months)) <= 13 and month_ticks(months)[-1] >= months for months in range(1, 240))


def test_waterfall_runs_from_growth_to_shrinkage() -> None:
    """Ties by subject; colour by unconfirmed response; the mark only where CR or PR was confirmed."""
    tables = frames(
        *treated("S-1"), response("S-1", "PR", -450, confirmed=False), response("S-1", "SD", -450, confirmed=True),
        *treated("S-2"), response("S-2", "PD", 1340, confirmed=False), response("S-2", "PD", 1340, confirmed=True),
        *treated("S-3"), response("S-3", "PR", -450, confirmed=False), response("S-3", "PR", -450, confirmed=True),
        *treated("S-4"), response("S-4", "NE", None, confirmed=False), response("S-4", "NE", None, confirmed=True),
        *treated("S-5"),
    )

    found = waterfall.waterfall(tables, "treated")

    assert [(bar.subject, bar.change, bar.response, bar.confirmed) for bar in found.bars] == [
        ("S-2", 134.0, "PD", False), ("S-1", -45.0, "PR", False), ("S-3", -45.0, "PR", True)
    ]
    assert found.without == ("S-4", "S-5")
    assert "2 at or below -30 %, 1 at or above +20 %; 2 without a bar" in waterfall.alternative(found)


def test_best_response_is_that_of_the_counted_series() -> None:
    """A second evaluator's series does not colour the bar."""
    tables = frames(
        *treated("S-1"), response("S-1", "PR", -400, confirmed=False), response("S-1", "PR", -400, confirmed=True),
        conclude(type(response("S-1", "PD", 500, confirmed=True)), subject="S-1", evaluator="central 1",
                 source="lesions", confirmed=False, headline=False, value="PD", best_change_permille=500),
    )

    assert [bar.response for bar in waterfall.waterfall(tables, "treated").bars] == ["PR"]


def test_lane_has_treatment_scans_progression_and_end() -> None:
    """Days count from the start of OS; radiotherapy may begin before it; a death in PFS is no progression."""
    tables = frames(
        *treated("S-1"), event("S-1", "OS", "", 101), event("S-1", "PFS", "treatment_policy", 61, reason="progression"),
        conclude(Exposure, subject="S-1", treatment="anlotinib", first_date="2024-01-01", last_date="2024-02-01"),
        conclude(Exposure, subject="S-1", treatment="radiotherapy", first_date="2023-12-20", last_date="2024-01-20"),
        conclude(TimePoint, subject="S-1", evaluator="investigator", source="lesions", number=1, grouping="visit",
                 date="2024-02-11", last_date="2024-02-12", censor_date="2024-02-12", overall="PR", chosen=True),
        conclude(TimePoint, subject="S-1", evaluator="investigator", source="reported", number=1, grouping="visit",
                 date="2024-02-11", last_date="2024-02-12", censor_date="2024-02-12", overall="SD", chosen=False),
        conclude(TimePoint, subject="S-1", evaluator="central 1", source="lesions", number=1, grouping="visit",
                 date="2024-02-11", last_date="2024-02-12", censor_date="2024-02-12", overall="PD", chosen=True),
        response("S-1", "PR", -400, confirmed=True),
        *treated("S-2"), event("S-2", "OS", "", 201), event("S-2", "PFS", "treatment_policy", 201, reason="death"),
    )

    longest, other = swimmer.swimmer(tables, "treated", "treatment_policy").lanes

    assert (longest.subject, longest.progression) == ("S-2", None)
    assert (other.end, other.died, other.progression) == (100, True, 60)
    assert (other.drugs, other.radiotherapy) == ((0, 31), (-12, 19))
    assert other.responses == ((41, "PR"),)


def test_lane_of_an_undetermined_survival_ends_at_the_last_proof_of_life() -> None:
    """It is marked as unsure; without a start or a proof of life there is no lane."""
    proof = conclude(AliveEvidence, subject="S-1", kind="vital_sign", date="2024-03-01", latest=True)
    tables = frames(*treated("S-1"), event("S-1", "OS", "", 0, "undetermined"), proof,
                    *treated("S-2"), event("S-2", "OS", "", 0, "undetermined"), *treated("S-3"))

    found = swimmer.swimmer(tables, "treated", "treatment_policy")

    assert [(lane.subject, lane.end, lane.unsure) for lane in found.lanes] == [("S-1", 60, True)]
    assert found.without == ("S-2", "S-3")
    assert swimmer.figure(found, MONTH, str(ORIGIN)) is not None
