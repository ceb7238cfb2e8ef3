"""What is known about one CT series once its headers are read, and once it is a volume.

The words in which assembling tells routing, pipeline and report what it found. Decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from coronary.contract import AcquisitionFacts, QualityNote
from coronary.ct_volume import CtVolume


@dataclass(frozen=True, slots=True)
class SourceSlice:
    """Where one slice of a volume comes from.

    Parameters
    ----------
    frame
        Frame number counted from 1 as in DICOM; None for a single-frame instance.
    position_lps_mm
        ImagePositionPatient (0020,0032): centre of the first pixel.
    """

    sop_instance_uid: str
    frame: int | None
    path: Path
    position_lps_mm: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class SeriesHeader:
    """What the headers of a series say, without a decoded pixel.

    Where a series holds several stacks of slices (phases, kernels, a localizer), this is the stack that would be
    analysed. Text is "" and numbers are None where the headers are silent.

    Parameters
    ----------
    image_type
        ImageType (0008,0008), upper case.
    gating_evidence
        What speaks for ECG gating, e.g. ``HeartRate`` or ``phase 75 %``; empty when nothing does.
    phases
        Number of complete volumes at the same positions.
    slice_count, spacing_mm, coverage_mm
        Distinct positions along the normal, their median step, and their extent including one step; 0 slices when
        an instance has no geometry.
    normal_lps
        Unit normal of the slices.
    field_of_view_mm
        Larger side of the image.
    """

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    sop_class_uid: str
    image_type: tuple[str, ...]
    series_number: int | None
    scan_options: str
    rescale_type: str
    is_own_output: bool
    facts: AcquisitionFacts
    gating_evidence: tuple[str, ...]
    phases: int
    slice_count: int
    spacing_mm: float | None
    coverage_mm: float
    normal_lps: tuple[float, float, float] | None
    field_of_view_mm: float | None


@dataclass(frozen=True, slots=True, eq=False)
class AssembledSeries:
    """A series as one volume.

    Parameters
    ----------
    slices
        One per slice of ``volume``, in its order.
    src_digest
        Of exactly these slices (``agatha.dicom.uids``).
    is_proven_complete
        The headers state how many images there are, and all of them are here.
    notes
        What was left out or dropped, for the reader of a result.
    """

    volume: CtVolume
    facts: AcquisitionFacts
    slices: tuple[SourceSlice, ...]
    src_digest: str
    is_proven_complete: bool
    notes: tuple[QualityNote, ...]
    header: SeriesHeader
