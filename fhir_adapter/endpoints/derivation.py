"""From facts to conclusions, in the order in which one rests on the other.

1. First doses; radiotherapy courses; what every treatment was for; the first study treatment.
2. Baselines and tumour assessments, read from lesions and as reported.
3. Best response; who died when; PFS, OS, and for responders DOR and TTR.
4. Populations, adverse events, exposure.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
import pandas as pd

from fhir_adapter.core.concepts import Concepts
from fhir_adapter.core.study import EndpointSettings, Protocol
from fhir_adapter.endpoints import (
    ae_checks,
    assessments,
    baseline,
    best_response,
    compliance,
    courses,
    cutoff,
    discordance,
    exposure,
    immune_readings,
    lab_events,
    lab_toxicity,
    population,
    radiation,
    response_duration,
    survival,
    therapies,
    time_to_event,
    toxicity,
    treatment,
)
from fhir_adapter.endpoints.conclusion_columns import EVALUATORS, SOURCES, UNIRRADIATED
from fhir_adapter.endpoints.conclusions import ALL, AssessmentCompliance, BestResponse, TimeToEvent
from fhir_adapter.endpoints.doubts import Doubt, frame_of_doubts
from fhir_adapter.endpoints.frames import Ground, Trial, day, frame_of, lots, together, written
from fhir_adapter.endpoints.grouping import Series
from fhir_adapter.endpoints.held import Held, Open, marked
from fhir_adapter.endpoints.overall_survival import Alive, survive
from fhir_adapter.endpoints.progression_free import History, policy, table_a
from fhir_adapter.endpoints.readings import Reading

INVESTIGATOR = "investigator"
AT_ONCE = 2000
"""Subjects derived at once."""

Rows = dict[str, list[msgspec.Struct]]
"""Conclusions by table."""


class Derived(msgspec.Struct, frozen=True):
    """Every conclusion table by name, and the doubts that deriving found.

    `doubts`: kind, subject, facts (JSON list of `table:fact_key`), message, values (JSON list).
    """

    frames: dict[str, pd.DataFrame]
    doubts: pd.DataFrame


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """What has been worked out before the endpoints: one value per question, by subject."""

    trial: Trial
    subjects: list[str]
    steps: dict[str, list[treatment.Step]]
    clocks: dict[str, therapies.Clock]
    therapy: therapies.Roles
    radiotherapy: dict[str, list[courses.Course]]
    starts: dict[str, baseline.Start]
    read: assessments.Assessments
    unirradiated: assessments.Assessments
    lives: dict[str, survival.Life]
    caps: dict[str, int]
    held: Held
    omitted: dict[str, dict[str, int]]
    not_yet_fatal: dict[str, Ground]
    last: int | None
    """The clinical cut-off."""

    def readers(self, subject: str) -> list[str]:
        """Who read a subject's scans; the investigator always."""
        return sorted({reader for reader in EVALUATORS if (subject, reader) in self.read.baselines} | {INVESTIGATOR})

    def start(self, subject: str, name: str) -> int | None:
        """The day on which an endpoint's clock starts."""
        origin = self.settings(name).start
        if origin == "first_dose":
            return self.clocks[subject].first_dose.day
        return self.therapy.first_treatment.get(subject) if origin == "first_treatment" else \
            self.clocks[subject].enrolled

    def immune(self, series: Series) -> immune_readings.Immune:
        """The iRECIST series of a reader."""
        return self.read.immune.get(series, immune_readings.Immune("lesions", ()))

    def settings(self, name: str) -> EndpointSettings:
        """An endpoint's settings; an absent block means the defaults."""
        default = EndpointSettings(events=("death",)) if name == "OS" else EndpointSettings()
        return self.trial.protocol.endpoints.get(name, default)


