"""Findings and a small source CT series for tests of what is written from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian
from scipy.spatial import cKDTree

from agatha.dicom.uids import config_digest, src_digest
from agatha.report import ModelIdentity, ReportRequest
from coronary.calcium import (
    CalciumScore,
    IntervalCalibration,
    Lesion,
    MassCalibration,
    ScoreRange,
    Vessel,
    VesselValues,
    cac_drs,
    lesion_label_map,
    risk_category,
    score_calcium,
    score_interval,
)
from coronary.contract import (
    AcquisitionFacts,
    CalciumFindings,
    ContrastFindings,
    Findings,
    LumenCourse,
    QualityNote,
    Refusal,
)
from coronary.coronary_tree import Centerline, CoronaryTree, Ostium
from coronary.ct_volume import CtVolume
from coronary.derived_findings import DerivedFindings, DerivedVolume, SegmentReading
from coronary.detection_findings import DetectionFindings
from coronary.stenosis import SegmentStenosis

STUDY_UID = "1.2.826.0.1.3680043.8.498.1"
SERIES_UID = "1.2.826.0.1.3680043.8.498.1.2"
FRAME_OF_REFERENCE_UID = "1.2.826.0.1.3680043.8.498.1.3"
CONTENT_TIME = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
MODEL = ModelIdentity(name="csct-scoring-unetpp", version="1.2.0", sha256="ab" * 32)
CALIBRATION = MassCalibration(0.78, "(0018,9351) CalciumScoringMassFactorPatient")
INTERVAL_CALIBRATION = IntervalCalibration(
    lower_offset=0.5,
    lower_share=1.0,
    upper_offset=0.75,
    upper_share=1.0,
    missed_share=0.02,
    missed_share_doubtful=0.2,
    data="virtual patients, n = 120",
)
NOTE = QualityNote("NON_REFERENCE_THICKNESS", "Slice thickness 2.5 mm differs from the 3 mm of the reference protocol.")


def axial_affine(
    spacing_zyx_mm: tuple[float, float, float] = (3.0, 0.5, 0.5), origin: Sequence[float] = (-100.0, -120.0, 40.0)
) -> NDArray[np.float64]:
    """Affine of an axial head-first supine volume."""
    z, y, x = spacing_zyx_mm
    affine = np.diag([x, y, z, 1.0])
    affine[:3, 3] = origin
    return affine


def rotated_affine(affine: NDArray[np.float64], degrees: Sequence[float]) -> NDArray[np.float64]:
    """Affine with its axes turned about x, y and z."""
    out = affine.copy()
    for axis, angle in enumerate(np.radians(degrees)):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.eye(3)
        i, j = [k for k in range(3) if k != axis]
        turn[i, i] = turn[j, j] = c
        turn[i, j], turn[j, i] = -s, s
        out[:3, :3] = turn @ out[:3, :3]
    return out


def calcified_volume(
    shape: tuple[int, int, int] = (12, 64, 80),
    affine: NDArray[np.float64] | None = None,
    vessels: Sequence[Vessel] = (Vessel.LM, Vessel.LAD, Vessel.RCA),
    lesions_per_vessel: int = 2,
    seed: int = 0,
) -> tuple[CtVolume, NDArray[np.uint8]]:
    """Noisy soft tissue with bright blocks: a volume and its vessel labels.

    Blocks differ in size and attenuation and lie apart, so every block is one lesion.
    """
    generator = np.random.default_rng(seed)
    voxels = generator.normal(40, 12, shape).clip(-100, 120).astype(np.int16)
    labels = np.zeros(shape, np.uint8)
    cells = [(r, c) for r in range(4, shape[1] - 8, 8) for c in range(4, shape[2] - 8, 8)]
    generator.shuffle(cells)
    spots = [(z, r, c) for z in range(1, shape[0] - 2, 4) for r, c in cells]
    wanted = [vessel for vessel in vessels for _ in range(lesions_per_vessel)]
    if len(wanted) > len(spots):
        raise ValueError(f"no room for {len(wanted)} lesions in {shape}")
    picked = generator.choice(len(spots), size=len(wanted), replace=False)
    for number, (vessel, spot) in enumerate(zip(wanted, picked, strict=True)):
        z, r, c = spots[spot]
        depth, height, width = 1 + number % 2, 2 + number % 3, 2 + number % 4
        block = (slice(z, z + depth), slice(r, r + height), slice(c, c + width))
        voxels[block] = generator.integers(140, 600, voxels[block].shape)
        labels[block] = vessel
    return CtVolume(voxels, axial_affine() if affine is None else affine), labels


def findings_of(
    volume: CtVolume,
    labels: NDArray[np.uint8],
    calibration: MassCalibration | None = CALIBRATION,
    quality: tuple[QualityNote, ...] = (NOTE,),
) -> CalciumFindings:
    """Score a labelled volume the way a scoring family does; what is doubtful in it is made up."""
    spacing = volume.spacing_zyx_mm
    score = score_calcium(volume.voxels_hu, labels, spacing, volume.affine_lps, mass_calibration=calibration)
    lesions = lesion_label_map(volume.voxels_hu, labels, spacing)
    parameters = {
        "threshold": "130 HU",
        "minimum area": "1 mm2 per lesion",
        "connectivity": "6-connected in 3-D; areas and weights per slice",
        "spacing rule": f"slice spacing {spacing[0]:.3f} mm / 3 mm",
        "mass calibration": calibration.source if calibration else "none: mass not reported",
    }
    total = score.agatston.total
    around = ScoreRange(lowest=0.9 * total, highest=1.1 * total + 2.5)
    return CalciumFindings(
        score,
        np.where(lesions > 0, labels, 0).astype(np.uint8),
        lesions,
        quality,
        parameters,
        around=around,
        interval=score_interval(total, around, INTERVAL_CALIBRATION),
    )


#: Straight arteries of :func:`contrast_volume`: name, parent, first and last point (z, y, x voxels) and vessel.
ARTERIES: tuple[tuple[str, str | None, tuple[int, int, int], tuple[int, int, int], Vessel], ...] = (
    ("LM", None, (19, 24, 42), (18, 24, 54), Vessel.LM),
    ("LAD", "LM", (18, 24, 54), (4, 12, 58), Vessel.LAD),
    ("LCX", "LM", (18, 24, 54), (6, 44, 66), Vessel.LCX),
    ("RCA", None, (18, 24, 22), (3, 40, 12), Vessel.RCA),
    ("D1", "LAD", (11, 18, 56), (6, 14, 70), Vessel.LAD),
)
LUMEN_HU, AORTA_HU, PLAQUE_HU = 380, 410, 1100


def contrast_volume(
    affine: NDArray[np.float64] | None = None, *, is_calcified: bool = True
) -> tuple[CtVolume, CalciumFindings]:
    """Contrast scan of straight arteries beside an aorta, with plaques in LAD and RCA, and its findings.

    The numbers of the score are made up, and all different: what is written must repeat them, not compute them.
    """
    shape = (24, 56, 80)
    voxels = np.random.default_rng(5).normal(40, 12, shape).astype(np.int16)
    z, y, x = np.indices(shape)
    aorta = ((y - 24) ** 2 + (x - 32) ** 2 <= 10**2) & (z >= 12)
    voxels[aorta] = AORTA_HU
    volume = CtVolume(voxels, axial_affine((1.0, 0.8, 0.8)) if affine is None else affine)
    tree = _straight_tree(volume, aorta)
    voxels[tuple(tree.voxels_zyx.T)] = LUMEN_HU
    vessel_labels, lesion_labels = np.zeros(shape, np.uint8), np.zeros(shape, np.uint16)
    if is_calcified:
        plaques = ((slice(12, 14), slice(18, 21), slice(55, 58)), Vessel.LAD), ((slice(9, 12), 34, 17), Vessel.RCA)
        for label, (block, vessel) in enumerate(plaques, start=1):
            voxels[block], vessel_labels[block], lesion_labels[block] = PLAQUE_HU, vessel, label
    score = _estimated_score(volume, lesion_labels)
    scale = 1.0 if is_calcified else 0.0
    return volume, CalciumFindings(
        score=score,
        vessel_labels=vessel_labels,
        lesion_labels=lesion_labels,
        quality=(QualityNote("TREE_LIMITED", "The circumflex ends early."),),
        parameters={"rule": "wall excess", "calibration factor": "373 HU"},
        contrast=ContrastFindings(
            tree=tree,
            aorta_mask=aorta,
            calibration_factor_hu=373.25,
            aorta_mean_hu=410.5,
            aorta_sd_hu=21.125,
            blood_pool_hu=421.75,
            kvp=100.0,
            thresholds_hu={"certain calcium, lowest": 512.5, "calcium beside the lumen": 198.75},
            threshold_shift_hu=25.0,
            agatston_at_lower_thresholds=VesselValues(*(scale * n for n in (151.5, 0.0, 101.25, 0.0, 50.25))),
            agatston_at_higher_thresholds=VesselValues(*(scale * n for n in (88.5, 0.0, 60.25, 0.0, 28.25))),
            segmented_volume_mm3=VesselValues(*(scale * n for n in (14.5, 0.0, 10.25, 0.0, 4.25))),
            courses=tuple(_course(line) for line in tree.centerlines),
        ),
    )


def _straight_tree(volume: CtVolume, aorta: NDArray[np.bool_]) -> CoronaryTree:
    lines = []
    for number, (name, parent, start, end, vessel) in enumerate(ARTERIES):
        ends = volume.to_lps_mm(np.array([start, end], dtype=np.float64))
        count = round(float(np.linalg.norm(ends[1] - ends[0])) / 0.5) + 1
        points = np.linspace(ends[0], ends[1], count)
        segment = np.where(np.arange(count) < count // 2, number + 1, number + 2).astype(np.uint8)
        bridged = np.arange(count) >= count - 3
        lines.append(
            Centerline(name, parent, points, np.full(count, 1.5), segment, np.full(count, vessel, np.uint8), bridged)
        )
    points = np.concatenate([line.points_lps_mm for line in lines])
    line_of = np.repeat(np.arange(len(lines)), [len(line.points_lps_mm) for line in lines])
    point_of = np.concatenate([np.arange(len(line.points_lps_mm)) for line in lines])
    index = np.argwhere(~aorta)
    distance, nearest = cKDTree(points).query(volume.to_lps_mm(index.astype(np.float64)), distance_upper_bound=1.5)
    inside = np.isfinite(distance)
    ostia = (
        Ostium("left", tuple(lines[0].points_lps_mm[0].tolist()), 0.0),
        Ostium("right", tuple(lines[3].points_lps_mm[0].tolist()), 0.0),
    )
    return CoronaryTree(
        centerlines=tuple(lines),
        ostia=ostia,
        dominance="right",
        joins=(),
        dropped=(),
        notes=(),
        shape_zyx=aorta.shape,
        voxels_zyx=index[inside].astype(np.int32),
        voxel_centerline=line_of[nearest[inside]].astype(np.uint16),
        voxel_point=point_of[nearest[inside]].astype(np.int32),
    )


def _course(line: Centerline) -> LumenCourse:
    count = len(line.points_lps_mm)
    measured = LUMEN_HU - 0.5 * np.arange(count, dtype=np.float64)
    measured[-1] = np.nan
    return LumenCourse(line.name, line.arc_length_mm, measured, ~line.is_bridged, measured[0] + np.full(count, 120.0))


def _estimated_score(volume: CtVolume, lesion_labels: NDArray[np.uint16]) -> CalciumScore:
    made_up = {1: (Vessel.LAD, 81.375, 30.125), 2: (Vessel.RCA, 40.25, 12.625)}
    lesions = []
    for label in range(1, int(lesion_labels.max()) + 1):
        vessel, agatston, volume_mm3 = made_up[label]
        index = np.argwhere(lesion_labels == label)
        center = volume.to_lps_mm(index.mean(axis=0))
        lesions.append(
            Lesion(
                label=label,
                vessel=vessel,
                agatston=agatston,
                agatston_paper=None,
                volume_mm3=volume_mm3,
                mass_mg=None,
                peak_hu=1100.0 + label,
                mean_hu=1000.0 + label,
                center_lps_mm=(float(center[0]), float(center[1]), float(center[2])),
                slices=tuple(np.unique(index[:, 0]).tolist()),
                voxel_count=len(index),
            )
        )
    total = sum(lesion.agatston for lesion in lesions)
    return CalciumScore(
        agatston=VesselValues.from_vessels({one.vessel: one.agatston for one in lesions}, float(total)),
        volume_mm3=VesselValues.from_vessels(
            {one.vessel: one.volume_mm3 for one in lesions}, float(sum(one.volume_mm3 for one in lesions))
        ),
        mass_mg=None,
        lesions=tuple(lesions),
        risk_category=risk_category(total),
        cac_drs=cac_drs(total, len(lesions)),
        agatston_paper=None,
        convention="Agatston equivalent from contrast CT",
    )


@dataclass(frozen=True, slots=True)
class PatientHeader:
    """Patient and study of a source series; ``missing`` names attributes to leave out, ``extra`` replaces or adds."""

    ATTRIBUTES: ClassVar[dict[str, str]] = {
        "PatientName": "Doe^Jane",
        "PatientID": "PAT-0001",
        "PatientBirthDate": "19610203",
        "PatientSex": "F",
        "PatientAge": "065Y",
        "StudyDate": "20260304",
        "StudyTime": "050000",
        "AccessionNumber": "ACC123",
        "StudyID": "7",
        "StudyDescription": "CT calcium score",
        "ReferringPhysicianName": "Ref^Doc",
        "Manufacturer": "SCANNER MAKER",
        "ManufacturerModelName": "Model X",
        "SoftwareVersions": "1.0",
        "DeviceSerialNumber": "4711",
    }

    name: str = "Doe^Jane"
    character_set: str | list[str] = "ISO_IR 100"
    missing: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    def write_into(self, dataset: Dataset) -> None:
        dataset.SpecificCharacterSet = self.character_set
        values = {**self.ATTRIBUTES, "PatientName": self.name, **self.extra}
        for keyword, value in values.items():
            if keyword not in self.missing:
                setattr(dataset, keyword, value)


def write_ct_series(
    folder: Path,
    volume: CtVolume,
    patient: PatientHeader | None = None,
    *,
    slice_thickness_mm: float | None = 3.0,
    spacing_between_slices: float | None = None,
) -> list[Path]:
    """Single-frame CT Image instances of a volume, in volume order; InstanceNumber runs the other way."""
    folder.mkdir(parents=True, exist_ok=True)
    count = volume.voxels_hu.shape[0]
    paths = []
    for z in range(count):
        dataset = _ct_dataset(volume, patient or PatientHeader(), CTImageStorage, f"{SERIES_UID}.{z + 1}")
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.InstanceNumber = count - z
        dataset.ImageOrientationPatient = _orientation(volume)
        dataset.ImagePositionPatient = _position(volume, z)
        dataset.PixelSpacing = [f"{volume.spacing_zyx_mm[1]:.10g}", f"{volume.spacing_zyx_mm[2]:.10g}"]
        if slice_thickness_mm is not None:
            dataset.SliceThickness = slice_thickness_mm
        if spacing_between_slices is not None:
            dataset.SpacingBetweenSlices = spacing_between_slices
        dataset.PixelData = (volume.voxels_hu[z].astype(np.int32) + 1024).astype("<u2").tobytes()
        path = folder / f"{z:04d}.dcm"
        dcmwrite(path, dataset, enforce_file_format=True)
        paths.append(path)
    return paths


def write_enhanced_ct(
    path: Path, volume: CtVolume, frame_order: Sequence[int], patient: PatientHeader | None = None
) -> list[int]:
    """One Enhanced CT instance whose frames are slices in the given order; returns the frame number per slice."""
    dataset = _ct_dataset(volume, patient or PatientHeader(), EnhancedCTImageStorage, f"{SERIES_UID}.1")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.InstanceNumber = 1
    dataset.NumberOfFrames = len(frame_order)
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = _orientation(volume)
    measures.PixelSpacing = [f"{volume.spacing_zyx_mm[1]:.10g}", f"{volume.spacing_zyx_mm[2]:.10g}"]
    measures.SliceThickness = 3.0
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    dataset.SharedFunctionalGroupsSequence = [shared]
    per_frame = []
    for z in frame_order:
        groups, position = Dataset(), Dataset()
        position.ImagePositionPatient = _position(volume, z)
        groups.PlanePositionSequence = [position]
        per_frame.append(groups)
    dataset.PerFrameFunctionalGroupsSequence = per_frame
    dataset.PixelData = (volume.voxels_hu[list(frame_order)].astype(np.int32) + 1024).astype("<u2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, dataset, enforce_file_format=True)
    return [list(frame_order).index(z) + 1 for z in range(volume.voxels_hu.shape[0])]


def contrast_request(
    paths: Sequence[Path], volume: CtVolume, findings: CalciumFindings, **changes: Any
) -> ReportRequest:
    """Request for the result of a contrast scan."""
    model = ModelIdentity(name="ccta-scoring", version="0.1.0", sha256="cd" * 32)
    return report_request(paths, volume, findings, **{"analysis": "ccta-scoring", "model": model, **changes})


def derived_request(
    paths: Sequence[Path], volume: CtVolume, findings: DerivedFindings, **changes: Any
) -> ReportRequest:
    """Request for the result of a family that makes new series."""
    model = ModelIdentity(name="calcium-inpainting", version="0.1.0", sha256="ef" * 32)
    return report_request(paths, volume, findings, **{"analysis": "calcium-inpainting", "model": model, **changes})


def detection_findings(volume: CtVolume, probabilities: Mapping[int, float]) -> DetectionFindings:
    """What a detection might have answered: probabilities of some slices, no heart in the first, 0 in all others."""
    of_slice = np.zeros(len(volume.voxels_hu))
    of_slice[0] = np.nan
    for z, probability in probabilities.items():
        of_slice[z] = probability
    highest = float(np.nanmax(of_slice))
    return DetectionFindings(
        presence="none" if highest < 0.5 else "high",
        probability=highest,
        slice_probability=of_slice,
        quality=(),
        parameters={"looked at": "everything bright in the heart"},
    )


def detection_request(
    paths: Sequence[Path], volume: CtVolume, findings: DetectionFindings, **changes: Any
) -> ReportRequest:
    """Request for the result of a detection."""
    model = ModelIdentity(name="calcium-detection", version="0.1.0", sha256="0d" * 32)
    return report_request(paths, volume, findings, **{"analysis": "calcium-detection", "model": model, **changes})


def report_request(
    paths: Sequence[Path],
    volume: CtVolume | None,
    findings: Findings | None = None,
    refusal: Refusal | None = None,
    **changes: Any,
) -> ReportRequest:
    """Request over source files as the pipeline makes it."""
    values: dict[str, Any] = {
        "analysis": "csct-scoring",
        "source_paths": paths,
        "model": MODEL,
        "src_digest": src_digest((f"{SERIES_UID}.{z + 1}", None) for z in range(len(paths))),
        "config_digest": config_digest({"threshold_hu": 130}),
        "content_time": CONTENT_TIME,
        "series_index": 1,
        "volume": volume,
        "facts": AcquisitionFacts(manufacturer="SCANNER MAKER", kvp=120.0, slice_thickness_mm=3.0),
        "findings": findings,
        "refusal": refusal,
    }
    return ReportRequest(**{**values, **changes})


def _ct_dataset(volume: CtVolume, patient: PatientHeader, sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class_uid, sop_instance_uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY_UID, SERIES_UID
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = FRAME_OF_REFERENCE_UID, ""
    dataset.Modality, dataset.SeriesNumber, dataset.SeriesDescription = "CT", 3, "CaScSeq 3.0 Qr36"
    dataset.KVP, dataset.PatientPosition = 120, "HFS"
    dataset.Rows, dataset.Columns = volume.voxels_hu.shape[1:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, -1024, "HU"
    block = dataset.private_block(0x0029, "SCANNER PRIVATE", create=True)
    block.add_new(0x01, "LO", "private to the scanner")
    patient.write_into(dataset)
    return dataset


def _orientation(volume: CtVolume) -> list[str]:
    axes = volume.affine_lps[:3, :2] / np.linalg.norm(volume.affine_lps[:3, :2], axis=0)
    return [f"{value:.12f}"[:16] for value in axes.T.ravel()]


def _position(volume: CtVolume, z: int) -> list[str]:
    return [f"{value:.9f}"[:16] for value in volume.to_lps_mm(np.array([z, 0.0, 0.0]))]


def derived_findings(volume: CtVolume, findings: CalciumFindings) -> DerivedFindings:
    """What a family that removes calcium might have made of :func:`contrast_volume`; its plaques are lumen now."""
    assert findings.contrast is not None
    is_altered = findings.vessel_labels > 0
    voxels = volume.voxels_hu.copy()
    voxels[is_altered] = LUMEN_HU
    readings = [
        SegmentReading(
            SegmentStenosis(line.name, segment, 60.5 + segment, 10.0, 1.5, 3.0, 0.4),
            SegmentStenosis(line.name, segment, 20.25 + segment, 10.5, 2.25, 3.0, 0.0),
            distrust="" if segment != 2 else "calcium fills the whole cross-section",
        )
        for line in findings.contrast.tree.centerlines
        for segment in dict.fromkeys(line.segment.tolist())
    ]
    return DerivedFindings(
        volumes=(DerivedVolume("calcium-removed", voxels, is_altered),),
        readings=tuple(readings),
        cad_rads="4A",
        tree=findings.contrast.tree,
        quality=(QualityNote("LUMEN_MADE", "The lumen beside calcium was computed."),),
        parameters={"method": "excess attenuation taken off"},
    )
