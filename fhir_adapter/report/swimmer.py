"""The swimmer plot: one lane a subject from the start of the clock to death or last contact."""

from datetime import date
from typing import TYPE_CHECKING

import msgspec

from fhir_adapter.report import words
from fhir_adapter.report.conclusions import (
    Frames,
    Row,
    best_responses,
    counted_series,
    day,
    first_by_subject,
    members,
    rows,
    times,
)
from fhir_adapter.report.drawing import FAINT, GRID, INK, RESPONSE_COLOURS, Image, footer, image, month_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = {"CR": "*", "PR": "o", "SD": "s", "NON-CR/NON-PD": "D", "PD": "v", "NE": "x", "NED": "P"}
_DRUGS, _FOLLOW_UP, _RADIOTHERAPY = "#7f9bb8", "#d3dbe4", "#8a4fa3"


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One subject, in days since the start of the clock (0 is the start; radiotherapy may begin before it)."""

    subject: str
    best: str
    end: int
    died: bool
    unsure: bool
    provisional: bool
    drugs: tuple[int, int] | None
    radiotherapy: tuple[int, int] | None
    responses: tuple[tuple[int, str], ...]
    progression: int | None


class Swimmer(msgspec.Struct, frozen=True):
    """The lanes, longest first, and the subjects who have none because no clock starts or nothing ends it."""

    lanes: tuple[Lane, ...]
    without: tuple[str, ...]


def swimmer(frames: Frames, population: str, headline_rule: str) -> Swimmer:
    """Lanes of a population; the end is that of OS, and if that is undetermined the last proof of life, marked."""
    survival, progression = times(frames, "OS"), times(frames, "PFS", headline_rule)
    best = best_responses(frames, confirmed=True)
    alive = first_by_subject(rows(frames, "alive_evidence"), lambda row: bool(row["latest"]))
    points = _points(frames)
    drugs: dict[str, list[Row]] = {}
    radiotherapy: dict[str, list[Row]] = {}
    for row in rows(frames, "exposure"):
        kind = radiotherapy if row["treatment"] == "radiotherapy" else drugs
        kind.setdefault(row["subject"], []).append(row)
    lanes, without = [], []
    for subject in members(frames, population):
        row = survival.get(subject, {})
        start = day(row.get("start"))
        end = day(row.get("date")) or day(alive.get(subject, {}).get("date"))
        if start is None or end is None:
            without.append(subject)
            continue
        event = progression.get(subject, {})
        lanes.append(Lane(
            subject=subject,
            best=best.get(subject, {}).get("value", ""),
            end=(end - start).days,
            died=row["status"] == "event",
            unsure=row["status"] == "undetermined",
            provisional=bool(row["provisional"] or event.get("provisional")),
            drugs=_span(drugs.get(subject, []), start),
            radiotherapy=_span(radiotherapy.get(subject, []), start),
            responses=tuple(
                ((scan - start).days, one["overall"])
                for one in points.get(subject, []) if (scan := day(one["date"])) is not None
            ),
            progression=_progression(event, start),
        ))
    lanes.sort(key=lambda lane: (-lane.end, lane.subject))
    return Swimmer(tuple(lanes), tuple(without))


def figure(found: Swimmer, days_per_month: float, cutoff: str) -> Image | None:
    """The figure; None without lanes."""
    if not found.lanes:
        return None
    height = 1.3 + 0.158 * len(found.lanes)

    def draw(fig: "Figure") -> None:
        axes = fig.subplots(gridspec_kw={"left": 0.115, "right": 0.99, "top": 1 - 0.42 / height,
                                         "bottom": 0.76 / height})
        for at, lane in enumerate(found.lanes):
            _lane(axes, lane, at, days_per_month)
        _frame(axes, found.lanes, days_per_month)
        footer(fig, f"Data cut-off {cutoff or 'not stated'}. From the start of OS to death or last proof of life. "
                    f"* rests on an open conflict. Without a lane: {len(found.without)}.")

    return image(draw, 10.2, height)


def alternative(found: Swimmer) -> str:
    """The figure in words."""
    died = sum(lane.died for lane in found.lanes)
    return (f"Swimmer plot of {words.counted(len(found.lanes), 'subject')}, longest follow-up first: {died} died, "
            f"{len(found.lanes) - died} alive at last contact; {len(found.without)} without a lane. "
            "The table of endpoints by subject has the same dates.")


def _points(frames: Frames) -> dict[str, list[Row]]:
    series = counted_series(frames)
    points: dict[str, list[Row]] = {}
    for row in rows(frames, "time_point"):
        counted = series.get(row["subject"], (row["evaluator"], row["source"])) == (row["evaluator"], row["source"])
        if counted and row["chosen"] and row["number"] > 0 and row["overall"]:
            points.setdefault(row["subject"], []).append(row)
    return points


def _span(found: list[Row], start: date) -> tuple[int, int] | None:
    firsts = [first for row in found if (first := day(row["first_date"])) is not None]
    lasts = [last for row in found if (last := day(row["last_date"])) is not None]
    return ((min(firsts) - start).days, (max(lasts) - start).days) if firsts and lasts else None


def _progression(event: Row, start: date) -> int | None:
    on = day(event.get("date"))
    if event.get("status") != "event" or on is None or event["reason"] == "death":
        return None
    return (on - start).days


def _lane(axes: "Axes", lane: Lane, at: int, days_per_month: float) -> None:
    end = lane.end / days_per_month
    axes.barh(at, end, height=0.62, color=_FOLLOW_UP, linewidth=0)
    strips = ((lane.drugs, _DRUGS, 0.0, 0.62), (lane.radiotherapy, _RADIOTHERAPY, 0.31, 0.2))
    for span, colour, offset, height in strips:
        if span is not None:
            first, last = span[0] / days_per_month, (span[1] + 1) / days_per_month
            axes.barh(at + offset, last - first, left=first, height=height, color=colour, linewidth=0)
    for scan, response in lane.responses:
        edge, width = (INK, 0.9) if response == "NE" else ("white", 0.35)
        axes.plot(scan / days_per_month, at, linestyle="none", marker=_MARKERS.get(response, "."),
                  markersize=5.6 if response == "CR" else 3.8, color=RESPONSE_COLOURS.get(response, INK),
                  markeredgecolor=edge, markeredgewidth=width)
    if lane.progression is not None:
        axes.plot([lane.progression / days_per_month] * 2, [at - 0.42, at + 0.42], color=RESPONSE_COLOURS["PD"],
                  linewidth=1.8)
    if lane.died:
        axes.plot(end, at, linestyle="none", marker="X", markersize=5, color=INK, markeredgewidth=0)
    elif lane.unsure:
        axes.annotate("?", (end, at), xytext=(3, 0), textcoords="offset points", fontsize=7, va="center")
    else:
        axes.annotate("", (end, at), xytext=(9, 0), textcoords="offset points", va="center",
                      arrowprops={"arrowstyle": "<|-", "color": INK, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0,
                                  "mutation_scale": 6})


def _frame(axes: "Axes", lanes: tuple[Lane, ...], days_per_month: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    longest = max(lane.end for lane in lanes) / days_per_month
    ticks = month_ticks(longest)
    starts = [span[0] for lane in lanes for span in (lane.drugs, lane.radiotherapy) if span is not None]
    axes.set_xticks(ticks)
    axes.set_xlim(min([0, *starts]) / days_per_month - 0.05, longest * 1.03 + 0.2)
    axes.axvline(0, color=FAINT, linewidth=0.6)
    axes.set_ylim(len(lanes) - 0.4, -0.6)
    axes.set_yticks(range(len(lanes)))
    axes.set_yticklabels([f"{lane.subject}{'*' if lane.provisional else ''}  {lane.best:>2}" for lane in lanes],
                         fontsize=6.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_xlabel(f"Months since start ({days_per_month:g} days each); at the left: confirmed best response")
    shown = [name for name in _MARKERS if any(name == said for lane in lanes for _, said in lane.responses)]
    handles: list[Patch | Line2D] = [Patch(color=_DRUGS, label="study drugs"),
                                     Patch(color=_RADIOTHERAPY, label="radiotherapy"),
                                     Patch(color=_FOLLOW_UP, label="follow-up")]
    handles += [Line2D([], [], linestyle="none", marker=_MARKERS[name], color=RESPONSE_COLOURS[name], markersize=4.5,
                       label=name) for name in shown]
    handles += [
        Line2D([], [], linestyle="none", marker="|", color=RESPONSE_COLOURS["PD"], markersize=7, markeredgewidth=1.8,
               label="progression"),
        Line2D([], [], linestyle="none", marker="X", color=INK, markersize=5, markeredgewidth=0, label="death"),
        Line2D([], [], linestyle="none", marker=">", color=INK, markersize=4, label="alive at last contact"),
    ]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.11, 1.0), ncols=len(handles), fontsize=7,
                handlelength=1.1, columnspacing=1.1, handletextpad=0.45)