def derive(
    facts: dict[str, pd.DataFrame], protocol: Protocol, terms: Concepts, *, cut_off: str | None = None,
    doubted: Mapping[str, Iterable[Open]] | None = None,
) -> Derived:
    """Every conclusion from the facts that stand (`current` and `held`), and the doubts found on the way.

    `facts`: one frame per table with the fact columns and `held_kind`; missing tables and columns are empty. With
    `cut_off` (`YYYY-MM-DD`) later facts are invisible. `doubted` names by subject the open conflicts, also those that
    hold no fact (`activity_after_death`, an identity, a retracted record): they make what they concern provisional.
    Nobody's conclusions rest on another subject's facts: many subjects are derived in lots, which bounds the memory.
    """
    parts = [_derived(some, protocol, terms, cut_off, doubted) for some in lots(facts, AT_ONCE)]
    if len(parts) == 1:
        return parts[0]
    return Derived({name: pd.concat([part.frames[name] for part in parts], ignore_index=True)
                    for name in parts[0].frames}, pd.concat([part.doubts for part in parts], ignore_index=True))


def _derived(facts: dict[str, pd.DataFrame], protocol: Protocol, terms: Concepts, cut_off: str | None,
             doubted: Mapping[str, Iterable[Open]] | None) -> Derived:
    trial = Trial.of(cutoff.cut(facts, cut_off), protocol, terms)
    known = _known(facts, trial, cut_off, Held(trial, doubted))
    doubts = [*known.therapy.doubts, *known.read.doubts]
    rows: Rows = {conclusion.name: [] for conclusion in ALL}
    for subject in known.subjects:
        _clocks(known, subject, _response(known, subject, rows), rows)
        _immune(known, subject, rows)
        rows["treatment"].extend(therapies.conclude(subject, known.therapy.of(subject)))
        rows["assessment_compliance"].extend(_compliance(known, subject))
        rows["population"].extend(population.conclude(_member(known, subject)))
        doubts.extend(_exposure(known, subject, rows))
    rows["alive_evidence"].extend(survival.conclude(known.lives))
    for readings in known.read.readings.values():
        rows["time_point"].extend(one.conclusion() for one in readings)
    treated = {name: _treated(known, name) for name in known.subjects}
    rows["ae_episode"].extend(toxicity.episodes(known.trial, treated))
    frames = {one.name: frame_of(one.record, sorted(rows[one.name], key=lambda row: _key(row, one.key)))
              for one in ALL if one.name != "lab_toxicity"}
    graded = lab_toxicity.conclude(
        known.trial, {name: one.span(protocol.toxicity.teae_window_days) for name, one in treated.items()},
        {name: one.doubted for name, one in treated.items()})
    frames["lab_toxicity"] = graded[lab_toxicity.COLUMNS]
    doubts += [*ae_checks.doubts(known.trial), *lab_events.doubts(known.trial, graded),
               *lab_events.differing(known.trial, graded), *discordance.doubts(known.read.readings)]
    return Derived(marked(frames, doubted or {}), frame_of_doubts(doubts))


def _key(row: msgspec.Struct, names: tuple[str, ...]) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in names)


