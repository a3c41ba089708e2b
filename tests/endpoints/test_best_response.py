"""Best overall response, confirmed and unconfirmed. Cases W20 to W33b; RECIST 1.1 §4.6 and its confirmation table."""

import json
from typing import Any

import pytest

from fhir_adapter.core.study import Response
from fhir_adapter.endpoints import summary
from fhir_adapter.endpoints.best_response import confirmed, unconfirmed
from tests.endpoints.build import PROTOCOL, conclude, doubts, facts, one, overall, protocol, rows, table, treated

DAYS = {42: "2023-02-13", 84: "2023-03-27", 126: "2023-05-08", 168: "2023-06-19"}


def best(assessed: str, **rules: Any) -> tuple[str, str, str | None, str | None]:
    """Unconfirmed and confirmed response, date of the first (confirmed) response, date of progression."""
    derived = conclude(treated(), overall(assessed), rules=protocol(response={"sd_min_days": 42, **rules}))
    values = rows(derived, "best_response", "confirmed", "value", "first_response_date", source="reported")
    by_kind = {kind: (value, date) for kind, value, date in values}
    progressed = rows(derived, "time_point", "progression_date", overall="PD")
    return by_kind[False][0], by_kind[True][0], by_kind[True][1], progressed[0][0] if progressed else None


def test_w20_a_partial_response_confirmed() -> None:
    """W20: 42 days apart; the response dates from the first PR."""
    assert best("2023-02-13 PR\n2023-03-27 PR") == ("PR", "PR", "2023-02-13", None)


def test_w22_pr_sd_pd() -> None:
    """W22: an unconfirmed PR falls back to SD when the minimum was met."""
    assert best("2023-02-13 PR\n2023-03-27 SD\n2023-05-08 PD")[:3] == ("PR", "SD", None)


def test_w23b_pr_early_then_pd_with_a_short_minimum() -> None:
    """W23b: PR at day 35, PD at day 77, minimum 28 days: SD; with the minimum of 42 it is PD."""
    assert best("2023-02-06 PR\n2023-03-20 PD", sd_min_days=28)[:2] == ("PR", "SD")
    assert best("2023-02-06 PR\n2023-03-20 PD")[:2] == ("PR", "PD")


def test_w24b_cr_then_pr_by_option() -> None:
    """W24b: `downgrade` re-reads the first CR as PR; the default reads progression; both raise a doubt."""
    assert best("2023-02-13 CR\n2023-03-27 PR", cr_then_pr="downgrade") == ("PR", "PR", "2023-02-13", None)
    assert best("2023-02-13 CR\n2023-03-27 PR") == ("CR", "SD", None, "2023-03-27")
    derived = conclude(treated(), overall("2023-02-13 CR\n2023-03-27 PR"))
    assert doubts(derived) == ["response_contradiction"]
    assert one(derived, "best_response", "held_kinds", headline=True) == '["response_contradiction"]'


def test_w26_stable_disease_too_early_then_progression() -> None:
    """W26: SD needs 42 days; the next assessment is PD."""
    assert best("2023-01-30 SD\n2023-03-13 PD")[:2] == ("PD", "PD")


def test_w28_a_response_after_progression_does_not_count() -> None:
    """W28: SD, PD, PR, PR is SD."""
    assert best("2023-02-13 SD\n2023-03-27 PD\n2023-05-08 PR\n2023-06-19 PR")[:2] == ("SD", "SD")


def test_w30_one_ne_between_two_pr() -> None:
    """W30: one NE is accepted by default, two are not, none by option."""
    assert best("2023-02-13 PR\n2023-03-06 NE\n2023-04-03 PR")[:3] == ("PR", "PR", "2023-02-13")
    assert best("2023-02-13 PR\n2023-03-06 NE\n2023-04-03 PR", max_ne_between=0)[1] == "SD"
    assert best("2023-02-13 PR\n2023-03-06 NE\n2023-04-03 NE\n2023-05-08 PR")[1] == "SD"


def test_w32_nobody_is_dropped_from_the_denominator() -> None:
    """W32: died before any scan, PR confirmed, PD: 1 of 3 responded."""
    derived = conclude(
        treated(subject="P1"), treated(subject="P2"), treated(subject="P3"),
        table("vital_status", "subject death\nP1 2023-02-01"),
        table("response_assessment", """
            subject date       value
            P2      2023-02-13 PR
            P2      2023-03-27 PR
            P3      2023-02-13 PD
            """))

    assert rows(derived, "best_response", "subject", "value", "reason", headline=True) == [
        ("P1", "NE", "no_assessment"), ("P2", "PR", None), ("P3", "PD", None)]
    found = summary(derived.frames, PROTOCOL)
    assert (found.orr_confirmed.x, found.orr_confirmed.n) == (1, 3)
    assert found.best_confirmed == {"NE": 1, "PD": 1, "PR": 1}


