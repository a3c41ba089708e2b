"""Every reader's tumour assessments: scans grouped, the baseline chosen, each time point read from both sources.

A subject's readings come from `reported` if that reader's RECIST exists at every time point after treatment began,
else from `lesions` (option `source`); the other is computed too, and where they differ both rows say so.
Source: endpoints.md §0.1 to §0.7.
"""

from collections import defaultdict

import msgspec
import pandas as pd

from fhir_adapter.endpoints import baseline, immune_readings, lesions, new_lesions, reading_lesions, reading_reports
from fhir_adapter.endpoints.doubts import Doubt
from fhir_adapter.endpoints.frames import NOTHING, Ground, Trial
from fhir_adapter.endpoints.grouping import Group, Plan, Series, ambiguous, groups, scans
from fhir_adapter.endpoints.lesions import Finding, Lesion, Others, Place
from fhir_adapter.endpoints.new_lesions import Sighting
from fhir_adapter.endpoints.reading_reports import Report
from fhir_adapter.endpoints.readings import Reading
from fhir_adapter.endpoints.therapies import Roles


class Assessments(msgspec.Struct, frozen=True):
    """The readings of every series and source in time order, the baselines, what was found at each, and doubts."""

    readings: dict[tuple[Series, str], list[Reading]]
    baselines: dict[Series, baseline.Measured]
    doubts: list[Doubt]
    immune: dict[Series, immune_readings.Immune] = msgspec.field(default_factory=dict)
    new_sums: dict[Series, dict[int, int]] = msgspec.field(default_factory=dict)

    def analysed(self, series: Series) -> tuple[str, list[Reading]]:
        """The chosen source of a series and its readings after the baseline."""
        for source in ("reported", "lesions"):
            some = [one for one in self.readings.get((series, source), []) if one.number > 0]
            if some and some[0].chosen:
                return source, some
        return "lesions", []

    def after_baseline(self, series: Series, source: str) -> list[Reading]:
        """One source's readings after the baseline."""
        return [one for one in self.readings.get((series, source), []) if one.number > 0]


def unirradiated(trial: Trial, starts: dict[str, baseline.Start], therapy: Roles) -> Assessments:
    """The same of subjects with a target in a field of study radiotherapy, without those targets.

    A target is in a field when its site is that of a study course. What remains is read as if those lesions had never
    been followed. Source: endpoints.md §2.1.
    """
    fields = _irradiated(therapy, "study")
    hit = {key for key, lesion in lesions.lesions(trial).items()
           if lesion.role == "target" and (key[0], lesion.site or "") in fields}
    if not hit:
        return Assessments({}, {}, [])
    subjects = {subject for subject, _ in hit}
    tables = {name: frame[frame["subject"].isin(subjects)] for name, frame in trial.tables.items()}
    for name in ("lesion", "lesion_measurement"):
        frame = tables[name]
        kept = [key not in hit for key in zip(frame["subject"], frame["lesion"], strict=True)]
        tables[name] = frame[kept]
    rest = msgspec.structs.replace(trial, tables=tables)
    return assess(rest, {subject: starts[subject] for subject in subjects if subject in starts}, therapy)


class _Material(msgspec.Struct, frozen=True, kw_only=True):
    """What was found at each place (series and group), before it is read."""

    groups: dict[Series, list[Group]]
    doubted: dict[str, Ground]
    findings: dict[Place, Finding]
    others: dict[Place, Others]
    sightings: dict[Place, Sighting]
    seen: dict[Place, immune_readings.Seen]
    overall: dict[Place, Report]
    immune: dict[Place, Report]
    non_target: dict[Place, Report]
    target_counts: dict[Series, int]
    other_counts: dict[Series, int]
    others_stated: frozenset[Series]
    unknown_roles: frozenset[Series]
    doubts: list[Doubt]


