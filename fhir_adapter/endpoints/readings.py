"""One reading of one time point, from lesions or as reported, while the rules work on it."""

import msgspec

from fhir_adapter.endpoints.conclusions import TimePoint
from fhir_adapter.endpoints.frames import Ground, millimetres, written, written_or_none
from fhir_adapter.endpoints.grouping import Group, Series
from fhir_adapter.endpoints.recist import permille

EVALUABLE = frozenset({"CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NED"})
"""Responses of an adequate assessment: everything but NE."""


class Reading(msgspec.Struct, kw_only=True, gc=False):
    """A time point as one source reads it; the rules that look back and ahead change it in place."""

    series: Series
    source: str
    number: int
    group: Group
    place: int = 0
    targets: int = 0
    sum_um: int | None = None
    complete: bool = False
    baseline_um: int | None = None
    nadir_um: int | None = None
    nadir_of: int | None = None
    target: str | None = None
    non_target: str | None = None
    new_lesion: str = "not stated"
    overall: str | None = None
    progression: int | None = None
    last_target: int | None = None
    imputed: bool = False
    chosen: bool = False
    discordant: bool = False
    labels: tuple[str, ...] = ()
    note: str = ""
    ground: Ground = Ground()

    @property
    def first(self) -> int:
        """Day of the first scan."""
        return self.group.first

    @property
    def censors(self) -> int:
        """The day on which a censoring counts: the last target measurement, else the last scan."""
        return self.group.last if self.last_target is None else self.last_target

    @property
    def change(self) -> int | None:
        """The change of a complete sum from the baseline in permille."""
        if not self.complete or self.sum_um is None or not self.baseline_um:
            return None
        return permille(self.sum_um, self.baseline_um)

    def progresses(self, on: int, note: str) -> None:
        """Read this time point as progression on that day."""
        self.overall, self.progression, self.note = "PD", on, note

    def conclusion(self) -> TimePoint:
        """The row of the table."""
        return TimePoint(
            subject=self.series[0], evaluator=self.series[1], source=self.source, number=self.number,
            visit=self.group.visit, grouping=self.group.grouping, date=written(self.first),
            last_date=written(self.group.last), progression_date=written_or_none(self.progression),
            censor_date=written(self.censors), sum_um=self.sum_um, complete=self.complete,
            baseline_um=self.baseline_um, nadir_um=self.nadir_um, change_permille=self.change, target=self.target,
            non_target=self.non_target, new_lesion=self.new_lesion, overall=self.overall, chosen=self.chosen,
            discordant=self.discordant, **self.ground.told(self.told()),
        )

    def told(self) -> str:
        """The reading in words: `progression 2024-03-11: sum 48 mm is +26 % and +10 mm over the nadir ...`."""
        if self.number == 0:
            return f"baseline {written(self.first)}{self._sum_told()}{self._lesions_told()}"
        if self.overall is None:
            return f"before the baseline or before treatment: {written(self.first)}"
        on = self.first if self.progression is None else self.progression
        name = "progression" if self.overall == "PD" else self.overall
        detail = self.note or self._detail()
        lesions = self._lesions_told() if detail.startswith("sum ") else ""
        return f"{name} {written(on)}{': ' if detail else ''}{detail}{lesions}"

    def _detail(self) -> str:
        if self.source == "reported":
            return "as the reader reports it"
        parts = []
        if self.target == "PD" and self.nadir_um is not None and self.sum_um is not None:
            parts.append(self._growth_told(self.sum_um, self.nadir_um))
        elif self.sum_um is not None and self.baseline_um:
            share = permille(self.sum_um, self.baseline_um)
            parts.append(f"sum {millimetres(self.sum_um)} is {_percent(share)} of the baseline "
                         f"{millimetres(self.baseline_um)}{'' if self.complete else ', not every target evaluated'}")
        elif self.target == "NE":
            parts.append("targets not evaluated")
        if self.non_target not in (None, "NONE"):
            parts.append(f"non-targets {self.non_target}")
        if self.new_lesion in ("equivocal", "unequivocal"):
            parts.append(f"new lesion {self.new_lesion}")
        return "; ".join(parts)

    def _growth_told(self, total: int, nadir: int) -> str:
        share = permille(total, nadir)
        relative = f"{_percent(share)} and " if share is not None else ""
        of = f" of {written(self.nadir_of)}" if self.nadir_of is not None else ""
        return (f"sum {millimetres(total)} is {relative}+{millimetres(total - nadir)} over the nadir "
                f"{millimetres(nadir)}{of}")

    def _sum_told(self) -> str:
        return f": sum {millimetres(self.sum_um)}" if self.sum_um is not None else ""

    def _lesions_told(self) -> str:
        return f"; lesions {', '.join(self.labels)}" if self.labels else ""


def _percent(share: int | None) -> str:
    if share is None:
        return "?"
    whole, rest = divmod(abs(share), 10)
    return f"{'-' if share < 0 else '+'}{whole}{f'.{rest}' if rest else ''} %"
