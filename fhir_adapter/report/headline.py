"""The box at the top: the numbers that are quoted, each with its interval and with how far it can be trusted."""

import msgspec

from fhir_adapter.core.figures import AeCounts, Curve, Rate, Summary
from fhir_adapter.report import words
from fhir_adapter.report.adverse_events import counts
from fhir_adapter.report.conclusions import Frames, Row, best_responses, members, rows, times
from fhir_adapter.report.context import Context
from fhir_adapter.report.trust import Trust, trust


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One number: a title, the value in large, the interval or the small print under it, lines, and its trust."""

    title: str
    value: str
    under: str
    lines: tuple[tuple[str, str], ...] = ()
    trust: Trust
    wide: bool = False


def cards(frames: Frames, summary: Summary, context: Context) -> tuple[Card, ...]:
    """All cards, in the order in which they are read."""
    return (
        _subjects(frames, summary, context),
        *_responses(frames, summary, context),
        *_survival(frames, summary, context),
        _adverse_events(frames, summary, context),
    )


def ae_counts(frames: Frames, summary: Summary, analysis_set: str) -> AeCounts:
    """The counts of an analysis set: as estimated, or counted over the conclusions if the estimates lack them."""
    given = next((one for one in summary.adverse_events if one.name == analysis_set), None)
    return given if given is not None else counts(frames, analysis_set)


def best_counts(frames: Frames, summary: Summary, *, confirmed: bool) -> dict[str, int]:
    """Subjects by best response: as estimated, or counted over the conclusions if the estimates lack them."""
    given = summary.best_confirmed if confirmed else summary.best_unconfirmed
    if given:
        return {name: given[name] for name in sorted(given, key=_clinical_order)}
    of_subject, counted = best_responses(frames, confirmed=confirmed), members(frames, summary.efficacy)
    values = [of_subject[subject]["value"] for subject in counted if subject in of_subject]
    return {name: values.count(name) for name in words.RESPONSES if name in values}


def _clinical_order(response: str) -> int:
    """Best first, as it is read; what is none of them comes last."""
    return list(words.RESPONSES).index(response) if response in words.RESPONSES else len(words.RESPONSES)


def headline_rule(context: Context) -> str:
    """The censoring rule of the PFS that is quoted first."""
    settings = context.protocol.endpoints.get("PFS")
    return settings.pfs_rule if settings is not None else words.PFS_RULES[0]


def pfs_rules(context: Context) -> tuple[str, ...]:
    """Both rules, the headline first."""
    first = headline_rule(context)
    return (first, *(rule for rule in words.PFS_RULES if rule != first))


def _subjects(frames: Frames, summary: Summary, context: Context) -> Card:
    return Card(
        title="Subjects", value=str(summary.enrolled), under="enrolled",
        lines=(("screened", str(summary.screened)), ("treated", str(summary.treated)),
               ("evaluable for response", str(summary.evaluable))),
        trust=trust(context, rows(frames, "population"), "population"),
    )


def _responses(frames: Frames, summary: Summary, context: Context) -> tuple[Card, ...]:
    counted = set(members(frames, summary.efficacy))

    def card(title: str, rate: Rate, values: dict[str, int], confirmed: bool) -> Card:
        found = [row for subject, row in best_responses(frames, confirmed=confirmed).items() if subject in counted]
        return Card(
            title=title, value=f"{words.percent(rate.share)} %" if rate.n else "no subject",
            under=f"{rate.x} of {rate.n} {summary.efficacy}; {words.interval(rate)}, exact",
            lines=tuple((name, str(n)) for name, n in values.items() if n),
            trust=trust(context, found, "response"),
        )

    return (
        card("ORR, confirmed", summary.orr_confirmed, best_counts(frames, summary, confirmed=True), True),
        card("ORR, unconfirmed", summary.orr_unconfirmed, best_counts(frames, summary, confirmed=False), False),
        card("Disease control (DCR)", summary.dcr, {}, True),
    )


def _survival(frames: Frames, summary: Summary, context: Context) -> tuple[Card, ...]:
    first = headline_rule(context)
    found = []
    for endpoint, rule, result in (
        *(("PFS", rule, "progression") for rule in pfs_rules(context)), ("OS", "", "survival"),
    ):
        curve = summary.curve(endpoint, rule)
        name = f"Median PFS, {words.RULES[rule]}" if endpoint == "PFS" else "Median OS"
        if endpoint == "PFS" and rule != first:
            name += " (beside)"
        found.append(_curve(name, curve, list(times(frames, endpoint, rule).values()), context, result))
    per_month = context.protocol.time_to_event.days_per_month
    follow_up = summary.follow_up
    found.append(Card(
        title="Median follow-up", value=words.median(follow_up, per_month),
        under=f"reverse Kaplan-Meier; {words.median_interval(follow_up, per_month)}",
        trust=trust(context, list(times(frames, "OS").values()), "survival"),
    ))
    return tuple(found)


def _curve(title: str, curve: Curve | None, found: list[Row], context: Context, result: str) -> Card:
    per_month = context.protocol.time_to_event.days_per_month
    beside = trust(context, found, result)
    if curve is None or not curve.steps:
        return Card(title=title, value="no estimate", under="nobody could be followed", trust=beside)
    lines = [("events", f"{curve.events} of {curve.n}")]
    if curve.undetermined:
        lines.append(("undetermined, not in the curve", str(curve.undetermined)))
    lines += [
        (f"{words.months(rate.days, per_month).removesuffix('.0')} months",
         f"{words.percent(rate.survival)} %" if rate.survival is not None else "beyond follow-up")
        for rate in curve.rates[:2]
    ]
    return Card(title=title, value=words.median(curve.median, per_month),
                under=words.median_interval(curve.median, per_month), lines=tuple(lines), trust=beside)


def _adverse_events(frames: Frames, summary: Summary, context: Context) -> Card:
    found = ae_counts(frames, summary, "registered")
    registered = [row for row in rows(frames, "ae_episode") if row["in_registered"]]
    return Card(
        title="Participants with adverse events", value=f"{found.any} of {found.n}",
        under=f"{words.percent(found.any / found.n if found.n else None)} % of the safety population; "
              f"CTCAE {context.protocol.toxicity.ctcae}",
        lines=(("grade 3 or more", words.of(found.grade_3_or_more, found.n)),
               ("grade 5", words.of(found.grade_5, found.n)),
               ("serious", words.of(found.serious, found.n)), ("related", words.of(found.related, found.n)),
               ("related, grade 3 or more", words.of(found.related_3_or_more, found.n))),
        trust=trust(context, registered, "adverse_events"), wide=True,
    )
