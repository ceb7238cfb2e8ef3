"""What every family offers to the service, in types.

A family is one of the five analyses. The router and the worker loop over families through this contract and know
none of them by name. Nothing here opens a file, a network connection or an ONNX session.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import CalciumScore, ScoreInterval, ScoreRange, VesselValues
from coronary.concordance import LimitsOfAgreement
from coronary.coronary_tree import CoronaryTree
from coronary.ct_volume import CtVolume
from coronary.derived_findings import DerivedFindings
from coronary.detection_findings import DetectionFindings, SecondOpinion
from coronary.reasons import NOT_COMPARABLE, QualityNote, Refusal

__all__ = [
    "AcquisitionFacts",
    "CalciumEstimate",
    "CalciumFindings",
    "ContrastFindings",
    "DerivedFindings",
    "DetectionFindings",
    "Family",
    "Findings",
    "LimitsOfAgreement",
    "LumenCourse",
    "ModelManifest",
    "ModelSession",
    "ModelSessions",
    "NetworkFile",
    "ProgressCallback",
    "QualityNote",
    "Refusal",
    "SeriesKind",
]

#: Kind of a CT series as decided by the router: header score first, measured blood-pool attenuation last.
SeriesKind = Literal["csct", "ccta", "chest_ncct", "other"]

#: Called with the finished fraction (0 to 1) of a running prediction.
ProgressCallback = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class AcquisitionFacts:
    """What the headers of one series say about its acquisition; None where a header is silent."""

    manufacturer: str = ""
    model_name: str = ""
    series_description: str = ""
    protocol_name: str = ""
    convolution_kernel: str = ""
    #: Whether the kernel is known to be a smooth one; None where no kernel is named.
    is_soft_kernel: bool | None = None
    #: What in the headers says that the images were reconstructed iteratively; "" where nothing does.
    iterative_reconstruction: str = ""
    kvp: float | None = None
    slice_thickness_mm: float | None = None
    contrast_agent: str = ""
    is_gated: bool = False
    cardiac_phase_percent: float | None = None
    is_lossy_compressed: bool = False
    #: (0018,9351) CalciumScoringMassFactorPatient or (0018,9352) ...Device, mg/(HU cm3); None when neither is present.
    calcium_mass_factor: float | None = None
    calcium_mass_factor_source: str = ""

    def compression_notes(self) -> tuple[QualityNote, ...]:
        """Note ``LOSSY_COMPRESSION`` where it applies; every scoring family passes it on."""
        if not self.is_lossy_compressed:
            return ()
        return (QualityNote("LOSSY_COMPRESSION", "The source was compressed with loss; small lesions may be lost."),)


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """One ONNX file: its name in the family's folder, hash, operator set, and shape of each input."""

    file: str
    sha256: str
    opset: int
    inputs: Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """Identity and input contract of a family's networks (``manifest.toml``): released together, under one version."""

    name: str
    version: str
    networks: Mapping[str, NetworkFile]
    training: Mapping[str, object]
    agreement: LimitsOfAgreement | None = None

    @property
    def sha256(self) -> str:
        """Hash of the file; of several, the SHA-256 of the lines ``name sha256`` in the order of the names."""
        if len(self.networks) == 1:
            (only,) = self.networks.values()
            return only.sha256
        lines = "".join(f"{name} {self.networks[name].sha256}\n" for name in sorted(self.networks))
        return hashlib.sha256(lines.encode()).hexdigest()

    def only(self, names: Sequence[str]) -> ModelManifest:
        """The manifest with these networks alone; KeyError for a name that it does not have."""
        return replace(self, networks={name: self.networks[name] for name in names})

    @classmethod
    def from_toml(cls, text: str) -> ModelManifest:
        """Parse the text of a ``manifest.toml``; a missing key raises KeyError with its name."""
        document = tomllib.loads(text)
        networks = {
            name: NetworkFile(each["file"], each["sha256"], int(each["opset"]), each["inputs"])
            for name, each in document["networks"].items()
        }
        model, agreement = document["model"], document.get("agreement")
        return cls(
            name=model["name"],
            version=model["version"],
            networks=networks,
            training=document.get("training", {}),
            agreement=None if agreement is None else LimitsOfAgreement(**agreement),
        )


class ModelSession(Protocol):
    """A loaded network: named float32 arrays in, float32 arrays out (implemented by ``agatha.infer``)."""

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        """Run the network once."""
        ...


#: The networks of one family by their names in its manifest.
ModelSessions = Mapping[str, ModelSession]


