"""Pictures of agreement (scatter and Bland–Altman plot side by side) and of diagnostic accuracy (ROC curves).

Decides axes and marks; the numbers come from the statistics modules. matplotlib is imported inside the function
because it belongs to the training extra, not to the service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from coronary.evaluation.continuous_agreement import bland_altman, intraclass_correlation
from coronary.evaluation.roc import roc_area, roc_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_agreement(true: ArrayLike, predicted: ArrayLike, *, quantity: str, data_name: str) -> Figure:
    """Draw predicted against true (line of identity) and their difference against their mean (mean, limits).

    Both axes of the scatter are logarithmic beyond 1 and linear below, so zeros stay visible. The caller saves the
    figure. ImportError with the command to install when matplotlib is missing.
    """
    figure = _new_figure((11.0, 5.0))
    x, y = np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    agreement = bland_altman(x, y)
    icc = intraclass_correlation(np.column_stack([x, y]))
    scatter, difference = figure.subplots(1, 2)
    figure.suptitle(f"{quantity}: {data_name}")
    top = max(float(x.max()), float(y.max()), 1.0)
    scatter.plot([0.0, top], [0.0, top], color="0.6", linewidth=1)
    scatter.scatter(x, y, s=14, alpha=0.7)
    scatter.set(xscale="symlog", yscale="symlog", xlabel=f"true {quantity}", ylabel=f"predicted {quantity}")
    scatter.set_title("ICC undefined" if icc.value is None else f"ICC(A,1) {icc.value:.3f}, n = {icc.n}")
    difference.scatter((x + y) / 2, y - x, s=14, alpha=0.7)
    for line, style in (
        (agreement.mean_difference, "-"),
        (agreement.lower_limit, "--"),
        (agreement.upper_limit, "--"),
    ):
        if line.value is not None:
            difference.axhline(line.value, linestyle=style, color="0.4", linewidth=1)
    difference.set(xscale="symlog", xlabel="mean of true and predicted", ylabel="predicted − true")
    difference.set_xlim(left=-0.3)  # no mean is negative; the first points stay whole
    difference.set_title("Bland–Altman, mean and 95 % limits")
    return figure


def plot_roc_curves(panels: Mapping[str, tuple[Sequence[bool], Mapping[str, Sequence[float]]]], title: str) -> Figure:
    """Draw ROC curves, one panel per group of cases: its name, who is positive, and the ratings by their names.

    The legend gives the area under each curve. The caller saves the figure. ImportError as above.
    """
    figure = _new_figure((5.5 * len(panels), 5.5))
    figure.suptitle(title, fontsize=10)
    for axes, (name, (is_positive, ratings)) in zip(
        np.atleast_1d(figure.subplots(1, len(panels))), panels.items(), strict=True
    ):
        axes.plot([0.0, 1.0], [0.0, 1.0], color="0.8", linewidth=1)
        for label, rating in ratings.items():
            area = roc_area(is_positive, rating).value
            axes.plot(
                *roc_curve(is_positive, rating),
                marker=".",
                label=label if area is None else f"{label}, AUC {area:.3f}",
            )
        axes.set(
            xlabel="1 − specificity", ylabel="sensitivity", aspect="equal", title=f"{name}, n = {len(is_positive)}"
        )
        axes.legend(loc="lower right", fontsize=8)
    return figure


def _new_figure(size_inches: tuple[float, float]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise ImportError("plots need matplotlib: pip install 'agatha[training]'") from exc
    return Figure(figsize=size_inches, layout="constrained")
