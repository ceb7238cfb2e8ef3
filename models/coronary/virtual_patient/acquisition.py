"""Decides how a scan is made: voltage, grid, pose, sharpness, noise, motion and contrast timing.

Independent of the patient, so any acquisition fits any patient. Ranges: phantom design table 1.2 and 1.3.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from coronary.virtual_patient.materials import hu_per_ha, hu_per_iodine
from coronary.virtual_patient.patient import Variant
from coronary.virtual_patient.random_streams import clipped_normal, stream
from coronary.virtual_patient.shapes import Points, as_points

Protocol = Literal["csct", "ccta"]
NoiseFamily = Literal["gaussian", "cosine"]


@dataclass(frozen=True)
class Acquisition:
    """One scan protocol as executed.

    Patient points map to scan LPS mm by ``rotation @ p + shift_mm``. ``field_centre_mm`` is the centre of the field of
    view in scan LPS; slices ascend toward the head from ``first_slice_z_mm``. ``displacement_mm`` is the residual
    motion of each main vessel (scan LPS, end to end). ``iodine_mg_ml`` is per blood pool.
    """

    seed: int
    protocol: Protocol
    kvp: int
    vendor: str
    kernel: str
    pixel_mm: float
    matrix: int
    slice_thickness_mm: float
    slice_spacing_mm: float
    slice_count: int
    first_slice_z_mm: float
    field_centre_mm: tuple[float, float]
    rotation: Points
    shift_mm: Points
    noise_sd_hu: float
    noise_peak_per_mm: float
    noise_floor: float
    noise_family: NoiseFamily
    noise_depth: float
    psf_fwhm_mm: float
    slice_blur_mm: float
    ha_scale: float
    tissue_shift_hu: float
    heart_rate_bpm: float
    displacement_mm: dict[str, Points]
    streak_level: float
    iodine_mg_ml: dict[str, float]

    def ha_hu_per_mg_cm3(self) -> float:
        """Return the HU that 1 mg/cm³ of hydroxyapatite adds in this scan."""
        return hu_per_ha(self.kvp) * self.ha_scale

    def iodine_hu_per_mg_ml(self) -> float:
        """Return the HU that 1 mg/mL of iodine adds in this scan."""
        return hu_per_iodine(self.kvp)

    def to_scan(self, points: Points) -> Points:
        """Return scan LPS mm of patient points ``[..., 3]``."""
        return as_points(points @ self.rotation.T + self.shift_mm)

    def to_patient(self, points: Points) -> Points:
        """Return patient LPS mm of scan points ``[..., 3]``."""
        return as_points((points - self.shift_mm) @ self.rotation)


_KERNELS = {
    "csct": ("Qr36", "FC12", "STANDARD", "B"),
    "ccta": ("Bv40", "FC03", "STANDARD", "XCB"),
    "external": ("Br36", "FC01", "SOFT", "A"),
}
# Slice thickness and spacing.
_CSCT_SLICES_MM = ((3.0, 3.0), (2.5, 2.5), (3.0, 1.5))
_CCTA_SLICES_MM = ((0.6, 0.4), (0.75, 0.5), (0.5, 0.5), (0.625, 0.625))
_VENDORS = ("SIEMENS", "Canon Medical Systems", "GE MEDICAL SYSTEMS", "Philips")


def draw_acquisition(
    seed: int, protocol: Protocol, *, kvp: int | None = None, variant: Variant = "standard"
) -> Acquisition:
    """Draw one acquisition; ``kvp`` overrides the drawn voltage (CSCT: 120) without changing any other draw."""
    rng = stream(seed, f"acquisition {protocol}")
    is_csct = protocol == "csct"
    drawn = 120 if is_csct else int(rng.choice([80, 90, 100, 120], p=[0.1, 0.1, 0.4, 0.4]))
    voltage = drawn if kvp is None else kvp
    vendor = int(rng.integers(len(_VENDORS)))
    thickness, spacing = _slices(rng, is_csct)
    coverage = rng.uniform(127.0, 147.0)
    pixel = float(rng.uniform(0.35, 0.5)) if is_csct else float(rng.uniform(0.32, 0.46))
    extreme = 1.5 if seed % 5 == 4 else 1.0
    fwhm = rng.uniform(1.0, 1.5) if is_csct else rng.uniform(0.7, 1.2)
    rotation_rng = stream(seed, f"pose {protocol}")
    angles = np.deg2rad(np.clip(rotation_rng.normal(0.0, (2.0, 2.0, 4.0)), -12, 12)) * extreme
    rotation, shift = _small_rotation(angles), as_points(rotation_rng.normal(0.0, (6.0, 6.0, 3.0)))
    aim = (
        rotation @ as_points((20.0 + rotation_rng.normal(0.0, 5.0), -15.0 + rotation_rng.normal(0.0, 5.0), 0.0)) + shift
    )
    return Acquisition(
        seed=seed,
        protocol=protocol,
        kvp=voltage,
        vendor=_VENDORS[vendor],
        kernel=_KERNELS["external" if variant == "external" else protocol][vendor],
        pixel_mm=round(pixel, 4),
        matrix=512,
        slice_thickness_mm=thickness,
        slice_spacing_mm=spacing,
        slice_count=int(np.ceil(coverage / spacing)),
        first_slice_z_mm=float(round(-0.5 * coverage + rng.uniform(-8.0, 1.0), 2)),
        field_centre_mm=(float(aim[0]), float(aim[1])),
        rotation=rotation,
        shift_mm=shift,
        noise_sd_hu=float(rng.uniform(14.0, 32.0)) if is_csct else float(rng.uniform(14.0, 38.0)),
        noise_peak_per_mm=float(rng.uniform(0.22, 0.36) if is_csct else rng.uniform(0.25, 0.45)),
        noise_floor=float(rng.uniform(0.01, 0.06)),
        noise_family="cosine" if variant == "external" else "gaussian",
        noise_depth=float(rng.uniform(0.3, 1.0)),
        psf_fwhm_mm=float(fwhm),
        slice_blur_mm=float(rng.uniform(0.4, 0.9) if is_csct else rng.uniform(0.5, 0.9)),
        ha_scale=float(rng.uniform(0.88, 1.15)),
        tissue_shift_hu=float(rng.normal(0.0, 3.0)),
        heart_rate_bpm=clipped_normal(rng, 64.0, 9.0, 44.0, 105.0),
        displacement_mm=_motion(rng),
        streak_level=float(rng.uniform(0.3, 1.0)),
        iodine_mg_ml=_no_contrast() if is_csct else _contrast(rng),
    )


def _slices(rng: np.random.Generator, is_csct: bool) -> tuple[float, float]:
    if is_csct:
        return _CSCT_SLICES_MM[int(rng.choice(3, p=[0.55, 0.35, 0.10]))]
    return _CCTA_SLICES_MM[int(rng.choice(4, p=[0.2, 0.35, 0.25, 0.2]))]


def _motion(rng: np.random.Generator) -> dict[str, Points]:
    """Draw residual displacements: RCA moves most, LAD least; four of five scans below 3 mm."""
    strength = rng.gamma(1.1, 0.75)
    scale = {"RCA": 1.0, "LCX": 0.7, "LM": 0.45, "LAD": 0.4}
    moves = {}
    for vessel, share in scale.items():
        direction = rng.normal(size=3) * (1.0, 1.0, 0.6)
        length = min(8.0, share * strength * rng.uniform(0.6, 1.4))
        moves[vessel] = as_points(direction / np.linalg.norm(direction) * length)
    return moves


def _no_contrast() -> dict[str, float]:
    return dict.fromkeys(("aorta", "left", "right", "pulmonary", "svc", "ivc", "myocardium", "vein", "coronary"), 0.0)


def _contrast(rng: np.random.Generator) -> dict[str, float]:
    """Draw iodine (mg/mL) per blood pool relative to the aorta."""
    aorta = float(rng.uniform(10.0, 22.0))
    right = aorta * float(rng.uniform(0.05, 1.0))
    return {
        "aorta": aorta,
        "left": aorta * float(rng.uniform(0.9, 1.02)),
        "right": right,
        "pulmonary": aorta * float(rng.uniform(0.3, 1.05)),
        "svc": aorta * float(rng.uniform(0.2, 2.5)),
        "ivc": aorta * float(rng.uniform(0.02, 0.25)),
        "myocardium": aorta * float(rng.uniform(0.12, 0.2)),
        "vein": aorta * float(rng.uniform(0.05, 0.6)),
        "coronary": aorta * float(rng.uniform(0.9, 1.0)),
    }


def _small_rotation(angles: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Points:
    x, y, z = angles
    generator = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    u, _, vt = np.linalg.svd(np.eye(3) + generator)
    return as_points(u @ vt)
