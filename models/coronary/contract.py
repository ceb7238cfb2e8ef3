"""What every family offers to the service, in types.

A family is one of the five analyses. The router and the worker loop over families through this contract and know
none of them by name. Nothing here opens a file, a network connection or an ONNX session.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import CalciumScore
from coronary.ct_volume import CtVolume

#: Kind of a CT series as decided by the router: header score first, measured blood-pool attenuation last.
SeriesKind = Literal["csct", "ccta", "chest_ncct", "other"]

#: Called with the finished fraction (0 to 1) of a running prediction.
ProgressCallback = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not analysed: a value, not an exception.

    ``code`` is stable and upper case (``GAP_BETWEEN_SLICES``); ``text`` is one English sentence that names the
    position or value that caused it; ``detail`` holds the same facts for programs (unit in each key).
    """

    code: str
    text: str
    detail: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QualityNote:
    """Something a reader of the result must know (``NON_STANDARD_KVP``, ``STENT_SUSPECTED``): code and sentence."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class AcquisitionFacts:
    """What the headers of one series say about its acquisition; None where a header is silent."""

    manufacturer: str = ""
    model_name: str = ""
    series_description: str = ""
    protocol_name: str = ""
    convolution_kernel: str = ""
    kvp: float | None = None
    slice_thickness_mm: float | None = None
    contrast_agent: str = ""
    is_gated: bool = False
    cardiac_phase_percent: float | None = None
    is_lossy_compressed: bool = False
    #: (0018,9351) CalciumScoringMassFactorPatient or (0018,9352) ...Device, mg/(HU cm3); None when neither is present.
    calcium_mass_factor: float | None = None
    calcium_mass_factor_source: str = ""


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

    @property
    def sha256(self) -> str:
        """Hash of the file; of several, the SHA-256 of the lines ``name sha256`` in the order of the names."""
        if len(self.networks) == 1:
            (only,) = self.networks.values()
            return only.sha256
        lines = "".join(f"{name} {self.networks[name].sha256}\n" for name in sorted(self.networks))
        return hashlib.sha256(lines.encode()).hexdigest()

    @classmethod
    def from_toml(cls, text: str) -> ModelManifest:
        """Parse the text of a ``manifest.toml``; a missing key raises KeyError with its name."""
        document = tomllib.loads(text)
        networks = {
            name: NetworkFile(each["file"], each["sha256"], int(each["opset"]), each["inputs"])
            for name, each in document["networks"].items()
        }
        model = document["model"]
        return cls(model["name"], model["version"], networks, document.get("training", {}))


class ModelSession(Protocol):
    """A loaded network: named float32 arrays in, float32 arrays out (implemented by ``agatha.infer``)."""

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        """Run the network once."""
        ...


#: The networks of one family by their names in its manifest.
ModelSessions = Mapping[str, ModelSession]


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
    """

    score: CalciumScore
    vessel_labels: NDArray[np.uint8]
    lesion_labels: NDArray[np.uint16]
    quality: tuple[QualityNote, ...]
    parameters: Mapping[str, str]


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
    def series_kind(self) -> SeriesKind:
        """Kind of series this analysis is for."""
        ...

    def check_eligibility(self, facts: AcquisitionFacts, volume: CtVolume) -> Refusal | None:
        """Say why this volume must not be analysed, or None."""
        ...

    def predict(
        self, sessions: ModelSessions, volume: CtVolume, facts: AcquisitionFacts, on_progress: ProgressCallback
    ) -> CalciumFindings:
        """Analyse an eligible volume."""
        ...