def assess(trial: Trial, starts: dict[str, baseline.Start], therapy: Roles) -> Assessments:
    """Read every tumour assessment of the trial."""
    material = _material(trial, starts, therapy)
    readings: dict[tuple[Series, str], list[Reading]] = {}
    baselines: dict[Series, baseline.Measured] = {}
    doubts = list(material.doubts)
    computed: list[Reading] = []
    for series, some in material.groups.items():
        start = starts.get(series[0])
        treated = start.treated if start else None
        chosen = baseline.choose(some, _complete(series, material), treated, trial.protocol.response.baseline_days)
        numbers = _numbers(some, chosen.position, treated)
        baselines[series] = _baseline(series, chosen, material)
        for source, read in (("lesions", _from_lesions), ("reported", _from_report)):
            line = [one for place, number in enumerate(numbers)
                    if (one := read(series, place, number, material)) is not None]
            if line:
                readings[series, source] = line
        computed.extend(one for one in readings.get((series, "lesions"), []) if one.number >= 0)
    reading_lesions.respond(computed, {place: _finding(one, material) for place, one in enumerate(computed)})
    for (_, source), line in readings.items():
        doubts.extend(_look_around(trial, source, [one for one in line if one.number > 0], material))
    for series in material.groups:
        _compare(trial, series, readings)
    found = Assessments(readings, baselines, doubts)
    for series in material.groups:
        _immune(series, found, material, trial)
    return found


def _immune(series: Series, found: Assessments, material: _Material, trial: Trial) -> None:
    """Read a series by iRECIST too."""
    computed, reported = ([(one, _beside(one, material)) for one in found.after_baseline(series, source)]
                          for source in ("lesions", "reported"))
    found.immune[series] = immune_readings.series(computed, reported, trial.protocol)
    found.new_sums[series] = {one.place: sum(beside.seen.targets.values())
                              for one, beside in (*computed, *reported) if beside.seen.targets}


def _beside(one: Reading, material: _Material) -> immune_readings.Found:
    place = _place(one)
    return immune_readings.Found(
        finding=material.findings.get(place), seen=material.seen.get(place, immune_readings.NOTHING_SEEN),
        report=material.immune.get(place))


def _material(trial: Trial, starts: dict[str, baseline.Start], therapy: Roles) -> _Material:
    found, places, days, doubts = {}, {}, {}, []
    for series, some in scans(trial).items():
        start = starts.get(series[0])
        dose = start.clock.first_dose.day if start else None
        treated = start.treated if start else None
        found[series] = groups(some, Plan(treated if dose is None else dose, treated, trial.protocol))
        doubts.extend(ambiguous(series, found[series]))
        places.update({ref: number for number, group in enumerate(found[series]) for ref in group.ground.refs})
        days.update({ref: scan.first for scan in some for ref in scan.ground.refs})
        imputed = {ref for scan in some if scan.imputed for ref in scan.ground.refs}
        for group in found[series]:
            group.imputed = bool(imputed & group.ground.refs)
    known = lesions.lesions(trial)
    rows = lesions.measurements(trial, known, places, _irradiated(therapy))
    counts = {role: _followed(rows, known, role, found) for role in ("target", "non-target")}
    overall = reading_reports.reports(trial, places, days, "overall")
    stated = reading_reports.reports(trial, places, days, "non_target")
    bare = rows[rows["role"].isna()]
    return _Material(
        groups=found, doubted=_doubted(known), findings=lesions.sums(rows),
        others=lesions.others(rows, counts["non-target"]), sightings=new_lesions.sightings(trial, places, rows),
        seen=immune_readings.seen(rows), immune=reading_reports.reports(trial, places, days, "overall", immune=True),
        overall=overall, non_target=stated, others_stated=frozenset((place[0], place[1]) for place in stated),
        target_counts=counts["target"], other_counts=counts["non-target"],
        unknown_roles=frozenset(zip(bare["subject"].tolist(), bare["evaluator"].tolist(), strict=True)),
        doubts=doubts + reading_reports.contradictions(overall),
    )