def _known(facts: dict[str, pd.DataFrame], trial: Trial, cut_off: str | None, held: Held) -> _Known:
    steps, given = treatment.steps(trial), treatment.doses(trial)
    subjects = trial.subjects
    clocks = {}
    for subject in subjects:
        enrolled = treatment.earliest(steps.get(subject, []), "enrolled")
        doses = given.get(subject, [])
        clocks[subject] = therapies.Clock(treatment.first_dose(doses), enrolled.day if enrolled else None, tuple(doses))
    all_courses = courses.courses(trial)
    therapy = therapies.roles(trial, clocks, all_courses)
    radiotherapy: dict[str, list[courses.Course]] = {}
    for course in all_courses:
        if course.key in therapy.study_courses(course.subject):
            radiotherapy.setdefault(course.subject, []).append(course)
    people, ecog = baseline.people(trial), baseline.performance(trial, therapy.first_treatment)
    starts = {subject: baseline.Start(clock=clocks[subject], treated=therapy.first_treatment.get(subject),
                                      person=people.get(subject, baseline.Person()), ecog=ecog.get(subject))
              for subject in subjects}
    read = assessments.assess(trial, starts, therapy)
    unirradiated = assessments.unirradiated(trial, starts, therapy)
    for doubt in (*therapy.doubts, *read.doubts):
        held.add(doubt.subject, "therapy" if doubt.kind == "therapy_role_unknown" else "response", doubt.kind)
    limit = day(cut_off)
    everything = Trial.of(facts, trial.protocol, trial.terms) if limit is not None else trial
    whole = {} if limit is None else survival.lives(everything, treatment.steps(everything), {})
    lives = cutoff.bounded(survival.lives(trial, steps, therapy.first_treatment), whole, limit)
    return _Known(
        trial=trial, subjects=subjects, steps=steps, clocks=clocks, therapy=therapy, radiotherapy=radiotherapy,
        starts=starts, read=read, unirradiated=unirradiated, held=held, omitted=treatment.omitted(trial),
        caps=cutoff.caps(whole, limit) if trial.protocol.time_to_event.cutoff_policy == "cap" else {},
        lives=lives, not_yet_fatal=cutoff.not_yet_fatal(everything, (lives, whole), limit), last=limit,
    )


def _response(known: _Known, subject: str, rows: Rows) -> dict[str, BestResponse]:
    """Baselines and best responses of every reader of a subject; of each reader the one that is analysed."""
    rules = known.trial.protocol.response
    start = known.start(subject, "PFS")
    start = known.therapy.first_treatment.get(subject) if start is None else start
    doubted = known.held.of(subject, "response", "therapy")
    new = known.therapy.new_therapy(subject)
    analysed: dict[str, BestResponse] = {}
    for reader in known.readers(subject):
        series = (subject, reader)
        measured = known.read.baselines.get(series, assessments.NO_BASELINE)
        rows["baseline"].append(baseline.conclude(subject, reader, known.starts[subject], measured))
        if start is None:
            continue
        chosen, _ = known.read.analysed(series)
        case = best_response.Case(
            subject=subject, evaluator=reader, source=chosen, chosen=False, start=start,
            baseline=measured.group is not None, readings=[], new_therapy=new.start if new else None, doubted=doubted)
        for source in SOURCES:
            if source != chosen and (series, source) not in known.read.readings:
                continue
            found = best_response.conclude(msgspec.structs.replace(
                case, source=source, chosen=source == chosen, readings=known.read.after_baseline(series, source)),
                rules)
            rows["best_response"].extend(found)
            if source == chosen:
                analysed[reader] = next(row for row in found if row.confirmed == rules.confirmation)
        if (series, "lesions") in known.unirradiated.readings:
            rows["best_response"].extend(best_response.conclude(msgspec.structs.replace(
                case, source=UNIRRADIATED, readings=known.unirradiated.after_baseline(series, "lesions")), rules))
    return analysed


def _clocks(known: _Known, subject: str, analysed: dict[str, BestResponse], rows: Rows) -> None:
    """PFS and TTP of every reader, DOR and TTR of responders, OS; nobody who was neither enrolled nor treated."""
    treated = known.therapy.first_treatment.get(subject)
    if treated is None and not population.is_enrolled(known.steps.get(subject, [])):
        return
    for reader in known.readers(subject):
        rows["time_to_event"].extend(_by_readings(known, (subject, reader), analysed.get(reader)))
    began = known.start(subject, "OS")
    outcome = _no_start(known, subject) if began is None else survive(Alive(
        start=began, life=known.lives.get(subject, survival.Life(latest={}, death=None)),
        cap=known.caps.get(subject), doubted=known.held.of(subject, "death")))
    rows["time_to_event"].append(time_to_event.conclude(
        time_to_event.Clocked(subject=subject, endpoint="OS", start=began), outcome,
        known.trial.protocol.time_to_event))


