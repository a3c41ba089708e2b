"""The iRECIST series of every reader: computed from lesions, or as reported, and what iPFS makes of it.

A reader's own iRECIST values are taken when there is one; otherwise the series is computed from the lesions, and where
no lesion is known from the reported RECIST values up to the first progression (which is iUPD; what follows is not
known). A scan was made for a new symptom when its visit has one of the names in `[irecist] symptom_visits`. New
lesions of measurable size are new targets, at most 5 and 2 per organ, of one day the largest; the others count by
growth. iPFS: the event is the first iUPD of the block that is confirmed. A block that is still open at the end counts
too (`[irecist] pending`), and so does one after which treatment ended for clinical progression before it was reset.
Source: endpoints.md §3, §0.10.
"""

import json
from collections import defaultdict
from collections.abc import Iterator

import msgspec
import pandas as pd

from fhir_adapter.core.protocol import Protocol
from fhir_adapter.endpoints import immune_best
from fhir_adapter.endpoints.frames import together, written, written_or_none
from fhir_adapter.endpoints.immune_conclusions import ImmuneBestResponse, ImmuneTimePoint
from fhir_adapter.endpoints.immune_response import IMMUNE, PLAIN, Answer, Point, respond
from fhir_adapter.endpoints.lesions import Finding, Place
from fhir_adapter.endpoints.reading_reports import Report
from fhir_adapter.endpoints.readings import Reading
from fhir_adapter.endpoints.target_selection import Candidate, propose

_SEEN = ("measured", "present", "progressed", "too_small")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The lesions that are not targets at one time point: sizes of non-targets, and what there is of new lesions."""

    sizes: dict[str, int] = {}
    growing: frozenset[str] = frozenset()
    lesions: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    targets: dict[str, int] = {}
    others: dict[str, int] = {}
    new_growing: frozenset[str] = frozenset()


NOTHING_SEEN = Seen()


class Immune(msgspec.Struct, frozen=True):
    """One series: its readings after the baseline with the answer of each."""

    source: str
    line: tuple[tuple[Reading, Answer], ...]

    @property
    def assessed(self) -> list[tuple[Reading, str]]:
        """What counts for the best response."""
        return [(one, answer.value) for one, answer in self.line if answer.value is not None]


def seen(rows: pd.DataFrame) -> dict[Place, Seen]:
    """What each place shows of non-targets and new lesions; `rows` are the measurements (see `lesions`)."""
    some = rows[rows["role"].isin(["non-target", "new"])]
    roles = _new_targets(some)
    found: dict[Place, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    columns = ("subject", "evaluator", "group", "lesion", "role", "state", "size")
    for subject, evaluator, group, lesion, role, state, size in zip(*(some[name] for name in columns), strict=True):
        here = found[subject, evaluator, int(group)]
        amount = None if pd.isna(size) else int(size)
        if role == "non-target":
            kinds = (["sizes"] if amount is not None else []) + (["growing"] if state == "progressed" else [])
        elif state == "absent":
            kinds = ["gone"]
        else:
            kinds = ["lesions"] if state in _SEEN else []
            kinds += ["new_growing"] if state == "progressed" else []
            if amount is not None:
                kinds.append("targets" if (subject, evaluator, lesion) in roles else "others")
        for kind in kinds:
            here[kind][lesion] = max(amount or 0, here[kind].get(lesion, 0))
    return {place: Seen(
        sizes=kinds["sizes"], growing=frozenset(kinds["growing"]), lesions=frozenset(kinds["lesions"]),
        gone=frozenset(kinds["gone"]), targets=kinds["targets"], others=kinds["others"],
        new_growing=frozenset(kinds["new_growing"])) for place, kinds in found.items()}


def _new_targets(some: pd.DataFrame) -> set[tuple[str, str, str]]:
    """New lesions that are measured as new targets, by reader."""
    new = some[(some["role"] == "new") & some["size"].notna() & (some["size"] > 0)]
    new = new.sort_values(["subject", "evaluator", "day", "size", "lesion"], ascending=[True, True, True, False, True])
    first = new.drop_duplicates(["subject", "evaluator", "lesion"])
    chosen: dict[tuple[str, str], dict[str, Candidate]] = defaultdict(dict)
    for subject, evaluator, lesion, site, node, size in zip(*(first[name] for name in (
            "subject", "evaluator", "lesion", "site", "node", "size")), strict=True):
        mine = chosen[subject, evaluator]
        mine[lesion] = Candidate(name=lesion, site=site or lesion, longest_um=int(size), short_um=int(size),
                                 node=bool(node))
        if propose(list(mine.values()))[lesion] != "target":
            del mine[lesion]
    return {(*series, lesion) for series, mine in chosen.items() for lesion in mine}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one time point's lesions beside its reading."""

    finding: Finding | None = None
    seen: Seen = NOTHING_SEEN
    report: Report | None = None


def series(computed: list[tuple[Reading, Found]], reported: list[tuple[Reading, Found]], protocol: Protocol) -> Immune:
    """The series of one reader; both lists hold readings after the baseline, in time order."""
    stated = _stated(computed or reported, {one.place: found.report for one, found in (*computed, *reported)})
    if stated:
        return Immune("reported", tuple(stated))
    if computed:
        baseline = next((one.baseline_um for one, _ in computed if one.baseline_um is not None), None)
        symptom = frozenset(name.strip().casefold() for name in protocol.irecist.symptom_visits)
        answers = respond([_point(one, found, symptom) for one, found in computed], baseline, protocol.irecist)
        return Immune("lesions", tuple(zip((one for one, _ in computed), answers, strict=True)))
    line: list[tuple[Reading, Answer]] = []
    for one, _ in reported:
        line.append((one, Answer(value=IMMUNE[one.overall or "NE"], told="by RECIST, as the reader reports it",
                                 block=len(line) if one.overall == "PD" else None)))
        if one.overall == "PD":
            break
    return Immune("reported", tuple(line))


