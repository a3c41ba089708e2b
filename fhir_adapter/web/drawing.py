"""Small plots as numbers for SVG: a subject's timeline and its spider plot. No script, no style attribute."""

import msgspec

from fhir_adapter.desk import Course, Mark, Point

WIDTH, LEFT, RIGHT = 1100, 150, 20
LANE, TOP, FOOT = 22, 8, 26


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """A mark at its place: `x` to `x + width` on the lane's `y`."""

    mark: Mark
    x: float
    width: float
    y: int


class Lanes(msgspec.Struct, frozen=True, kw_only=True):
    """The timeline: one lane a track, ticks on the axis of days."""

    width: int
    height: int
    tracks: tuple[tuple[str, int], ...]
    drawn: tuple[Drawn, ...]
    ticks: tuple[tuple[float, int], ...]
    zero: float


ORDER = ("Drugs", "Radiotherapy", "Other therapy", "Response, investigator", "Response, central", "Adverse events",
         "Laboratory, grade 2+", "Death")


def timeline(course: Course) -> Lanes:
    """The marks of a course on lanes; adverse events and doses that overlap share a lane."""
    first, last = course.first, max(course.last, course.first + 30)
    scale = (WIDTH - LEFT - RIGHT) / (last - first)

    def place(day: int) -> float:
        return round(LEFT + (max(day, first) - first) * scale, 1)

    names = sorted({mark.track for mark in course.marks},
                   key=lambda name: (ORDER.index(name) if name in ORDER else 50, name))
    tracks = tuple((name, TOP + LANE * number) for number, name in enumerate(names))
    at = dict(tracks)
    drawn = tuple(Drawn(mark=mark, x=place(mark.day), width=max(5.0, round((mark.last - mark.day) * scale, 1)),
                        y=at[mark.track]) for mark in course.marks)
    step = next(one for one in (7, 14, 28, 56, 112, 224, 448, 896, 100_000) if (last - first) / one <= 16)
    ticks = tuple((place(day), day) for day in range((first // step + (first % step > 0)) * step, last + 1, step))
    return Lanes(width=WIDTH, height=TOP + LANE * len(names) + FOOT, tracks=tracks, drawn=drawn, ticks=ticks,
                 zero=place(0))


class Spider(msgspec.Struct, frozen=True, kw_only=True):
    """Change of the sum of diameters over days: one line a reader; `lines` are +20, 0 and -30 percent."""

    width: int
    height: int
    series: tuple[tuple[str, str, tuple[tuple[float, float, Point], ...]], ...]
    lines: tuple[tuple[float, int], ...]
    ticks: tuple[tuple[float, int], ...]


def spider(course: Course) -> Spider | None:
    """The spider plot of a subject; None where no sum was complete after the baseline."""
    points = [point for point in course.points if point.change is not None]
    if len(points) < 2:
        return None
    width, height, left = 520, 240, 46
    last = max(28, *(point.day for point in points))
    first = min(0, *(point.day for point in points))
    high = max(40.0, *(point.change or 0.0 for point in points)) + 10
    low = min(-50.0, *(point.change or 0.0 for point in points)) - 10

    def x(day: int) -> float:
        return round(left + (day - first) / (last - first) * (width - left - 16), 1)

    def y(change: float) -> float:
        return round(8 + (high - change) / (high - low) * (height - 34), 1)

    series = []
    for evaluator in sorted({point.evaluator for point in points}):
        mine = tuple((x(one.day), y(one.change or 0.0), one)
                     for one in sorted(points, key=lambda point: point.day) if one.evaluator == evaluator)
        series.append((evaluator, " ".join(f"{a},{b}" for a, b, _ in mine), mine))
    step = next(one for one in (14, 28, 56, 112, 224, 448, 100_000) if (last - first) / one <= 8)
    return Spider(width=width, height=height, series=tuple(series),
                  lines=tuple((y(value), value) for value in (20, 0, -30)),
                  ticks=tuple((x(day), day) for day in range(0, last + 1, step)))
