"""Virtual patients as DICOM: what a scanner would have sent, with header habits of four vendors, and truth.json.

Decides the headers; the images and the truth come from ``coronary.virtual_patient``. The series are marked as virtual
in text attributes that no receiver interprets: SyntheticData would make our own receiver pass them over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat

from agatha.dicom.codes import IMPLEMENTATION_CLASS_UID, MANUFACTURER
from agatha.dicom.uids import derive_uid
from agatha.dicom.vendor_headers import VENDOR_HEADERS, VendorHeaders
from coronary.calcium import score_calcium
from coronary.virtual_patient import GENERATOR_VERSION, VirtualScan

#: Stands in the images so that nobody takes them for a patient's.
VIRTUAL_PATIENT_COMMENT = "Virtual patient: computed images, not a human being. Research use only."

#: Stored value = HU + 1024, the habit of most vendors.
RESCALE_INTERCEPT = -1024

#: Cardiac phase of the reconstruction, percent of the R-R interval.
CARDIAC_PHASE = 75


@dataclass(frozen=True, slots=True)
class VirtualStudy:
    """Where a virtual study was written."""

    study_instance_uid: str
    patient_id: str
    series: dict[str, list[Path]]
    truth: Path


def write_virtual_study(scans: Sequence[VirtualScan], folder: Path) -> VirtualStudy:
    """Write the scans of one virtual patient as one study into `folder`.

    Each scan becomes a series of CT Image Storage instances in a folder named by its protocol; ``truth.json`` beside
    them holds geometry, lesions and the score of the voxel truth. The same scans give the same bytes.

    Raises
    ------
    ValueError
        If there is no scan, or the scans are of different patients.
    """
    if not scans:
        raise ValueError("a study needs at least one scan")
    patient = scans[0].patient
    if any(scan.patient.seed != patient.seed for scan in scans):
        raise ValueError("the scans of one study must be of one virtual patient")
    key = f"{patient.variant} {patient.seed}"
    study_uid = derive_uid("virtual-study", key, "", GENERATOR_VERSION, "")
    series: dict[str, list[Path]] = {}
    truth: dict[str, Any] = {"study_instance_uid": study_uid, "patient_id": _patient_id(scans[0]), "series": {}}
    for number, scan in enumerate(scans, start=1):
        protocol = scan.acquisition.protocol
        paths = _write_series(scan, study_uid, number, folder / protocol)
        series[protocol] = paths
        truth["series"][protocol] = {
            "series_instance_uid": _series_uid(scan),
            "calcium": _true_scores(scan),
            **scan.truth_dict(),
        }
    truth_path = folder / "truth.json"
    truth_path.write_text(json.dumps(truth, indent=1), encoding="utf-8")
    return VirtualStudy(study_uid, _patient_id(scans[0]), series, truth_path)


def _patient_id(scan: VirtualScan) -> str:
    letter = "X" if scan.patient.variant == "external" else ""
    return f"VP{letter}{scan.patient.seed:06d}"


def _series_uid(scan: VirtualScan) -> str:
    """UID of the pixels themselves: another patient, acquisition, grid or calcium is another series."""
    content = hashlib.sha256(scan.voxels_hu.tobytes()).hexdigest()
    return derive_uid("virtual-series", scan.acquisition.protocol, content, GENERATOR_VERSION, "")


def _true_scores(scan: VirtualScan) -> dict[str, Any]:
    """Scores of the voxel truth in the conventions of ``coronary.calcium``.

    For a contrast scan these are what a threshold of 130 HU makes of its calcified voxels: comparable to no CSCT.
    """
    score = score_calcium(scan.voxels_hu, scan.vessel_labels, scan.spacing_zyx_mm, scan.affine_lps)
    return {
        "agatston": score.agatston.as_dict(),
        "volume_mm3": score.volume_mm3.as_dict(),
        "risk_category": score.risk_category,
        "cac_drs": score.cac_drs,
        "convention": score.convention,
    }


def _write_series(scan: VirtualScan, study_uid: str, number: int, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths, series_uid = [], _series_uid(scan)
    for z in range(scan.voxels_hu.shape[0]):
        dataset = _instance(scan, study_uid, series_uid, number, z)
        path = folder / f"{z + 1:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _instance(scan: VirtualScan, study_uid: str, series_uid: str, number: int, z: int) -> FileDataset:
    sop_uid = UID(derive_uid("virtual-instance", f"{z}", series_uid, GENERATOR_VERSION, ""))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = sop_uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, sop_uid
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid, series_uid
    _patient_and_study(ds, scan)
    _series_and_equipment(ds, scan, number)
    _image(ds, scan, z)
    return ds


def _patient_and_study(ds: Dataset, scan: VirtualScan) -> None:
    patient = scan.patient
    ds.PatientName = f"Virtual^Patient {patient.seed}"
    ds.PatientID = _patient_id(scan)
    ds.PatientBirthDate = f"{2026 - int(patient.age_years)}0101"
    ds.PatientSex = "F" if patient.female else "M"
    ds.PatientAge = f"{int(patient.age_years):03d}Y"
    ds.PatientComments = VIRTUAL_PATIENT_COMMENT
    ds.QualityControlSubject = "NO"
    ds.StudyDate, ds.StudyTime = "20260101", "120000"
    ds.StudyID = "1"
    ds.AccessionNumber = f"A{_patient_id(scan)}"
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = "Cardiac CT (virtual patient)"


def _series_and_equipment(ds: Dataset, scan: VirtualScan, number: int) -> None:
    acquisition = scan.acquisition
    habits = VENDOR_HEADERS[acquisition.vendor, acquisition.protocol]
    ds.Modality = "CT"
    ds.SeriesNumber = number
    ds.SeriesDate, ds.SeriesTime = "20260101", f"12{number:02d}00"
    ds.SeriesDescription = habits.description.format(
        thickness=acquisition.slice_thickness_mm, kernel=acquisition.kernel, phase=CARDIAC_PHASE
    )
    ds.ProtocolName = habits.protocol_name
    ds.BodyPartExamined = "HEART"
    ds.PatientPosition = "HFS"
    ds.FrameOfReferenceUID = derive_uid("virtual-frame", f"{scan.patient.seed}", ds.SeriesInstanceUID, "", "")
    ds.PositionReferenceIndicator = ""
    ds.Manufacturer = acquisition.vendor
    ds.ManufacturerModelName = habits.model_name
    ds.InstitutionName = MANUFACTURER
    ds.SoftwareVersions = f"virtual patient generator {GENERATOR_VERSION}"
    _gating(ds, acquisition.heart_rate_bpm, habits)
    if acquisition.protocol == "ccta":
        ds.ContrastBolusAgent = "Iodinated contrast agent"


def _gating(ds: Dataset, heart_rate_bpm: float, habits: VendorHeaders) -> None:
    ds.HeartRate = round(heart_rate_bpm)
    options = list(habits.scan_options)
    if habits.phase_in_scan_options:
        options.append(f"TP{CARDIAC_PHASE}PC")
    if options:
        ds.ScanOptions = options
    if habits.phase_attribute:
        ds.NominalPercentageOfCardiacPhase = float(CARDIAC_PHASE)
    ds.TriggerTime = round(0.01 * CARDIAC_PHASE * 60000 / heart_rate_bpm, 1)


def _image(ds: Dataset, scan: VirtualScan, z: int) -> None:
    acquisition = scan.acquisition
    habits = VENDOR_HEADERS[acquisition.vendor, acquisition.protocol]
    spacing_mm, row_mm, column_mm = scan.spacing_zyx_mm
    position = scan.affine_lps @ np.array([0, 0, z, 1.0])
    ds.ImageType = list(habits.image_type)
    ds.InstanceNumber = scan.voxels_hu.shape[0] - z  # scanned from head to feet
    ds.AcquisitionNumber = 1
    if habits.counts_images:
        ds.ImagesInAcquisition = scan.voxels_hu.shape[0]
    ds.AcquisitionDate = ds.ContentDate = "20260101"
    ds.AcquisitionTime = ds.ContentTime = ds.SeriesTime
    ds.ImagePositionPatient = [round(float(value), 5) for value in position[:3]]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.SliceLocation = ds.ImagePositionPatient[2]
    ds.SliceThickness = scan.slice_thickness_mm
    ds.SpacingBetweenSlices = spacing_mm
    ds.PixelSpacing = [DSfloat(row_mm, auto_format=True), DSfloat(column_mm, auto_format=True)]
    ds.ReconstructionDiameter = round(row_mm * scan.voxels_hu.shape[1], 3)
    ds.KVP = acquisition.kvp
    ds.ConvolutionKernel = acquisition.kernel
    ds.ImageComments = VIRTUAL_PATIENT_COMMENT
    ds.BurnedInAnnotation = "NO"
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = scan.voxels_hu.shape[1:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.PixelRepresentation = 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = RESCALE_INTERCEPT, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 400
    stored = np.clip(scan.voxels_hu[z].astype(np.int32) - RESCALE_INTERCEPT, 0, 4095)
    ds.PixelData = stored.astype("<u2").tobytes()
