"""How a figure is drawn: the same numbers give the same bytes, and nothing of matplotlib's state is left changed."""

import warnings
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, GRID = "#1b2330", "#5b6675", "#dfe4ea"
BLUE, ORANGE, GREEN = "#0b5fa5", "#c2570c", "#12715b"
RESPONSE_COLOURS = {
    "CR": "#0b3c6f",
    "PR": "#2f8fd0",
    "SD": "#e3b23c",
    "NON-CR/NON-PD": "#c9a86a",
    "PD": "#c2410c",
    "NE": "#aab2bd",
    "NED": "#7fb8a4",
}
RESPONSE_HATCHES = {"PD": "////", "NE": "....", "NON-CR/NON-PD": "\\\\\\\\"}
"""Colours that stay apart for colour-blind eyes and in grey; hatches say the same without colour."""

_STYLE: Any = {
    "svg.hashsalt": "fhir-adapter",  # element ids; without it they are random
    "svg.fonttype": "path",
    "text.parse_math": False,  # a subject number with two dollar signs is no formula
    "font.size": 8.5,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    "hatch.color": "#ffffff",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


class Image(msgspec.Struct, frozen=True):
    """A finished figure, as vectors and as pixels."""

    svg: bytes
    png: bytes


def image(draw: "Callable[[Figure], None]", width: float, height: float) -> Image:
    """Draw on a fresh figure of that size in inches, under our style alone, and save it without dates."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    svg, png = BytesIO(), BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        # A sign that the font lacks is drawn as a box; the table beside the figure carries the text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        figure = Figure(figsize=(width, height), dpi=150)
        FigureCanvasAgg(figure)
        draw(figure)
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", metadata={"Software": None})
    return Image(svg.getvalue(), png.getvalue())


def footer(figure: "Figure", text: str) -> None:
    """A small line at the lower left of the figure."""
    figure.text(0.012, 0.012, text, fontsize=6.8, color=FAINT, ha="left", va="bottom")


def month_ticks(longest: float) -> list[int]:
    """Ticks in months: steps of 1, 2, 3, 6 or 12 so that there are at most 12."""
    step = next((one for one in (1, 2, 3, 6, 12) if longest / one <= 11), 24)
    return list(range(0, int(longest) + step + 1, step))


def quiet(axes: "Axes") -> None:
    """Take away everything but the room for text."""
    axes.set_yticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