def _irradiated(therapy: Roles, role: str = "subsequent") -> dict[tuple[str, str], int]:
    """The first day of radiotherapy by subject and site: outside the protocol, or of the study."""
    found: dict[tuple[str, str], int] = {}
    for subject, some in therapy.by_subject.items():
        for one in some:
            if one.kind == "radiotherapy" and one.role == role and one.site and one.start is not None:
                found[subject, one.site] = min(one.start, found.get((subject, one.site), one.start))
    return found


def _followed(rows: pd.DataFrame, known: dict[tuple[str, str], Lesion], role: str,
              found: dict[Series, list[Group]]) -> dict[Series, int]:
    """How many lesions of a role each reader follows: those it measured once; the investigator also unmeasured ones."""
    mine: dict[Series, set[str]] = defaultdict(set)
    measured = set()
    for subject, evaluator, lesion, its_role in zip(rows["subject"], rows["evaluator"], rows["lesion"], rows["role"],
                                                    strict=True):
        measured.add((subject, lesion))
        if its_role == role:
            mine[subject, evaluator].add(lesion)
    for (subject, key), lesion in known.items():
        if lesion.role == role and (subject, key) not in measured and (subject, "investigator") in found:
            mine[subject, "investigator"].add(key)
    return {series: len(some) for series, some in mine.items()}


def _complete(series: Series, material: _Material) -> list[bool]:
    wanted = material.target_counts.get(series, 0)
    found = [material.findings.get((*series, place)) for place in range(len(material.groups[series]))]
    return [wanted == 0 or (one is not None and one.measured == wanted) for one in found]


def _numbers(some: list[Group], chosen: int | None, treated: int | None) -> list[int]:
    """0 for the baseline, 1, 2, ... for what follows treatment and baseline, -1, -2, ... backwards before it."""
    after = [place for place, group in enumerate(some)
             if place > (-1 if chosen is None else chosen) and (treated is None or group.first > treated)]
    before = [place for place in range(len(some)) if place not in after and place != chosen]
    numbers = {place: number for number, place in enumerate(after, start=1)}
    numbers.update({place: -number for number, place in enumerate(reversed(before), start=1)})
    return [0 if place == chosen else numbers[place] for place in range(len(some))]


def _baseline(series: Series, chosen: baseline.Choice, material: _Material) -> baseline.Measured:
    counts = (material.target_counts.get(series, 0), material.other_counts.get(series, 0))
    if chosen.position is None:
        return baseline.Measured(targets=counts[0], non_targets=counts[1])
    group = material.groups[series][chosen.position]
    finding = material.findings.get((*series, chosen.position))
    return baseline.Measured(
        group=group, deviation=chosen.deviation, sum_um=finding.sum_um if finding else None, targets=counts[0],
        non_targets=counts[1], ground=group.ground,
    )


def _finding(one: Reading, material: _Material) -> Finding | None:
    return material.findings.get(_place(one))


def _place(one: Reading) -> Place:
    return (*one.series, one.place)


def _from_lesions(series: Series, place: int, number: int, material: _Material) -> Reading | None:
    """The time point as its lesions show it, before any rule; None for a reader who follows no lesion."""
    where = (*series, place)
    counts = (material.target_counts.get(series, 0), material.other_counts.get(series, 0))
    said_other = series in material.others_stated
    roleless = series in material.unknown_roles
    if not any(counts) and not said_other and not roleless:
        return None
    group, finding = material.groups[series][place], material.findings.get(where)
    sighting = material.sightings.get(where, Sighting())
    unknown = roleless and not any(counts)
    return Reading(
        series=series, source="lesions", number=number, group=group, place=place, targets=counts[0],
        sum_um=finding.sum_um if finding else None,
        complete=counts[0] > 0 and finding is not None and finding.measured == counts[0],
        target="NE" if unknown else None, non_target=_non_target(where, material, counts[1] > 0 or said_other),
        new_lesion=sighting.level, last_target=finding.last_target if finding else None,
        labels=finding.labels if finding else (), imputed=group.imputed,
        note="no lesion has a role" if unknown else "",
        ground=_held(_of_group(group, "lesion_measurement", "response_assessment", "tumor_assessment")
                     | material.doubted.get(series[0], NOTHING), group),
    )


