"""Kaplan-Meier figures: curves with bands, censor ticks, numbers at risk, medians with their interval's method."""

from typing import TYPE_CHECKING

from fhir_adapter.core.figures import Curve
from fhir_adapter.report import words
from fhir_adapter.report.drawing import BLUE, FAINT, GRID, ORANGE, Image, footer, image, month_ticks, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINES = ((BLUE, "-"), (ORANGE, (0, (5, 1.6))))
_TITLES = {"PFS": "Progression-free survival", "OS": "Overall survival"}


def title(endpoint: str) -> str:
    """An endpoint's name in words."""
    return _TITLES.get(endpoint, endpoint)


def figure(curves: tuple[Curve, ...], days_per_month: float, cutoff: str) -> Image | None:
    """The curves of one endpoint in one figure; None when nobody could be followed."""
    drawn = tuple(curve for curve in curves if curve.steps)
    if not drawn:
        return None

    def draw(fig: "Figure") -> None:
        rows = max(2, len(drawn))  # figures side by side are of one height
        top, risk = fig.subplots(
            2, 1, sharex=True,
            gridspec_kw={"height_ratios": [10, 0.7 + 0.75 * rows], "hspace": 0.2, "left": 0.115, "right": 0.985,
                         "top": 0.915, "bottom": 0.075},
        )
        for number, curve in enumerate(drawn):
            _curve(top, curve, days_per_month, number)
        _frame(top, drawn, days_per_month)
        _at_risk(risk, drawn, days_per_month)
        methods = words.listed(tuple(sorted({curve.median.method for curve in drawn})))
        footer(fig, f"Data cut-off {cutoff or 'not stated'}. Kaplan-Meier; bands: pointwise 95 % limits; "
                    f"medians with 95 % CI ({methods}); ticks: censored.")

    return image(draw, 7.4, 4.75 + 0.18 * max(2, len(drawn)))


def alternative(curves: tuple[Curve, ...], days_per_month: float) -> str:
    """The figure in words, for those who cannot see it."""
    said = []
    for curve in curves:
        if not curve.steps:
            said.append(f"{words.curve_name(curve)}: nobody could be followed.")
            continue
        said.append(
            f"{words.curve_name(curve)}: {words.counted(curve.n, 'subject')}, {words.counted(curve.events, 'event')}, "
            f"median {words.median(curve.median, days_per_month)} "
            f"({words.median_interval(curve.median, days_per_month)})."
        )
    return f"Kaplan-Meier curve of {title(curves[0].endpoint).lower()}. " + " ".join(said) if curves else ""


def _curve(axes: "Axes", curve: Curve, days_per_month: float, number: int) -> None:
    colour, style = _LINES[number % len(_LINES)]
    at = [0.0, *(step.days / days_per_month for step in curve.steps)]
    survival = [1.0, *(step.survival for step in curve.steps)]
    low = [1.0, *(step.survival if step.low is None else step.low for step in curve.steps)]
    high = [1.0, *(step.survival if step.high is None else step.high for step in curve.steps)]
    axes.fill_between(at, low, high, step="post", color=colour, alpha=0.13, linewidth=0)
    label = (f"{words.RULES.get(curve.rule) or curve.endpoint}: "
             f"{words.counted(curve.events, 'event')} of {curve.n}; median {words.median(curve.median, days_per_month)}"
             f" ({words.median_interval(curve.median, days_per_month)})")
    axes.step(at, survival, where="post", color=colour, linestyle=style, linewidth=1.7, label=label)
    censored = [step for step in curve.steps if step.censored]
    axes.plot(
        [step.days / days_per_month for step in censored], [step.survival for step in censored],
        linestyle="none", marker="|", markersize=7, markeredgewidth=1.1, color=colour,
    )
    if curve.median.days is not None:
        axes.plot([curve.median.days / days_per_month] * 2, [0, 0.5], color=colour, linewidth=0.8, linestyle=":")


def _frame(axes: "Axes", curves: tuple[Curve, ...], days_per_month: float) -> None:
    longest = max(curve.steps[-1].days for curve in curves) / days_per_month
    ticks = month_ticks(longest)
    axes.set_xticks(ticks)
    axes.set_xlim(-0.012 * ticks[-1], max(longest * 1.02, 1))
    axes.tick_params(labelbottom=True)
    axes.set_ylim(0, 1.03)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_yticklabels(["0", "25", "50", "75", "100"])
    axes.axhline(0.5, color=FAINT, linewidth=0.6, linestyle=":")
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    verb = "alive" if curves[0].endpoint == "OS" else "alive without progression"
    axes.set_ylabel(f"{title(curves[0].endpoint)}\n% {verb}")
    axes.set_xlabel(f"Months since start ({days_per_month:g} days each)", labelpad=2)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=7.8, handlelength=2.6, borderaxespad=0.1)


def _at_risk(axes: "Axes", curves: tuple[Curve, ...], days_per_month: float) -> None:
    quiet(axes)
    axes.tick_params(labelbottom=False)
    axes.set_ylim(max(2, len(curves)) - 0.4, -1.1)
    axes.text(0, -0.75, "Number at risk", transform=axes.get_yaxis_transform(), fontsize=7.5, fontweight="bold",
              va="center")
    right = axes.get_xlim()[1]
    for number, curve in enumerate(curves):
        colour, _ = _LINES[number % len(_LINES)]
        label = words.RULES.get(curve.rule) or curve.endpoint
        axes.text(-0.008, number, label.replace(" ", "\n") if len(label) > 10 else label,
                  transform=axes.get_yaxis_transform(), fontsize=7, color=colour, ha="right", va="center",
                  linespacing=0.95)
        for tick in axes.get_xticks():
            if tick <= right:
                axes.text(tick, number, str(words.at_risk(curve, tick * days_per_month)), fontsize=7.8, color=colour,
                          ha="center", va="center")
