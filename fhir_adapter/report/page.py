"""The page: one HTML file that needs nothing else, readable without scripts, and its figures as files."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter.core.figures import Summary
from fhir_adapter.report import (
    adverse_events,
    headline,
    openness,
    subjects,
    survival,
    swimmer,
    treatment,
    waterfall,
    words,
)
from fhir_adapter.report.conclusions import Frames
from fhir_adapter.report.context import Context
from fhir_adapter.report.drawing import Image
from fhir_adapter.report.trust import moment

_TEMPLATES = Path(__file__).parent / "templates"


class Figure(msgspec.Struct, frozen=True):
    """A figure of the page: file name, caption, words for those who cannot see it, and the picture if there is one."""

    name: str
    caption: str
    alternative: str
    image: Image | None

    @property
    def source(self) -> str:
        """The picture as an address that carries its own bytes."""
        svg = self.image.svg if self.image is not None else b""
        return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")


def write(frames: Frames, summary: Summary, context: Context, folder: Path) -> list[Path]:
    """Write `index.html` and `figures/*.svg` and `*.png` into `folder`; the same values give the same bytes.

    frames: the conclusion tables by name (missing and empty ones are said in words, not an error).
    Returns the files written, the page first. A figure without data is not written, and one of an earlier report is
    removed, so that no old picture stands beside a new page.
    """
    figures = drawn_figures(frames, summary, context)
    page = _render(frames, summary, context, figures)
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "index.html"]
    written[0].write_text(page, encoding="utf-8", newline="\n")
    for name, figure in figures.items():
        for ending in ("svg", "png"):
            path = folder / "figures" / f"{name}.{ending}"
            if figure.image is None:
                path.unlink(missing_ok=True)
                continue
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(getattr(figure.image, ending))
            written.append(path)
    return written


def drawn_figures(frames: Frames, summary: Summary, context: Context) -> dict[str, Figure]:
    """Every figure of the page by name."""
    per_month, cutoff = context.protocol.time_to_event.days_per_month, context.cutoff
    pfs = tuple(curve for rule in headline.pfs_rules(context) if (curve := summary.curve("PFS", rule)))
    overall = tuple(curve for curve in (summary.curve("OS"),) if curve)
    bars = waterfall.waterfall(frames, summary.efficacy)
    lanes = swimmer.swimmer(frames, summary.efficacy, headline.headline_rule(context))
    found = (
        Figure("pfs", "Progression-free survival under both censoring rules", survival.alternative(pfs, per_month),
               survival.figure(pfs, per_month, cutoff)),
        Figure("os", "Overall survival", survival.alternative(overall, per_month),
               survival.figure(overall, per_month, cutoff)),
        Figure("waterfall", "Best change of the sum of diameters", waterfall.alternative(bars),
               waterfall.figure(bars, cutoff)),
        Figure("swimmer", "Course of each subject", swimmer.alternative(lanes),
               swimmer.figure(lanes, per_month, cutoff)),
    )
    return {figure.name: figure for figure in found}


def _render(frames: Frames, summary: Summary, context: Context, figures: dict[str, Figure]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.filters["percent"] = words.percent
    environment.filters["moment"] = moment
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    return environment.get_template("index.html").render(
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii"),
        **_values(frames, summary, context, figures),
    )


def _values(frames: Frames, summary: Summary, context: Context, figures: dict[str, Figure]) -> dict[str, Any]:
    protocol = context.protocol
    kinds, grid = openness.kind_lines(context), openness.grid(context)
    landmark = protocol.time_to_event.landmark_days
    efficacy = summary.efficacy
    return {
        "context": context, "summary": summary, "protocol": protocol, "figures": figures, "words": words,
        "title": protocol.trial.title or protocol.trial.id,
        "cards": headline.cards(frames, summary, context),
        "landmarks": sorted({rate.days for curve in summary.curves for rate in curve.rates
                             if rate.survival is not None}),
        "curves": [curve for curve in summary.curves if curve.steps],
        "best_confirmed": headline.best_counts(frames, summary, confirmed=True),
        "best_unconfirmed": headline.best_counts(frames, summary, confirmed=False),
        "waterfall": waterfall.waterfall(frames, efficacy),
        "swimmer": swimmer.swimmer(frames, efficacy, headline.headline_rule(context)),
        "ae_sets": [(adverse_events.SET_TITLES[name], headline.ae_counts(frames, summary, name))
                    for name in adverse_events.SETS],
        "ae_lines": adverse_events.table(frames, "registered"), "ae_columns": adverse_events.COLUMNS,
        "ae_versions": adverse_events.versions(frames),
        "drugs": treatment.drugs(frames),
        "dose_groups": treatment.dose_groups(frames, efficacy, protocol.radiotherapy.subgroup_gy, landmark),
        "landmark": landmark,
        "kinds": kinds, "open_conflicts": len(context.conflicts),
        "blocking": sum(line.open for line in kinds if line.blocking),
        "grid": grid,
        "subjects": subjects.listing(frames, context, headline.pfs_rules(context)),
        "options": openness.options(protocol),
    }