def _by_readings(known: _Known, series: Series, best: BestResponse | None) -> Iterator[TimeToEvent]:
    """PFS, TTP (deaths do not count), and of a responder DOR and TTR, under both rules by one reader."""
    subject, reader = series
    settings, protocol = known.settings("PFS"), known.trial.protocol
    source, readings = known.read.analysed(series)
    start = known.start(subject, "PFS")
    outcomes: dict[str, dict[str, time_to_event.Outcome]] = {}
    for endpoint in ("PFS", "TTP"):
        counted = settings if endpoint == "PFS" else settings.model_copy(update={"events": ("progression",)})
        if start is None:
            missing = _no_start(known, subject)
            outcomes[endpoint] = {"treatment_policy": missing, "table_a": missing}
        else:
            history = _history(known, series, start, readings)
            outcomes[endpoint] = {"treatment_policy": policy(history, counted),
                                  "table_a": table_a(history, counted, protocol)}
    mine = reader == INVESTIGATOR
    clock = time_to_event.Clocked(subject=subject, endpoint="PFS", headline=mine, evaluator=reader, source=source,
                                  start=start)
    for endpoint, by_rule in outcomes.items():
        for rule, outcome in by_rule.items():
            yield time_to_event.conclude(msgspec.structs.replace(
                clock, endpoint=endpoint, rule=rule, headline=mine and rule == settings.pfs_rule), outcome,
                protocol.time_to_event)
    if start is not None:
        immune = _history(known, series, start, _immune_readings(known, series))
        for rule, outcome in (("treatment_policy", policy(immune, settings)),
                              ("table_a", table_a(immune, settings, protocol))):
            yield time_to_event.conclude(msgspec.structs.replace(
                clock, endpoint="iPFS", rule=rule, headline=mine and rule == settings.pfs_rule,
                source=known.immune(series).source), outcome, protocol.time_to_event)
    if best is not None and start is not None:
        yield from response_duration.conclude(clock, best, outcomes["PFS"], protocol)


def _immune_readings(known: _Known, series: Series) -> list[Reading]:
    clinical = treatment.earliest(known.steps.get(series[0], []), "clinical_progression")
    return immune_readings.for_progression(
        known.immune(series), None if clinical is None else clinical.day, known.trial.protocol)


def _immune(known: _Known, subject: str, rows: Rows) -> None:
    """iRECIST of every reader; whom nobody assessed after treatment began is NE, and stays in the denominator."""
    start = known.start(subject, "PFS")
    start = known.therapy.first_treatment.get(subject) if start is None else start
    for reader in known.readers(subject):
        series = (subject, reader)
        of = known.immune(series)
        if start is not None:
            rows["immune_time_point"].extend(immune_readings.time_points(of, known.read.new_sums.get(series, {})))
            rows["immune_best_response"].extend(
                immune_readings.best_responses(of, start, known.trial.protocol, series))


def _no_start(known: _Known, subject: str) -> time_to_event.Outcome:
    treated = known.therapy.first_treatment.get(subject)
    whole = known.clocks[subject].first_dose.ground | known.held.of(subject, "therapy")
    if treated is not None:
        told = f"treated by radiotherapy only, from {written(treated)}: the clock starts with a drug"
        return time_to_event.undetermined("radiotherapy_only", told, whole)
    return time_to_event.undetermined("no_start", known.clocks[subject].first_dose.told, whole)


def _history(known: _Known, series: Series, start: int, readings: list[Reading]) -> History:
    subject = series[0]
    measured = known.read.baselines.get(series, assessments.NO_BASELINE)
    steps = known.steps.get(subject, [])
    return History(
        start=start, baseline=measured.group is not None, readings=readings,
        death=known.lives[subject].death if subject in known.lives else None,
        new_therapy=known.therapy.new_therapy(subject), stopped=_stopped(known, subject),
        clinical=treatment.earliest(steps, "clinical_progression"),
        doubted=known.held.of(subject, "response", "therapy", "death"),
    )


