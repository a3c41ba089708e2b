"""The stable views, column by column."""
# ruff: noqa: S608 - these are statements of our own, without any value

from fhir_adapter.store.views import View, ViewColumn, col, completeness, concluded, real, stated

_COUNTED = "IN ('current', 'held')"
_EVALUATORS = ("investigator", "central 1", "central 2", "adjudicator")
_RESPONSES = ("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "NED")


def _member(population: str) -> ViewColumn:
    return col(population, f"(SELECT p.included FROM population p WHERE p.subject = s.subject AND p.population = "
               f"'{population}')", f"whether the subject belongs to the population `{population}`", type="boolean",
               source="population.included")


def _endpoint(name: str, column: str, endpoint: str, meaning: str, **about: object) -> ViewColumn:
    return col(name, f"(SELECT e.{column} FROM time_to_event e WHERE e.subject = s.subject AND e.endpoint = "
               f"'{endpoint}' AND e.headline ORDER BY e.rule LIMIT 1)", meaning,
               source=f"time_to_event.{column}", **about)


def _best(confirmed: str) -> str:
    return ("(SELECT b.value FROM best_response b WHERE b.subject = s.subject AND b.headline AND "
            f"b.confirmed = {confirmed} ORDER BY b.evaluator LIMIT 1)")


V_SUBJECT = View(
    name="v_subject", adam="ADSL", title="one row a subject: who they are, where they belong, how it went",
    key=("subject",),
    tables=("subject", "baseline", "population", "time_to_event", "best_response"),
    branches=("subject s LEFT JOIN baseline b ON b.subject = s.subject AND b.evaluator = 'investigator'",),
    columns=(
        col("subject", "s.subject", "trial number of the subject"),
        col("hospitals", "s.hospitals", "hospitals that know the subject, a JSON list"),
        col("state", "s.state", "last known state in the study, as the source writes it"),
        col("sex", "b.sex", "sex as administered", codes=("female", "male", "other", "unknown"), source="baseline.sex"),
        col("birth_year", "b.birth_year", "year of birth", type="integer", source="baseline.birth_year"),
        col("age", "b.age", "age", type="integer", unit="years",
            derivation="year of the first dose minus year of birth", source="baseline.age"),
        col("ecog", "b.ecog", "last ECOG on or before the first study treatment", type="integer",
            source="baseline.ecog"),
        col("enrolled_on", "b.enrolled", "day of enrolment", source="baseline.enrolled"),
        col("first_dose", "b.first_dose", "first dose above 0 of any study drug", source="baseline.first_dose"),
        col("first_treatment", "b.first_treatment", "first study treatment of any kind, radiotherapy included",
            source="baseline.first_treatment"),
        *(_member(name) for name in ("screened", "enrolled", "treated", "safety", "evaluable")),
        col("best_response_confirmed", _best("TRUE"), "best overall response, CR and PR confirmed", codes=_RESPONSES,
            source="best_response.value"),
        col("best_response_unconfirmed", _best("FALSE"), "best overall response without confirmation",
            codes=_RESPONSES, source="best_response.value"),
        _endpoint("pfs_status", "status", "PFS", "progression-free survival: what happened",
                  codes=("event", "censored", "undetermined")),
        _endpoint("pfs_date", "date", "PFS", "day of progression, death or censoring"),
        _endpoint("os_status", "status", "OS", "overall survival: what happened",
                  codes=("event", "censored", "undetermined")),
        _endpoint("os_date", "date", "OS", "day of death or of censoring"),
        col("standing", "CASE WHEN EXISTS (SELECT 1 FROM time_to_event e WHERE e.subject = s.subject AND "
            "e.provisional) OR COALESCE(b.provisional, FALSE) THEN 'held' ELSE 'current' END",
            "what the row counts for", codes=("current", "held"), derivation="held while provisional"),
        col("provisional", "(EXISTS (SELECT 1 FROM time_to_event e WHERE e.subject = s.subject AND e.provisional) "
            "OR COALESCE(b.provisional, FALSE))", "whether an open conflict may still change baseline or endpoints",
            type="boolean"),
        *completeness("completeness c WHERE s.hospitals LIKE '%\"' || c.hospital || '\"%'"),
    ),
)

V_EXPOSURE = View(
    name="v_exposure", adam="ADEX", title="one row a dose, a stated period of taking a drug, or an irradiated volume",
    key=("fact_key",),
    tables=("drug_administration", "radiotherapy", "radiotherapy_volume"),
    branches=(
        f"drug_administration d WHERE d.standing {_COUNTED}",
        f"radiotherapy_volume v WHERE v.standing {_COUNTED}",
    ),
    columns=(
        col("subject", ("d.subject", "v.subject"), "trial number of the subject"),
        col("hospital", ("d.hospital", "v.hospital"), "hospital that states it"),
        col("treatment", ("d.drug", "'radiotherapy'"), "drug concept, or `radiotherapy`",
            source="drug_administration.drug"),
        col("part", ("NULL", "v.volume"), "irradiated volume; empty for a drug", source="radiotherapy_volume.volume"),
        col("status", ("d.status", "(SELECT min(r.status) FROM radiotherapy r WHERE r.resource = v.resource AND "
                       "r.ordinal = v.ordinal)"), "status of the record"),
        col("given", ("d.given", "NULL"), "whether it counts as given; empty for radiotherapy", type="boolean",
            source="drug_administration.given"),
        col("evidence", ("d.evidence", "NULL"), "rank of the evidence",
            codes=("administered", "stated", "dispensed", "ordered"), source="drug_administration.evidence"),
        col("start_date", ("d.start_date", "(SELECT min(r.start_date) FROM radiotherapy r WHERE r.resource = "
                           "v.resource AND r.ordinal = v.ordinal)"), "first day, as precisely as known"),
        col("end_date", ("d.end_date", "(SELECT max(r.end_date) FROM radiotherapy r WHERE r.resource = v.resource "
                         "AND r.ordinal = v.ordinal)"), "last day, as precisely as known"),
        *real("dose", ("d.dose_mg", "v.dose_cgy"), "dose in `dose_unit`"),
        col("dose_unit", ("'mg'", "'cGy'"), "unit of the dose", codes=("mg", "cGy")),
        col("dose_written", ("d.dose_text", "v.dose_text"), "dose exactly as written"),
        col("dose_unit_written", ("d.dose_unit", "v.dose_unit"), "unit as written"),
        col("fractions", ("NULL", "v.fractions"), "fractions delivered; empty for a drug", type="integer",
            source="radiotherapy_volume.fractions"),
        *stated("d", "v"),
    ),
)

def _outlook(alias: str, endpoint: str, rule: str) -> str:
    return (f"(SELECT o.may_become FROM outlook o WHERE o.subject = {alias}.subject AND o.endpoint = {endpoint} "
            f"AND o.rule = {rule})")


def _may_become(*branches: str) -> ViewColumn:
    return col("may_become", branches, "what it would be, were an open conflict settled in each way that is possible: "
               "a JSON list of conflict, kind, way and value; empty: nothing moves it, or `derive --sensitivity` has "
               "not been run since the subject changed", source="outlook.may_become")


_BEST_RULE = ("(CASE WHEN b.confirmed THEN 'confirmed' ELSE 'unconfirmed' END) || ', ' || b.evaluator || ', ' || "
              "b.source")
_TIME_RULE = ("e.rule || CASE WHEN COALESCE(e.evaluator, '') IN ('', 'investigator') THEN '' WHEN e.rule = '' "
              "THEN e.evaluator ELSE ', ' || e.evaluator END")

V_RESPONSE = View(
    name="v_response", adam="ADRS", title="one row a time point's overall response, and the best overall responses",
    key=("subject", "evaluator", "source", "parameter", "number"),
    tables=("time_point", "best_response", "subject", "outlook"),
    branches=("time_point t", "best_response b"),
    columns=(
        col("subject", ("t.subject", "b.subject"), "trial number of the subject"),
        col("evaluator", ("t.evaluator", "b.evaluator"), "role of the reader", codes=_EVALUATORS),
        col("source", ("t.source", "b.source"), "computed from lesions, as reported, or without irradiated targets",
            codes=("lesions", "reported", "unirradiated")),
        col("parameter", ("'overall'", "CASE WHEN b.confirmed THEN 'best confirmed' ELSE 'best unconfirmed' END"),
            "what is told", codes=("overall", "best confirmed", "best unconfirmed")),
        col("number", ("t.number", "NULL"), "time point: 0 is the baseline; empty for a best response", type="integer",
            source="time_point.number"),
        col("visit", ("t.visit", "NULL"), "visit as stated", source="time_point.visit"),
        col("date", ("t.date", "b.date"), "first scan; for a best response the first assessment that gives it"),
        col("value", ("t.overall", "b.value"), "response; empty at and before the baseline", codes=_RESPONSES),
        col("analysed", ("t.chosen", "b.headline"), "whether this is the row that is counted", type="boolean"),
        col("target", ("t.target", "NULL"), "response of the targets", source="time_point.target"),
        col("non_target", ("t.non_target", "NULL"), "response of the other lesions", source="time_point.non_target"),
        col("new_lesion", ("t.new_lesion", "NULL"), "new lesion",
            codes=("unequivocal", "equivocal", "none", "not stated"), source="time_point.new_lesion"),
        col("sum_um", ("t.sum_um", "NULL"), "sum of diameters of the targets", type="integer", unit="um",
            source="time_point.sum_um"),
        col("change_permille", ("t.change_permille", "b.best_change_permille"),
            "change of the sum from baseline; for a best response the smallest one", type="integer", unit="permille"),
        *concluded("t", "b"),
        _may_become("NULL", _outlook("b", "'BOR'", _BEST_RULE)),
    ),
)

V_TIME_TO_EVENT = View(
    name="v_time_to_event", adam="ADTTE", title="one row an endpoint and rule: start, end, and whether it is the event",
    key=("subject", "endpoint", "rule", "evaluator"),
    tables=("time_to_event", "subject", "outlook"),
    branches=("time_to_event e",),
    columns=(
        col("subject", "e.subject", "trial number of the subject"),
        col("endpoint", "e.endpoint", "endpoint", codes=("PFS", "OS", "DOR", "TTR", "TTP", "iPFS")),
        col("rule", "e.rule", "censoring rules; empty where there is only one way",
            codes=("treatment_policy", "table_a", "")),
        col("headline", "e.headline", "whether this is the row that is analysed", type="boolean"),
        col("evaluator", "e.evaluator", "whose readings; empty where no reading decides", codes=(*_EVALUATORS, "")),
        col("source", "e.source", "which readings", codes=("lesions", "reported")),
        col("start", "e.start", "day on which the clock starts"),
        col("date", "e.date", "day of the event or of the censoring; empty when undetermined"),
        col("status", "e.status", "what happened on that day", codes=("event", "censored", "undetermined")),
        col("cnsr", "CASE e.status WHEN 'event' THEN 0 WHEN 'censored' THEN 1 END",
            "0 event, 1 censored, empty undetermined (ADTTE CNSR)", type="integer", derivation="from status"),
        col("days", "e.days", "date minus start, plus one if day one counts", type="integer", unit="days"),
        col("reason", "e.reason", "what decided, as a code"),
        col("imputed", "e.imputed", "what of the date was imputed", codes=("day", "month", "date")),
        *concluded("e"),
        _may_become(_outlook("e", "e.endpoint", _TIME_RULE)),
    ),
)

V_ADVERSE_EVENT = View(
    name="v_adverse_event", adam="ADAE", title="one row an adverse event record, with the analysis sets it belongs to",
    key=("subject", "number"),
    tables=("ae_episode", "subject"),
    branches=("ae_episode a",),
    columns=(
        col("subject", "a.subject", "trial number of the subject"),
        col("number", "a.number", "counts the subject's events by onset", type="integer"),
        col("term", "a.term", "CTCAE term, else the reported words"),
        col("coded", "a.coded", "whether the term is a CTCAE term", type="boolean"),
        col("soc", "a.soc", "system organ class"),
        col("ctcae", "a.ctcae", "CTCAE version of the grade"),
        col("grade", "a.grade", "CTCAE grade 1 to 5; missing stays missing", type="integer"),
        col("onset", "a.onset", "onset, as precisely as known"),
        col("onset_day", "a.onset_day", "study day of the onset; the first study treatment is day 1", type="integer"),
        col("end_date", 'a."end"', "end, as precisely as known; empty while it goes on", source="ae_episode.end"),
        col("serious", "a.serious", "serious: the flag or any criterion", type="boolean"),
        col("fatal", "a.fatal", "outcome fatal or grade 5", type="boolean"),
        col("related", "a.related", "related to any study component; empty when none is judged", type="boolean"),
        col("related_to", "a.related_to", "components judged related, a JSON list"),
        col("actions", "a.actions", "actions taken, a JSON list"),
        col("in_registered", "a.in_registered", "first study treatment to end of follow-up", type="boolean"),
        col("in_teae", "a.in_teae", "first study treatment to last component + 30 days", type="boolean"),
        col("in_extended", "a.in_extended", "serious or immune-related, to last component + 90 days", type="boolean"),
        col("radiotherapy_phase", "a.radiotherapy_phase", "acute or late after radiotherapy", codes=("acute", "late")),
        *concluded("a"),
    ),
)

V_LAB = View(
    name="v_lab", adam="ADLB", title="one row a laboratory result",
    key=("fact_key",),
    tables=("lab_result",),
    branches=(f"lab_result l WHERE l.standing {_COUNTED}",),
    columns=(
        col("subject", "l.subject", "trial number of the subject"),
        col("hospital", "l.hospital", "hospital that states it"),
        col("test", "l.test", "laboratory test concept"),
        col("date", "l.date", "day of the sample, as precisely as known"),
        col("time", "l.time", "time of day with offset, as written"),
        col("status", "l.status", "status of the record"),
        col("comparator", "l.comparator", "comparator as written: the value is a bound, not a number"),
        *real("value", "l.value", "value in the canonical unit"),
        col("unit", "l.unit", "canonical unit (UCUM)"),
        col("value_written", "l.value_text", "value exactly as written"),
        col("unit_written", "l.unit_text", "unit as written"),
        *real("low", "l.low", "lower limit of the record, canonical unit"),
        *real("high", "l.high", "upper limit of the record, canonical unit"),
        *stated("l"),
    ),
)


V_LAB_TOXICITY = View(
    name="v_lab_toxicity", adam="ADLB", title="one row a laboratory value or vital sign and CTCAE term: its grade",
    key=("subject", "number"),
    tables=("lab_toxicity", "subject"),
    branches=("lab_toxicity g",),
    columns=(
        col("subject", "g.subject", "trial number of the subject"),
        col("number", "g.number", "counts the subject's graded values by day, test and term", type="integer"),
        col("test", "g.test", "laboratory test or vital sign concept"),
        col("term", "g.term", "CTCAE term"),
        col("soc", "g.soc", "system organ class of the term"),
        col("direction", "g.direction", "which side of normal the term is about", codes=("low", "high")),
        col("ctcae", "g.ctcae", "CTCAE version of the grade"),
        col("date", "g.date", "day of the sample, as precisely as known"),
        *real("value", "g.value", "value in the canonical unit"),
        col("unit", "g.unit", "canonical unit (UCUM)"),
        col("grade", "g.grade", "grade by the named policy; 0 is a result, empty cannot be graded", type="integer"),
        col("lowest", "g.lowest", "lowest possible grade", type="integer"),
        col("highest", "g.highest", "highest possible grade", type="integer"),
        col("reason", "g.reason", "why it cannot be graded, as a code"),
        col("policy", "g.policy", "which grade was taken where symptoms decide", codes=("worst_case", "lowest")),
        col("screening", "g.screening", "a screening grade: never in tables", type="boolean"),
        col("is_baseline", "g.is_baseline", "whether this value is the baseline of its test", type="boolean"),
        col("baseline_grade", "g.baseline_grade", "grade of the baseline value", type="integer"),
        col("on_treatment", "g.on_treatment", "after the first study treatment, up to the end of the `teae` window",
            type="boolean"),
        col("worst", "g.worst", "the first value with the highest grade of the term on treatment", type="boolean"),
        col("shift", "g.shift", "baseline grade > worst grade on treatment; only with `worst`"),
        *concluded("g"),
    ),
)


def _of_lesion(column: str) -> str:
    return (f"(SELECT CASE WHEN count(DISTINCT n.{column}) = 1 THEN min(n.{column}) END FROM lesion n "
            f"WHERE n.subject = m.subject AND n.lesion = m.lesion AND n.standing {_COUNTED})")


V_TUMOR = View(
    name="v_tumor", adam="ADTR", title="one row a measurement of a lesion, or the reason for none",
    key=("fact_key",),
    tables=("lesion_measurement", "lesion"),
    branches=(f"lesion_measurement m WHERE m.standing {_COUNTED}",),
    columns=(
        col("subject", "m.subject", "trial number of the subject"),
        col("hospital", "m.hospital", "hospital that states it"),
        col("lesion", _of_lesion("label"), "L1, L2, ... within the subject", source="lesion.label"),
        col("role", _of_lesion("role"), "role; empty while sources disagree",
            codes=("target", "non-target", "new", "none"), source="lesion.role"),
        col("site", _of_lesion("site"), "organ or site concept; empty while sources disagree", source="lesion.site"),
        col("fragment", "m.fragment", "fragment of a split lesion; empty for a whole one"),
        col("date", "m.date", "day of the scan, as precisely as known"),
        col("visit", "m.visit", "visit as stated"),
        col("evaluator", "m.evaluator", "role of the reader", codes=_EVALUATORS),
        col("method", "m.method", "modality"),
        col("axis", "m.axis", "which diameter", codes=("longest", "short")),
        col("state", "m.state", "what was found",
            codes=("measured", "too_small", "absent", "not_evaluated", "present", "progressed")),
        col("size_um", "m.size_um", "diameter", type="integer", unit="um"),
        col("size_mm", "m.size_um / 1000.0", "diameter; floating point", type="real", unit="mm",
            derivation="size_um / 1000"),
        col("size_written", "m.size_text", "diameter exactly as written"),
        col("size_unit_written", "m.size_unit", "unit as written"),
        *stated("m"),
    ),
)

ALL: tuple[View, ...] = (
    V_SUBJECT, V_EXPOSURE, V_RESPONSE, V_TIME_TO_EVENT, V_ADVERSE_EVENT, V_LAB, V_LAB_TOXICITY, V_TUMOR,
)
"""Every view."""
