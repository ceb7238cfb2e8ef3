"""What the ascending aorta says about the contrast of a scan: mean, noise, and the inputs of the calibration factor.

Decides which voxels of a segmented aorta are pure blood and which numbers a regression gets to see: one function for
training and serving. The regression itself (aorta to a representative coronary attenuation) is not here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.contract import Refusal
from coronary.ct_volume import CtVolume

#: Rim of the mask that is left out, mm: partial volume with the wall (point spread 1 mm), a segmentation that is a
#: working pixel too large, and calcium of the wall.
RIM_MM = 3.0

#: Least volume of eroded aorta, cm³: a 15 mm long piece of a 20 mm aorta. Less is not an ascending aorta.
MINIMUM_VOLUME_CM3 = 2.0

#: Attenuations further from the median than this many robust SDs are calcium, leads or a mask that left the vessel.
OUTLIER_SDS = 4.0

#: Median absolute deviation x this is the SD of a normal distribution.
MAD_TO_SD = 1.4826

#: Quantiles of the aortic attenuation among the regression's inputs.
QUANTILES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)

#: Upper bounds of the histogram among the regression's inputs, relative to the median attenuation.
HISTOGRAM_BOUNDS = (0.80, 0.88, 0.94, 0.98, 1.02, 1.06, 1.12, 1.20)

#: Names of :func:`calibration_features`, in order.
CALIBRATION_FEATURES = (
    "kvp",
    "aorta_mean_hu",
    "aorta_sd_hu",
    *(f"aorta_quantile_{round(100 * quantile):02d}_hu" for quantile in QUANTILES),
    *(f"aorta_share_below_{round(100 * bound):03d}_percent_of_median" for bound in HISTOGRAM_BOUNDS),
    "aorta_caudal_hu",
    "aorta_cranial_hu",
    "aorta_radius_mm",
)


@dataclass(frozen=True, slots=True, eq=False)
class AorticAttenuation:
    """Attenuation of the blood in the ascending aorta.

    Parameters
    ----------
    mean_hu, sd_hu
        Of the eroded mask without outliers, HU; the SD is the noise of single voxels of this scan in blood.
    quantiles_hu, histogram_shares
        As named by QUANTILES and HISTOGRAM_BOUNDS: HU, and the share (0 to 1) of voxels below each bound.
    caudal_hu, cranial_hu
        Mean of the lowest and highest third of the slices, HU: how the bolus runs along the vessel.
    radius_mm
        Radius of the circle with the mask's median area in a slice.
    volume_cm3
        Of the eroded mask.
    """

    mean_hu: float
    sd_hu: float
    quantiles_hu: tuple[float, ...]
    histogram_shares: tuple[float, ...]
    caudal_hu: float
    cranial_hu: float
    radius_mm: float
    volume_cm3: float


def measure_aorta(volume: CtVolume, aorta_mask: NDArray[np.bool_]) -> AorticAttenuation | Refusal:
    """Measure the blood inside a mask of the ascending aorta.

    Parameters
    ----------
    aorta_mask
        Shape of the volume: lumen of the ascending aorta (root included or not), in axial slices.

    Returns
    -------
    AorticAttenuation or Refusal
        ``AORTA_NOT_FOUND`` when less than MINIMUM_VOLUME_CM3 is left after taking the rim away.

    Raises
    ------
    ValueError
        If the mask has another shape than the volume.
    """
    if aorta_mask.shape != volume.voxels_hu.shape:
        raise ValueError(f"mask has shape {aorta_mask.shape}, the volume {volume.voxels_hu.shape}")
    slices = np.flatnonzero(aorta_mask.any(axis=(1, 2)))
    spacing = volume.spacing_zyx_mm
    eroded = _without_rim(aorta_mask, spacing)
    z, y, x = np.nonzero(eroded)
    volume_cm3 = len(z) * float(np.prod(spacing)) / 1000.0
    if volume_cm3 < MINIMUM_VOLUME_CM3:
        return Refusal(
            "AORTA_NOT_FOUND",
            f"{volume_cm3:.1f} cm3 of ascending aorta without its rim, at least {MINIMUM_VOLUME_CM3:g} cm3 are needed.",
            {"aorta_volume_cm3": round(volume_cm3, 2)},
        )
    hu = volume.voxels_hu[z, y, x].astype(np.float64)
    median = float(np.median(hu))
    robust_sd = MAD_TO_SD * float(np.median(np.abs(hu - median)))
    is_blood = np.abs(hu - median) <= max(OUTLIER_SDS * robust_sd, 1.0)
    hu, z = hu[is_blood], z[is_blood]
    # Caudal is where LPS z is smaller, whatever the order of the slices.
    height = volume.affine_lps[2, 2] * z
    low, high = np.quantile(height, (1 / 3, 2 / 3))
    area_mm2 = float(np.median(aorta_mask[slices].sum(axis=(1, 2)))) * spacing[1] * spacing[2]
    return AorticAttenuation(
        mean_hu=float(hu.mean()),
        sd_hu=float(hu.std()),
        quantiles_hu=tuple(np.quantile(hu, QUANTILES).tolist()),
        histogram_shares=tuple(float((hu < bound * median).mean()) for bound in HISTOGRAM_BOUNDS),
        caudal_hu=float(hu[height <= low].mean()),
        cranial_hu=float(hu[height >= high].mean()),
        radius_mm=float(np.sqrt(area_mm2 / np.pi)),
        volume_cm3=volume_cm3,
    )


def calibration_features(aorta: AorticAttenuation, kvp: float) -> NDArray[np.float32]:
    """Inputs of the regression that gives the calibration factor, shape (len(CALIBRATION_FEATURES),).

    Notes
    -----
    Paper 1, section 2.4: a representative coronary attenuation is extracted by XGBoost "based on the attenuation values
    of the ... aorta portion used as inputs" and is not their mean. Which values is not said; tube voltage and the
    course along the vessel are added because iodine and bolus timing decide how far coronaries lie below the aorta.
    """
    return np.array(
        [
            kvp,
            aorta.mean_hu,
            aorta.sd_hu,
            *aorta.quantiles_hu,
            *aorta.histogram_shares,
            aorta.caudal_hu,
            aorta.cranial_hu,
            aorta.radius_mm,
        ],
        dtype=np.float32,
    )


def _without_rim(mask: NDArray[np.bool_], spacing_zyx_mm: tuple[float, float, float]) -> NDArray[np.bool_]:
    """Voxels at least RIM_MM inside the mask within their slice; the cut ends of the vessel have no rim."""
    eroded = np.zeros(mask.shape, dtype=np.bool_)
    for z in np.flatnonzero(mask.any(axis=(1, 2))):
        rows, columns = np.nonzero(mask[z])
        box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
        padded = np.pad(mask[z][box], 1)
        depth = np.asarray(ndimage.distance_transform_edt(padded, sampling=spacing_zyx_mm[1:]))[1:-1, 1:-1]
        eroded[z][box] = depth > RIM_MM
    return eroded