def _stopped(known: _Known, subject: str) -> treatment.Step | None:
    """The end of the last component, once every study drug that was given has ended; None while one goes on."""
    steps = known.steps.get(subject, [])
    ends = [step for step in steps if step.event == "end_of_component" and step.day is not None]
    drugs = {dose.drug for dose in known.clocks[subject].given}
    if not ends or not (any(step.component is None for step in ends) or drugs <= {step.component for step in ends}):
        return None
    return max(ends, key=lambda step: step.day or 0)


def _compliance(known: _Known, subject: str) -> list[AssessmentCompliance]:
    """The planned scans of a treated subject, by the investigator's time points."""
    clock, life = known.clocks[subject].first_dose.day, known.lives.get(subject)
    start = known.therapy.first_treatment.get(subject) if clock is None else clock
    if start is None:
        return []
    ended = [step.day for step in known.steps.get(subject, [])
             if step.event in ("end_of_study", "lost_to_follow_up") and step.day is not None]
    return compliance.conclude(compliance.Planned(
        subject=subject, start=start, readings=known.read.analysed((subject, INVESTIGATOR))[1], ends=tuple(ended),
        death=None if life is None or life.death is None else life.death.day, last=known.last,
        alive=None if life is None or life.last_alive is None else life.last_alive[1],
        doubted=known.held.of(subject, "response")), known.trial.protocol.schedule)


def _member(known: _Known, subject: str) -> population.Member:
    series = (subject, INVESTIGATOR)
    _, readings = known.read.analysed(series)
    life = known.lives.get(subject)
    study = [one.ground for one in known.therapy.of(subject) if one.role == "study"]
    return population.Member(
        subject=subject, steps=known.steps.get(subject, []), treated=subject in known.therapy.first_treatment,
        treatment=together([known.clocks[subject].first_dose.ground, *study[:1]]),
        measured=known.read.baselines.get(series, assessments.NO_BASELINE),
        has_lesions=(series, "lesions") in known.read.readings, readings=readings,
        died=life is not None and life.death is not None, doubted=known.held.of(subject),
    )


def _treated(known: _Known, subject: str) -> toxicity.Treated:
    given = known.clocks[subject].given
    fractions = known.radiotherapy.get(subject, [])
    starts = [course.start for course in fractions if course.start is not None]
    ends = [course.end for course in fractions if course.end is not None]
    days = [dose.end for dose in given if dose.end is not None] + starts + ends
    stopped = _stopped(known, subject)
    over = stopped is not None or any(step.event in ("end_of_study", "lost_to_follow_up")
                                      for step in known.steps.get(subject, []))
    life = known.lives.get(subject)
    over = over or (life is not None and life.death is not None)
    days += [stopped.day] if stopped is not None and stopped.day is not None else []
    return toxicity.Treated(
        first=known.therapy.first_treatment.get(subject), last=max(days, default=None) if over else None,
        first_fraction=min(starts, default=None), last_fraction=max(ends, default=None),
        doubted=known.held.of(subject), not_yet_fatal=known.not_yet_fatal,
    )


def _exposure(known: _Known, subject: str, rows: Rows) -> list[Doubt]:
    """Drugs and radiotherapy of a subject who was treated or enrolled."""
    rows["exposure"].extend(exposure.of_drugs(subject, list(known.clocks[subject].given), known.trial.protocol,
                                              known.omitted.get(subject)))
    if subject not in known.therapy.first_treatment:
        return []
    rules, some = known.trial.protocol.radiotherapy, known.radiotherapy.get(subject, [])
    found = radiation.delivered(some, rules)
    rows["exposure"].append(exposure.of_radiotherapy(subject, some, found, rules))
    return radiation.doubts(subject, found, rules)

