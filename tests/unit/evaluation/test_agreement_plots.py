"""Pictures of agreement; matplotlib belongs to the training extra."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from coronary.evaluation.plots import plot_agreement


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="pip install 'agatha[training]'")
def test_the_picture_shows_every_case_twice_and_names_the_data() -> None:
    figure = plot_agreement([0, 10, 400], [0, 12, 380], quantity="Agatston score", data_name="virtual patients, n=3")
    assert [np.asarray(axes.collections[0].get_offsets()).shape[0] for axes in figure.axes] == [3, 3]
    assert "virtual patients, n=3" in figure.get_suptitle()


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"agatha\[training\]"):
        plot_agreement([0, 1], [0, 1], quantity="Agatston score", data_name="virtual patients, n=2")
