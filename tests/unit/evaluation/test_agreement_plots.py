"""Pictures of agreement; matplotlib belongs to the evaluation extra."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from coronary.calcium import RISK_CATEGORIES
from coronary.evaluation.plots import plot_agreement, plot_confusion, plot_detection, plot_differences, plot_roc_curves


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="pip install 'agatha[evaluation]'")
def test_the_picture_shows_every_case_twice_and_names_the_data() -> None:
    figure = plot_agreement([0, 10, 400], [0, 12, 380], quantity="Agatston score", data_name="virtual patients, n=3")
    assert [np.asarray(axes.collections[0].get_offsets()).shape[0] for axes in figure.axes] == [3, 3]
    assert "virtual patients, n=3" in figure.get_suptitle()


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="pip install 'agatha[evaluation]'")
def test_a_panel_per_group_shows_one_curve_per_rating_with_its_area() -> None:
    truth = [True, True, False, False]
    panels = {
        "all": (truth, {"scan": [1.0, 1.0, 1.0, 0.0], "made": [0.9, 0.5, 0.25, 0.0]}),
        "unreadable": (truth[1:3], {"scan": [1.0, 1.0]}),
    }
    figure = plot_roc_curves(panels, "virtual patients")
    labels = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in figure.axes]
    assert labels == [["scan, AUC 0.750", "made, AUC 1.000"], ["scan, AUC 0.500"]]
    assert [axes.get_title() for axes in figure.axes] == ["all, n = 4", "unreadable, n = 2"]


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="pip install 'agatha[evaluation]'")
def test_the_confusion_picture_shows_every_count_and_names_the_data() -> None:
    counts = np.arange(25).reshape(5, 5)
    figure = plot_confusion(counts, RISK_CATEGORIES, data_name="made-up cases")
    assert [text.get_text() for text in figure.axes[0].texts] == [str(n) for n in range(25)]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(RISK_CATEGORIES)
    assert figure.get_suptitle() == "made-up cases. Research use only."


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="pip install 'agatha[evaluation]'")
def test_the_point_of_any_score_lies_at_the_rates_of_a_score_above_zero() -> None:
    has_calcium = [True, True, True, True, False, False]
    figure = plot_detection(has_calcium, [0.0, 5.0, 90.0, 400.0, 0.0, 8.0], data_name="made-up cases")
    point = figure.axes[0].get_lines()[-1]
    assert (list(point.get_xdata()), list(point.get_ydata())) == ([0.5], [0.75])


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="pip install 'agatha[evaluation]'")
def test_the_last_point_of_the_differences_stays_whole() -> None:
    figure = plot_differences([0, 10, 4000], [0, 12, 3800], quantity="Agatston score", data_name="made-up cases")
    assert figure.axes[0].get_xlim()[1] > 1.2 * 3900


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"agatha\[evaluation\]"):
        plot_agreement([0, 1], [0, 1], quantity="Agatston score", data_name="virtual patients, n=2")
