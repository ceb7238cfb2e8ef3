"""Pictures of agreement (scatter, Bland–Altman plot, confusion matrix) and of diagnostic accuracy (ROC curves).

Decides axes and marks; the numbers come from the statistics modules. matplotlib is imported inside the function
because it belongs to the evaluation extra, not to the service.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coronary.evaluation.continuous_agreement import bland_altman, intraclass_correlation
from coronary.evaluation.roc import roc_area, roc_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: How the pictures are got.
INSTALL: Final = "pip install 'agatha[evaluation]'"

#: Points beyond this number become one raster image inside a vector picture.
MOST_VECTOR_POINTS: Final = 2000

#: Size of a picture that stands alone, inches: legible at the width of a phone.
SINGLE_INCHES: Final = (5.6, 5.2)

#: Letters in a line of a title.
TITLE_WIDTH: Final = 96


def plot_agreement(true: ArrayLike, predicted: ArrayLike, *, quantity: str, data_name: str) -> Figure:
    """Draw predicted against true (line of identity) and their difference against their mean (mean, limits).

    Both axes of the scatter are logarithmic beyond 1 and linear below, so zeros stay visible. The caller saves the
    figure. ImportError with the command to install when matplotlib is missing.
    """
    figure = _new_figure((11.0, 5.0))
    scatter, difference = figure.subplots(1, 2)
    figure.suptitle(f"{quantity}: {data_name}")
    _draw_scatter(scatter, true, predicted, f"true {quantity}", f"predicted {quantity}")
    _draw_differences(difference, true, predicted, "mean of true and predicted", "predicted − true")
    return figure


def plot_scatter(true: ArrayLike, predicted: ArrayLike, *, quantity: str, data_name: str) -> Figure:
    """Draw the left half of :func:`plot_agreement` alone, against "the reference"."""
    figure = _single_figure(data_name)
    _draw_scatter(figure.subplots(), true, predicted, f"{quantity}, reference", f"{quantity}, Agatha")
    return figure


def plot_differences(true: ArrayLike, predicted: ArrayLike, *, quantity: str, data_name: str) -> Figure:
    """Draw the right half of :func:`plot_agreement` alone."""
    figure = _single_figure(data_name)
    _draw_differences(
        figure.subplots(), true, predicted, f"{quantity}, mean of reference and Agatha", "Agatha − reference"
    )
    return figure


def plot_confusion(counts: NDArray[np.int64], classes: Sequence[str], *, data_name: str) -> Figure:
    """Draw a confusion matrix, reference in rows: counts as numbers, the share of the row as shade."""
    figure = _single_figure(data_name)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.6 else "0.4" if count == 0 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=13)
    axes.set(xlabel="Agatha", ylabel="reference", title=f"n = {int(counts.sum())}")
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    return figure


def plot_detection(has_calcium: Sequence[bool], score: Sequence[float], *, data_name: str) -> Figure:
    """Draw the ROC curve of a score against calcium in the reference; the point of "any score above 0" is marked.

    ValueError without cases with and without calcium.
    """
    figure = _single_figure(data_name)
    axes = figure.subplots()
    area = roc_area(has_calcium, score).value
    axes.plot([0.0, 1.0], [0.0, 1.0], color="0.8", linewidth=1)
    axes.plot(*roc_curve(has_calcium, score), marker=".", label=f"AUC {area:.3f}")
    truth, called = np.asarray(has_calcium, dtype=np.bool_), np.asarray(score) > 0
    axes.plot(called[~truth].mean(), called[truth].mean(), "o", color="C3", label="score above 0")
    axes.set(xlabel="1 − specificity", ylabel="sensitivity", aspect="equal", title=f"n = {len(truth)}")
    axes.legend(loc="lower right")
    return figure


def _draw_scatter(axes: Axes, true: ArrayLike, predicted: ArrayLike, x_label: str, y_label: str) -> None:
    x, y = np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    icc = intraclass_correlation(np.column_stack([x, y]))
    top = max(float(x.max()), float(y.max()), 1.0)
    axes.plot([0.0, top], [0.0, top], color="0.6", linewidth=1)
    axes.scatter(x, y, s=14, alpha=0.7, rasterized=len(x) > MOST_VECTOR_POINTS)
    axes.set(xscale="symlog", yscale="symlog", xlabel=x_label, ylabel=y_label)
    axes.set_title("ICC undefined" if icc.value is None else f"ICC(A,1) {icc.value:.3f}, n = {icc.n}")


def _draw_differences(axes: Axes, true: ArrayLike, predicted: ArrayLike, x_label: str, y_label: str) -> None:
    x, y = np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    agreement = bland_altman(x, y)
    axes.scatter((x + y) / 2, y - x, s=14, alpha=0.7, rasterized=len(x) > MOST_VECTOR_POINTS)
    for line, style in (
        (agreement.mean_difference, "-"),
        (agreement.lower_limit, "--"),
        (agreement.upper_limit, "--"),
    ):
        if line.value is not None:
            axes.axhline(line.value, linestyle=style, color="0.4", linewidth=1)
    axes.set(xscale="symlog", xlabel=x_label, ylabel=y_label)
    # No mean is negative; the first and the last points stay whole.
    axes.set_xlim(-0.3, 1.4 * max(float(((x + y) / 2).max()), 1.0))
    axes.set_title("Bland–Altman, mean and 95 % limits")


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


def _single_figure(data_name: str) -> Figure:
    """A picture that keeps its data and its mark when it is copied out of a report."""
    figure = _new_figure(SINGLE_INCHES)
    note = textwrap.fill(f"{data_name}. Research use only.", TITLE_WIDTH)
    figure.suptitle(note, fontsize=8, color="0.35")
    return figure


def _new_figure(size_inches: tuple[float, float]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise ImportError(f"pictures need matplotlib: {INSTALL}") from exc
    return Figure(figsize=size_inches, layout="constrained")
