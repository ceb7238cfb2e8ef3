"""Pictures of agreement; matplotlib belongs to the training extra."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from coronary.evaluation.plots import plot_agreement, plot_roc_curves


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="pip install 'agatha[training]'")
def test_the_picture_shows_every_case_twice_and_names_the_data() -> None:
    figure = plot_agreement([0, 10, 400], [0, 12, 380], quantity="Agatston score", data_name="virtual patients, n=3")
    assert [np.asarray(axes.collections[0].get_offsets()).shape[0] for axes in figure.axes] == [3, 3]
    assert "virtual patients, n=3" in figure.get_suptitle()


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="pip install 'agatha[training]'")
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


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"agatha\[training\]"):
        plot_agreement([0, 1], [0, 1], quantity="Agatston score", data_name="virtual patients, n=2")
