"""A study with a calcium-scoring CT (score 88.0) and a contrast scan (estimate 121.6), with real objects of both.

What the two scores are compared by is chosen here: limits of agreement by which they are discordant, or agree.
"""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmread

from agatha.dicom.facts import read_instance_facts
from agatha.dicom.uids import src_digest
from agatha.store.records import ResultRecord, SeriesRecord
from builders.findings import (
    PatientHeader,
    contrast_request,
    contrast_volume,
    derived_findings,
    derived_request,
    report_request,
    write_ct_series,
)
from builders.served_studies import Store, complete, receive, settle, write_scored_study
from coronary.concordance import LimitsOfAgreement
from coronary.contract import Refusal
from coronary.ct_volume import CtVolume

CCTA_SERIES_UID = "1.2.826.0.1.3680043.8.498.1.7"

#: From 88.0 of the calcium-scoring CT these expect 78.9 to 97.6, and 47.3 to 153.3.
NARROW = LimitsOfAgreement(-0.5, 0.5, "virtual patients, n = 60")
WIDE = LimitsOfAgreement(-2.5, 3.0, "virtual patients, n = 60")


def write_paired_study(
    store: Store, limits: LimitsOfAgreement | None = NARROW, patient: PatientHeader | None = None
) -> tuple[ResultRecord, ResultRecord]:
    """Store a study with both scores; return the results of the calcium-scoring CT and of the contrast scan."""
    return write_scored_study(store, patient=patient), write_contrast_result(store, limits, patient=patient)


def write_contrast_result(
    store: Store,
    limits: LimitsOfAgreement | None = NARROW,
    *,
    refusal: Refusal | None = None,
    patient: PatientHeader | None = None,
    series_instance_uid: str = CCTA_SERIES_UID,
) -> ResultRecord:
    """Receive a contrast scan of the study of `builders.findings`, and score or refuse it."""
    volume, findings = contrast_volume()
    folder = store.folder / f"source-{series_instance_uid}"
    paths = write_contrast_series(folder, volume, series_instance_uid, patient)
    series = receive_files(store, paths)
    settle(store, series, "routed", kind="ccta")
    digest = src_digest((path.stem, None) for path in paths)
    if refusal is not None:
        request = report_request(paths, None, refusal=refusal, analysis="ccta-scoring", src_digest=digest)
    else:
        request = contrast_request(paths, volume, findings, src_digest=digest, limits_of_agreement=limits)
    return complete(store, series, request)


def write_derived_result(store: Store, *, patient: PatientHeader | None = None) -> ResultRecord:
    """Receive a contrast scan and make its calcium-removed series; segment 2 of each artery is not trusted."""
    volume, findings = contrast_volume()
    paths = write_contrast_series(store.folder / "source-of-derived", volume, CCTA_SERIES_UID, patient)
    series = receive_files(store, paths)
    settle(store, series, "routed", kind="ccta")
    digest = src_digest((path.stem, None) for path in paths)
    return complete(
        store, series, derived_request(paths, volume, derived_findings(volume, findings), src_digest=digest)
    )


def write_contrast_series(
    folder: Path, volume: CtVolume, series_instance_uid: str = CCTA_SERIES_UID, patient: PatientHeader | None = None
) -> list[Path]:
    """Write the instances of a contrast scan in the order of its volume; each is named after its UID."""
    paths = []
    for number, written in enumerate(write_ct_series(folder / "written", volume, patient), start=1):
        dataset = dcmread(written)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{series_instance_uid}.{number}"
        dataset.SeriesInstanceUID, dataset.SeriesNumber = series_instance_uid, 7
        dataset.SeriesDescription, dataset.KVP = "CorCTA 0.6 Bv40", 100
        paths.append(folder / f"{dataset.SOPInstanceUID}.dcm")
        dataset.save_as(paths[-1])
    return paths


def receive_files(store: Store, paths: list[Path]) -> SeriesRecord:
    """Store files as the receiver does; return their series."""
    for path in paths:
        series = receive(store, read_instance_facts(path), path.read_bytes())
    return series