def _stated(line: list[tuple[Reading, Found]], reports: dict[int, Report | None]) -> list[tuple[Reading, Answer]]:
    """The reader's iRECIST values; where one is missing, RECIST's before the first progression."""
    if not any(reports.values()):
        return []
    answers: list[tuple[Reading, Answer]] = []
    block = None
    for one, _ in line:
        report = reports.get(one.place)
        value = report.value if report is not None else None
        if value is None and block is None and one.overall != "PD":
            value = IMMUNE[one.overall or "NE"]
        if value is None:
            continue
        if any(answer.value == "iCPD" for _, answer in answers):
            answers.append((one, Answer(value=None, reason="after_icpd", told="after confirmed progression")))
            continue
        if value == "iUPD" and block is None:
            block = len(answers)
        belongs = block if value in ("iUPD", "iCPD", "NE") else None
        answers.append((one, Answer(value=value, block=len(answers) if value == "iCPD" and block is None else belongs,
                                    told="as the reader reports it", reset=belongs is None and block is not None)))
        block = None if belongs is None else block
    return answers


def _point(one: Reading, found: Found, symptom: frozenset[str]) -> Point:
    """`symptom`: the visit names that say that a scan was made for a new symptom."""
    finding, extra = found.finding, found.seen
    return Point(
        day=one.first, overall=one.overall or "NE", targets=one.targets, sum_um=one.sum_um, complete=one.complete,
        cleared=finding is not None and finding.gone, non_target=one.non_target or "NONE", sizes=extra.sizes,
        growing=extra.growing, new=one.new_lesion == "unequivocal", gone=extra.gone,
        lesions=extra.lesions if one.new_lesion == "unequivocal" else frozenset(), new_targets=extra.targets,
        others=extra.others, new_growing=extra.new_growing,
        symptom=(one.group.visit or "").strip().casefold() in symptom)


def time_points(of: Immune, new_sums: dict[int, int]) -> Iterator[ImmuneTimePoint]:
    """The rows of a series; `new_sums` by place."""
    for one, answer in of.line:
        belongs = answer.block if answer.value in ("iUPD", "iCPD") else None
        first = None if belongs is None else _event(of.line[belongs][0])
        told = f"{answer.value or 'disregarded'} {written(one.first)}" + (f": {answer.told}" if answer.told else "")
        yield ImmuneTimePoint(
            subject=one.series[0], evaluator=one.series[1], number=one.number, source=of.source,
            date=written(one.first), value=answer.value, disregarded=answer.reason,
            progression_date=written(_event(one)) if answer.value in ("iUPD", "iCPD") else None,
            categories=json.dumps(answer.categories), first_iupd=written_or_none(first), late=answer.late,
            new_sum_um=new_sums.get(one.place), **one.ground.told(told))


def best_responses(of: Immune, start: int, protocol: Protocol, series: tuple[str, str]) -> Iterator[ImmuneBestResponse]:
    """The two rows of a series."""
    assessed = of.assessed
    for confirmed in (False, True):
        value, place, response = immune_best.best(
            [(one.first, said) for one, said in assessed], start, protocol.response, confirmed=confirmed)
        deciding = [assessed[number][0] for number in {place, response} if number is not None]
        told = f"{value}: no assessment after the baseline" if place is None else \
            f"{value}: {assessed[place][1]} {written(assessed[place][0].first)}"
        ground = together(one.ground for one in deciding)
        yield ImmuneBestResponse(
            subject=series[0], evaluator=series[1], confirmed=confirmed, source=of.source, value=value,
            date=None if place is None else written(assessed[place][0].first),
            first_response_date=None if response is None else written(assessed[response][0].first),
            **ground.told(told))


def for_progression(of: Immune, clinical: int | None, protocol: Protocol) -> list[Reading]:
    """The readings as PFS reads them: PD at the iUPD that counts, every other iUPD a stable, evaluable scan."""
    line = of.line
    event = next((answer.block for _, answer in line if answer.value == "iCPD"), None)
    note = "confirmed"
    if event is None and line:
        last = next((answer for _, answer in reversed(line) if answer.value not in (None, "NE")), None)
        if last is not None and last.value == "iUPD" and protocol.irecist.pending == "event":
            event, note = last.block, "never confirmed nor followed by anything else"
    unstable = _clinically(line, clinical)
    if unstable is not None and (event is None or unstable < event):
        event, note = unstable, "then clinical progression"
    found = []
    for place, (one, answer) in enumerate(line):
        if place == event:
            found.append(msgspec.structs.replace(one, overall="PD", progression=_event(one), note=f"iUPD, {note}"))
        elif answer.value is not None:
            found.append(msgspec.structs.replace(
                one, overall=PLAIN.get(answer.value, "SD"), progression=None, note=answer.value))
    return found


def _clinically(line: tuple[tuple[Reading, Answer], ...], clinical: int | None) -> int | None:
    """The first iUPD of a block during which clinical progression was recorded."""
    if clinical is None:
        return None
    for place, (one, answer) in enumerate(line):
        if answer.value == "iUPD" and answer.block == place:
            ends = next((after.first for after, said in line[place + 1:] if said.reset), None)
            if one.first <= clinical and (ends is None or clinical < ends):
                return place
    return None


def _event(one: Reading) -> int:
    return one.first if one.progression is None else one.progression