@dataclass(frozen=True, slots=True, eq=False)
class LumenCourse:
    """Attenuation along one artery; arrays have one entry per point from proximal to distal.

    Parameters
    ----------
    name
        Of the artery, as in the coronary tree (``LAD``, ``D1``).
    arc_length_mm
        Length from the artery's first point, mm.
    measured_hu
        Attenuation on the centreline, HU; NaN outside the volume.
    is_reliable
        Whether that is the attenuation of the lumen: no calcium on the centreline, lumen wide enough.
    threshold_hu
        From which attenuation a voxel of the cross-section is calcium for certain, HU.
    """

    name: str
    arc_length_mm: NDArray[np.float64]
    measured_hu: NDArray[np.float64]
    is_reliable: NDArray[np.bool_]
    threshold_hu: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CalciumEstimate:
    """What a network says of every voxel of a contrast scan that might be calcium, in raster order.

    Parameters
    ----------
    index_zyx
        Shape (m, 3): indices into the volume.
    probability
        Shape (m,): of being coronary calcium.
    excess_hu
        Shape (m,): what calcium adds to the attenuation, at the tube voltage of the scan, HU.
    """

    index_zyx: NDArray[np.int64]
    probability: NDArray[np.float64]
    excess_hu: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ContrastFindings:
    """What a contrast scan shows besides calcium, and what its thresholds were adapted to; attenuations in HU.

    Parameters
    ----------
    tree
        Coronary arteries: labelled centrelines with radii, and their voxels.
    aorta_mask
        Shape of the volume: ascending aorta with its root.
    calibration_factor_hu
        Representative attenuation of the coronary lumen, from the aorta (Lee 2023, section 2.4).
    aorta_mean_hu, aorta_sd_hu
        Blood of the ascending aorta, and its noise in single voxels.
    blood_pool_hu
        Brightest common blood around the heart.
    kvp
        Tube voltage.
    thresholds_hu
        Name -> threshold.
    threshold_shift_hu
        By how much the threshold of the score was shifted for the next two.
    agatston_at_lower_thresholds, agatston_at_higher_thresholds
        The score with shifted thresholds.
    segmented_volume_mm3
        Volume of the segmented voxels. ``CalciumScore.volume_mm3`` is larger: it is what a calcium-scoring CT with its
        thick slices would show of them.
    courses
        Attenuation along each centreline of the tree, in its order.
    """

    tree: CoronaryTree
    aorta_mask: NDArray[np.bool_]
    calibration_factor_hu: float
    aorta_mean_hu: float
    aorta_sd_hu: float
    blood_pool_hu: float
    kvp: float
    thresholds_hu: Mapping[str, float]
    threshold_shift_hu: float
    agatston_at_lower_thresholds: VesselValues
    agatston_at_higher_thresholds: VesselValues
    segmented_volume_mm3: VesselValues
    courses: tuple[LumenCourse, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CalciumFindings:
    """What a scoring family found in one volume.

    Parameters
    ----------
    score
        All numbers, from which every rendering (REST, SR, SEG, page) is made.
    vessel_labels
        Shape of the volume; 0 none, 1 LM, 2 LAD, 3 LCX, 4 RCA. Exactly the voxels that were scored.
    lesion_labels
        Shape of the volume; 0 none, n = ``score.lesions[n - 1]``.
    quality
        Notes for the reader, worst first.
    parameters
        Name → value as text: threshold, minimum area, connectivity, spacing rule, mass calibration, model hash.
    contrast
        What a contrast scan shows besides; None for a non-contrast scan. Then ``score`` is an estimate of the score of
        a calcium-scoring CT, and must be named so wherever it is shown.
    around, interval
        Total score without and with everything doubtful, and what follows from it; None where that was not looked into.
    second_opinion
        What the independent detection means for a score of zero; None where it was not asked.
    """

    score: CalciumScore
    vessel_labels: NDArray[np.uint8]
    lesion_labels: NDArray[np.uint16]
    quality: tuple[QualityNote, ...]
    parameters: Mapping[str, str]
    contrast: ContrastFindings | None = None
    around: ScoreRange | None = None
    interval: ScoreInterval | None = None
    second_opinion: SecondOpinion | None = None

    @property
    def is_comparable(self) -> bool:
        """Whether the score was acquired as reference Agatston scores are; an estimate never is."""
        return self.contrast is None and not any(note.code == NOT_COMPARABLE for note in self.quality)


#: What an analysis may have found.
Findings = CalciumFindings | DerivedFindings | DetectionFindings


class Family(Protocol):
    """One of the five analyses."""

    @property
    def name(self) -> str:
        """Name of the analysis in REST and on the command line, e.g. ``csct-scoring``."""
        ...

    @property
    def package(self) -> str:
        """Import name of the package that holds ``manifest.toml`` and the ONNX files."""
        ...

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks in the manifest that it runs; others lie there for comparison."""
        ...

    @property
    def series_kind(self) -> SeriesKind:
        """Kind of series this analysis is for."""
        ...

    @property
    def needs(self) -> str | None:
        """Name of the scoring analysis of the same volume whose findings this one begins with, or None."""
        ...

    @property
    def second_opinion(self) -> str | None:
        """Name of the detection that is asked about a score of zero in the same volume, or None."""
        ...

    def check_eligibility(self, facts: AcquisitionFacts, volume: CtVolume, /) -> Refusal | None:
        """Say why this volume must not be analysed, or None; what the needed analysis refuses it says itself."""
        ...

    def predict(
        self,
        sessions: ModelSessions,
        volume: CtVolume,
        facts: AcquisitionFacts,
        on_progress: ProgressCallback,
        basis: CalciumFindings | None = None,
        /,
    ) -> Findings | Refusal:
        """Analyse an eligible volume; a refusal is what only the analysis itself could find.

        `basis` is given exactly to a family that ``needs`` it.
        """
        ...
