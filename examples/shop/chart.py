"""Draws the campaign: how fast texts went out, and what people did with their mail."""

import bisect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from examples.shop.figures import Figures
from examples.shop.watching import SECOND_US, SMS_LIMIT

INK: Final = "#1d3142"
QUIET: Final = "#8a97a3"
SEA: Final = "#1d6f8c"
SHADES: Final = ("#1d6f8c", "#e0a458")
STEPS_A_SECOND: Final = 10
_STYLE: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": "#d5dbe0",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
}


def draw(path: Path, part_times: Sequence[int], subjects: Mapping[str, Figures]) -> None:
    """Write the chart as PNG; `part_times` in microseconds, ascending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(_STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), width_ratios=(3, 2))
        _draw_rate(left, part_times)
        _draw_subjects(right, subjects)
        figure.tight_layout(w_pad=4)
        figure.savefig(path, dpi=150)
        plt.close(figure)


def _draw_rate(axes: Axes, times: Sequence[int]) -> None:
    seconds, rates = rate_over_time(times)
    axes.fill_between(seconds, rates, color=SEA, alpha=0.18, linewidth=0)
    axes.plot(seconds, rates, color=SEA, linewidth=1.6)
    axes.axhline(SMS_LIMIT, color=SHADES[1], linewidth=1.4, linestyle=(0, (4, 3)))
    end = seconds[-1] if seconds else 1
    limit = f"limit: {SMS_LIMIT} a second"
    axes.text(1, 1.03, limit, ha="right", color=SHADES[1], transform=axes.transAxes)
    axes.set_ylim(0, SMS_LIMIT * 1.25)
    axes.set_xlim(0, max(end, 1))
    axes.set_xlabel("seconds after the first text")
    axes.set_title("SMS parts in the second before", loc="left", fontweight="bold", pad=12)


def rate_over_time(times: Sequence[int]) -> tuple[list[float], list[int]]:
    """Parts in the second before each tenth of a second, from the first part to the last."""
    if not times:
        return [], []
    step = SECOND_US // STEPS_A_SECOND
    moments = range(times[0], times[-1] + step, step)
    rates = [
        bisect.bisect_right(times, at) - bisect.bisect_right(times, at - SECOND_US)
        for at in moments
    ]
    return [(at - times[0]) / SECOND_US for at in moments], rates


def _draw_subjects(axes: Axes, subjects: Mapping[str, Figures]) -> None:
    width = 0.38
    for place, ((name, one), shade) in enumerate(zip(subjects.items(), SHADES, strict=True)):
        heights = (one.delivered, one.opened, one.clicked)
        at = [step + (place - 0.5) * width for step in range(len(heights))]
        bars = axes.bar(at, heights, width * 0.94, color=shade, label=f"Subject: {name}")
        axes.bar_label(bars, padding=3, color=INK, fontsize=9)
    axes.set_xticks(range(3), ("delivered", "opened", "clicked"))
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.legend(frameon=False, loc="upper right", labelcolor=INK)
    axes.set_title("Mail by subject", loc="left", fontweight="bold", pad=12)