def test_w33b_stable_disease_between_by_option() -> None:
    """W33b: PR, SD, PR is PR only when SD between is accepted."""
    assert best("2023-02-13 PR\n2023-03-27 SD\n2023-05-08 PR", accept_sd_between=True)[:2] == ("PR", "PR")
    assert best("2023-02-13 PR\n2023-03-27 SD\n2023-05-08 PR")[:2] == ("PR", "SD")


SEQUENCES = """
days,values                  minimum unconfirmed confirmed
42,CR 84,CR                  35      CR          CR
42,CR 84,SD                  35      CR          SD
20,CR 30,SD                  35      CR          PD
42,CR 84,PD                  35      CR          SD
20,CR 84,PD                  35      CR          PD
42,CR 84,NE                  35      CR          SD
20,CR 30,NE                  35      CR          NE
42,PR 84,CR                  35      PR*         PR
42,PR 84,CR 126,CR           35      CR          CR
20,PR 30,SD                  35      PR          SD
20,PR 30,PD                  35      PR          PD
20,PR 30,NE                  35      PR          NE
42,NE 84,NE                  35      NE          NE
42,PR 63,PR 84,PR            35      PR          PR
42,PR 63,PR 84,SD            35      PR          SD
42,NON-CR/NON-PD 84,PD       35      NON-CR/NON-PD NON-CR/NON-PD
20,NON-CR/NON-PD 84,PD       35      PD          PD
20,SD                        35      NE          NE
"""


@pytest.mark.parametrize("line", SEQUENCES.strip().splitlines()[1:])
def test_the_confirmation_table(line: str) -> None:
    """Every row of the table of endpoints.md §2.5; `*`: a CR at the second assessment makes the unconfirmed best CR."""
    *pairs, minimum, plain, sure = line.split()
    assessed = [(int(day), value) for day, value in (pair.split(",") for pair in pairs)]
    rules = Response(sd_min_days=int(minimum))

    assert unconfirmed(assessed, 0, rules).value == ("CR" if plain == "PR*" else plain)
    assert confirmed(assessed, 0, rules).value == sure


def test_the_first_response_is_that_of_the_earliest_confirmed_one() -> None:
    """§0.9: PR, CR, CR is CR, but the response began with the PR."""
    assert best("2023-02-13 PR\n2023-03-27 CR\n2023-05-08 CR")[:3] == ("CR", "CR", "2023-02-13")


def test_assessments_after_new_therapy_do_not_count() -> None:
    """§2.5: the best response is taken before any new anticancer therapy; the same day counts."""
    therapy = table("anticancer_therapy", "therapy start_date\ndabrafenib 2023-03-01")
    derived = conclude(treated(), overall("2023-02-13 SD\n2023-03-27 PR\n2023-05-08 PR"), therapy)

    assert one(derived, "best_response", "value", headline=True) == "SD"


def test_same_day_disagreeing_responses_the_worst_counts() -> None:
    """§0.5: one reader, one day, PR and SD: SD provisionally, and a doubt; NE loses against any."""
    derived = conclude(treated(), overall("2023-02-13 PR\n2023-02-13 SD\n2023-03-27 NE\n2023-03-27 SD"))

    assert [value for (value,) in rows(derived, "time_point", "overall")] == ["SD", "SD"]
    assert doubts(derived) == ["response_contradiction", "response_contradiction"]


def test_the_best_change_goes_up_to_progression() -> None:
    """The waterfall takes the smallest complete sum up to progression."""
    derived = conclude(
        treated(), table("lesion", "lesion\nT1"),
        table("lesion_measurement", """
            lesion date       mm
            T1     2022-12-20 50
            T1     2023-02-13 40
            T1     2023-03-27 50
            T1     2023-05-08 10
            """))

    assert one(derived, "best_response", "value", "best_change_permille", headline=True) == ("SD", -200)


def test_the_source_is_reported_only_when_every_time_point_is() -> None:
    """§0.4: one unreported time point, and the subject is read from lesions; discordance is shown."""
    lesions = facts(
        treated(), table("lesion", "lesion\nT1"),
        table("lesion_measurement", "lesion date mm\nT1 2022-12-20 50\nT1 2023-02-13 40\nT1 2023-03-27 30"))
    whole = conclude(lesions, overall("2023-02-13 PR\n2023-03-27 PR"))
    part = conclude(lesions, overall("2023-03-27 PR"))

    assert one(whole, "best_response", "source", "value", headline=True) == ("reported", "PR")
    assert one(part, "best_response", "source", "value", headline=True) == ("lesions", "SD")
    assert rows(whole, "time_point", "number", "source", "overall", "chosen", discordant=True) == [
        (1, "lesions", "SD", False), (1, "reported", "PR", True)]
    asked = whole.doubts[whole.doubts.kind == "response_unlike_sizes"]
    assert [(json.loads(row.facts), json.loads(row["values"]), row.holds) for _, row in asked.iterrows()] == [
        (["response_assessment:response_assessment001"], ["time point 1: PR / SD"], False)]
    agreed = conclude(lesions, overall("2023-02-13 SD\n2023-03-27 NE"))
    assert "response_unlike_sizes" not in set(agreed.doubts.kind)