def _doubted(known: dict[tuple[str, str], Lesion]) -> dict[str, Ground]:
    """Lesions by subject whose role is in doubt: that travels with every time point."""
    found: dict[str, Ground] = {}
    for (subject, _), lesion in known.items():
        if lesion.ground.held:
            found[subject] = found.get(subject, NOTHING) | lesion.ground
    return found


def _non_target(where: Place, material: _Material, exists: bool) -> str:
    stated, seen = material.non_target.get(where), material.others.get(where)
    if stated is not None:
        return "NONE" if stated.value == "none" else stated.value
    if seen is not None:
        return seen.value
    return "NE" if exists else "NONE"


def _from_report(series: Series, place: int, number: int, material: _Material) -> Reading | None:
    """The time point as the reader reports it; None where nothing is reported."""
    where = (*series, place)
    report = material.overall.get(where)
    if report is None:
        return None
    group, finding = material.groups[series][place], material.findings.get(where)
    wanted = material.target_counts.get(series, 0)
    said = material.non_target.get(where)
    return Reading(
        series=series, source="reported", number=number, group=group, place=place, targets=wanted,
        sum_um=finding.sum_um if finding else None,
        complete=wanted > 0 and finding is not None and finding.measured == wanted,
        non_target=said.value if said is not None and said.value != "none" else None,
        new_lesion=material.sightings.get(where, Sighting()).level, overall=report.value if number > 0 else None,
        progression=report.day if report.value == "PD" else None,
        last_target=finding.last_target if finding else None, imputed=group.imputed,
        ground=_held(report.ground | _of_group(group, "response_assessment"), group),
    )


def _of_group(group: Group, *tables: str) -> Ground:
    refs = frozenset(ref for ref in group.ground.refs if ref.split(":", 1)[0] in tables)
    return Ground(refs, group.ground.held)


def _held(ground: Ground, group: Group) -> Ground:
    return ground.doubted("ambiguous_time_point") if group.ambiguous else ground


def _look_around(trial: Trial, source: str, line: list[Reading], material: _Material) -> list[Doubt]:
    rules = trial.protocol.response
    places = [_place(one) for one in line]
    findings = [material.findings.get(place) for place in places]
    seen = [material.sightings.get(place, Sighting()) for place in places]
    progressed: list[int | None] = []
    for place in places:
        stated, states = material.non_target.get(place), material.others.get(place)
        progressed.append(stated.day if stated and stated.value == "PD" else states.progressed if states else None)
    if source == "lesions":
        reading_lesions.look_around(line, findings, seen, progressed, rules)
        return []
    reading_reports.date_progressions(line, seen, progressed)
    return reading_reports.partial_after_complete(line, rules)


def _compare(trial: Trial, series: Series, readings: dict[tuple[Series, str], list[Reading]]) -> None:
    """Choose the source of a series, date reported progressions by what the lesions show, and mark discordance."""
    computed = {one.number: one for one in readings.get((series, "lesions"), [])}
    reported = {one.number: one for one in readings.get((series, "reported"), [])}
    for number, one in reported.items():
        other = computed.get(number)
        if other is None or number <= 0:
            continue
        one.baseline_um, one.nadir_um, one.nadir_of = other.baseline_um, other.nadir_um, other.nadir_of
        one.target = other.target
        if one.overall == other.overall == "PD" and not one.imputed:
            one.progression = other.progression
        one.discordant = other.discordant = one.overall != other.overall
    after = {number for number in computed if number > 0}
    whole = bool(reported) and all(number in reported for number in after)
    source = trial.protocol.response.source
    if source == "auto":
        source = "reported" if whole else "lesions"
    for one in (reported if source == "reported" else computed).values():
        one.chosen = True


NO_BASELINE = baseline.Measured(ground=NOTHING)
"""A reader who never assessed anything."""
