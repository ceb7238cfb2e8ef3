"""Fit the regression from the ascending aorta to the calibration factor (paper 1, section 2.4: XGBoost), write ONNX.

The target is the median attenuation deep inside the calcium-free coronary lumen of the same virtual scan.
"""

from __future__ import annotations

import argparse
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxmltools
import xgboost
from numpy.typing import NDArray
from onnxmltools.convert.common.data_types import FloatTensorType

from coronary.ccta_scoring.aorta import CALIBRATION_FEATURES

#: Operator set of the tree ensemble.
OPSET = 15

#: Parts of the cross-validation that is printed.
FOLDS = 6


def load_rows(paths: Sequence[Path]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features (n, features) and calibration factors (n,) of all cases, HU."""
    features, factors = [], []
    for path in paths:
        with np.load(path) as case:
            features.append(case["features"])
            factors.append(float(case["calibration_hu"]))
    return np.stack(features), np.array(factors, dtype=np.float32)


def build_regression(recipe: Mapping[str, Any]) -> xgboost.XGBRegressor:
    """Unfitted regression of the recipe.

    It learns the ratio to the mean attenuation of the aorta: trees do not extrapolate, and ratios are alike.
    """
    return xgboost.XGBRegressor(
        n_estimators=recipe["trees"],
        max_depth=recipe["depth"],
        learning_rate=recipe["learning_rate"],
        subsample=recipe["subsample"],
        min_child_weight=recipe["least_child_weight"],
        random_state=1,
        n_jobs=1,
    )


def cross_validated_error(
    features: NDArray[np.float32], ratio: NDArray[np.float32], recipe: Mapping[str, Any]
) -> float:
    """Root mean square error of the ratio on parts that were left out."""
    part = np.arange(len(ratio)) % FOLDS
    errors = [
        build_regression(recipe).fit(features[part != k], ratio[part != k]).predict(features[part == k])
        - ratio[part == k]
        for k in range(FOLDS)
    ]
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


def main() -> None:
    """Fit and write ``calibration.onnx``: ``python -m coronary.ccta_scoring.training.calibrate --cases cases``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = tomllib.loads(Path(__file__).with_name("config.toml").read_text())["calibration"]
    features, factors = load_rows(sorted(arguments.cases.glob("*.npz")))
    ratio = factors / features[:, CALIBRATION_FEATURES.index("aorta_mean_hu")]
    error = cross_validated_error(features, ratio, recipe)
    print(f"{len(ratio)} scans: ratio {ratio.mean():.3f} ± {ratio.std():.3f}, left-out error {error:.4f}")
    fitted = build_regression(recipe).fit(features, ratio)
    kind = FloatTensorType([None, len(CALIBRATION_FEATURES)])
    model = onnxmltools.convert_xgboost(fitted, initial_types=[("features", kind)], target_opset=OPSET)
    data = model.SerializeToString()
    Path(__file__).parents[1].joinpath("calibration.onnx").write_bytes(data)
    print(f"calibration.onnx  sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
