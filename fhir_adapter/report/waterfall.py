"""The waterfall: each subject's best change of the sum of diameters, coloured by best response."""

from typing import TYPE_CHECKING

import msgspec

from fhir_adapter.report import words
from fhir_adapter.report.conclusions import Frames, best_responses, members, whole
from fhir_adapter.report.drawing import FAINT, GRID, INK, RESPONSE_COLOURS, RESPONSE_HATCHES, Image, footer, image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TOP = 100.0


class Bar(msgspec.Struct, frozen=True):
    """One subject: best change in percent, best response without confirmation, and whether CR or PR was confirmed."""

    subject: str
    change: float
    response: str
    confirmed: bool
    provisional: bool


class Waterfall(msgspec.Struct, frozen=True):
    """The bars from growth to shrinkage, and the subjects of the population who have none."""

    bars: tuple[Bar, ...]
    without: tuple[str, ...]


def waterfall(frames: Frames, population: str) -> Waterfall:
    """Bars of a population, largest growth first; ties by subject. No complete sum after baseline: no bar."""
    unconfirmed, confirmed = best_responses(frames, confirmed=False), best_responses(frames, confirmed=True)
    bars, without = [], []
    for subject in members(frames, population):
        row = unconfirmed.get(subject) or confirmed.get(subject)
        change = whole(row["best_change_permille"]) if row else None
        if row is None or change is None:
            without.append(subject)
            continue
        sure = confirmed.get(subject, {}).get("value") in ("CR", "PR")
        bars.append(Bar(subject, change / 10, row["value"], sure, bool(row["provisional"])))
    bars.sort(key=lambda bar: (-bar.change, bar.subject))
    return Waterfall(tuple(bars), tuple(without))


def figure(found: Waterfall, cutoff: str) -> Image | None:
    """The figure; None without bars."""
    if not found.bars:
        return None

    def draw(fig: "Figure") -> None:
        axes = fig.subplots(gridspec_kw={"left": 0.062, "right": 0.953, "top": 0.89, "bottom": 0.175})
        _bars(axes, found.bars)
        _frame(axes, found.bars)
        footer(fig, f"Data cut-off {cutoff or 'not stated'}. Best change of a complete sum from baseline, up to "
                    f"progression or new therapy. Bars above +{_TOP:.0f} % are cut and say their value. "
                    f"* rests on an open conflict. Without a bar: {len(found.without)}.")

    return image(draw, 10.2, 4.55)


def alternative(found: Waterfall) -> str:
    """The figure in words."""
    shrunk = sum(bar.change <= -30 for bar in found.bars)
    grown = sum(bar.change >= 20 for bar in found.bars)
    return (f"Waterfall of the best change of the sum of diameters for {words.counted(len(found.bars), 'subject')}: "
            f"{shrunk} at or below -30 %, {grown} at or above +20 %; {len(found.without)} without a bar.")


def _bars(axes: "Axes", bars: tuple[Bar, ...]) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=1.6, foreground="white")]
    for at, bar in enumerate(bars):
        height = min(bar.change, _TOP)
        axes.bar(at, height, width=0.8, color=RESPONSE_COLOURS.get(bar.response, FAINT),
                 hatch=RESPONSE_HATCHES.get(bar.response, ""), linewidth=0)
        if bar.change == 0:
            axes.plot([at - 0.4, at + 0.4], [0, 0], color=RESPONSE_COLOURS.get(bar.response, FAINT), linewidth=3)
        label = bar.response + (f" +{bar.change:.0f}" if bar.change > _TOP else "")
        up = height >= 0
        axes.annotate(label, (at, height), xytext=(0, 2 if up else -2), textcoords="offset points", rotation=90,
                      fontsize=5.6, color=INK, ha="center", va="bottom" if up else "top", path_effects=halo)
        if bar.confirmed:
            axes.plot(at, 6, marker="o", markersize=3.4, color=INK, linestyle="none")


def _frame(axes: "Axes", bars: tuple[Bar, ...]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    axes.axhline(0, color=INK, linewidth=0.8)
    for level in (20, -30):
        axes.axhline(level, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.annotate(f"{level:+d} %", (1, level), xycoords=("axes fraction", "data"), xytext=(3, 0),
                      textcoords="offset points", fontsize=7.5, va="center")
    axes.set_xlim(-0.8, max(len(bars), 12) - 0.2)
    axes.set_ylim(-112, _TOP + 22)
    axes.set_yticks(range(-100, 101, 20))
    axes.set_ylabel("Best change from baseline, %", labelpad=2)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_xticks(range(len(bars)))
    axes.set_xticklabels([bar.subject + ("*" if bar.provisional else "") for bar in bars], rotation=90, fontsize=5.8)
    axes.tick_params(axis="x", length=0, pad=1)
    axes.spines["bottom"].set_visible(False)
    shown = [name for name in RESPONSE_COLOURS if any(bar.response == name for bar in bars)]
    handles: list[Patch | Line2D] = [
        Patch(facecolor=RESPONSE_COLOURS[name], hatch=RESPONSE_HATCHES.get(name, ""), linewidth=0,
              label=f"{name} ({sum(bar.response == name for bar in bars)})")
        for name in shown
    ]
    handles.append(Line2D([], [], linestyle="none", marker="o", markersize=3.4, color=INK, label="CR or PR confirmed"))
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1.0), ncols=len(handles), fontsize=7.5,
                handlelength=1.4, columnspacing=1.4, title="Best response without confirmation", title_fontsize=7.5,
                borderaxespad=0.2)
