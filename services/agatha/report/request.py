"""What a report is made from, what comes out, and which UID and series number each part gets.

Decides identity: kinds of objects, their series numbers and descriptions, derived UIDs. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Literal, assert_never

from agatha.dicom.own_output import DESCRIPTION_PREFIX, DESCRIPTION_SUFFIX
from agatha.dicom.uids import config_digest, derive_uid
from coronary.calcium import Vessel
from coronary.concordance import Concordance, LimitsOfAgreement
from coronary.contract import AcquisitionFacts, CalciumFindings, Findings, Refusal
from coronary.ct_volume import CtVolume
from coronary.derived_findings import DerivedContent, DerivedFindings
from coronary.detection_findings import DetectionFindings

#: CT series made from the source, one image per slice.
DerivedKind = Literal["ct-calcium-removed", "ct-non-contrast", "ct-lumen"]

ObjectKind = (
    Literal[
        "sr", "seg-vessels", "seg-lesions", "seg-anatomy", "seg-altered", "summary", "key-images", "tree-views", "cpr"
    ]
    | DerivedKind
)

DERIVED_KINDS: dict[DerivedContent, DerivedKind] = {
    "calcium-removed": "ct-calcium-removed",
    "non-contrast": "ct-non-contrast",
    "lumen": "ct-lumen",
}

#: SOP class of the measurement report: Comprehensive 3D SR, or an older one for an archive that refuses it.
SrSopClass = Literal["comprehensive-3d", "enhanced", "comprehensive"]


@dataclass(frozen=True, slots=True)
class SeriesIdentity:
    """Number (the last two digits) and description of the series one kind of object gets."""

    number: int
    description: str


def _made(what: str) -> str:
    """Description of a series of images that no scanner made; `own_output` recognises it."""
    return f"{DESCRIPTION_PREFIX}{what}{DESCRIPTION_SUFFIX}"


SERIES: dict[ObjectKind, SeriesIdentity] = {
    "sr": SeriesIdentity(1, "CAC SR (AI)"),
    "seg-vessels": SeriesIdentity(2, "CAC vessels (AI)"),
    "seg-lesions": SeriesIdentity(3, "CAC lesions (AI)"),
    "seg-anatomy": SeriesIdentity(4, "Coronary tree (AI)"),
    "seg-altered": SeriesIdentity(5, "Altered voxels (AI)"),
    "ct-calcium-removed": SeriesIdentity(11, _made("calcium removed")),
    "ct-non-contrast": SeriesIdentity(12, _made("pseudo non-contrast")),
    "ct-lumen": SeriesIdentity(13, _made("lumen, contrast only")),
    "cpr": SeriesIdentity(21, _made("curved reformats")),
    "summary": SeriesIdentity(31, "CAC summary (AI)"),
    "key-images": SeriesIdentity(32, "CAC key images (AI)"),
    "tree-views": SeriesIdentity(33, "Coronary tree views (AI)"),
}

#: Kinds that show the comparison with the other score of the study, and therefore change with it.
COMPARING_KINDS: frozenset[str] = frozenset({"sr", "summary"})

#: Series number of an output: 9, two digits of the source series, two digits of the kind.
OUTPUT_SERIES_BASE = 90000

#: Source series beyond this share the last number; it is a label for people, the UID stays unique.
MAXIMUM_SERIES_INDEX = 99


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Name, version and SHA-256 (hex) of the network behind a result."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PreviousReport:
    """Measurement report that this one replaces (Predecessor Documents Sequence, PS3.3 section C.17.2)."""

    sop_class_uid: str
    series_instance_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, eq=False)
class ReportRequest:
    """Everything the objects of one result are made from; the same request gives the same bytes.

    Parameters
    ----------
    source_paths
        Part 10 files. With findings: one entry per slice of ``volume``, in its order (an enhanced instance is named
        once per frame). With a refusal: any files of the refused series.
    source_frames
        Frame number per entry, counted from 1 as in DICOM, None for a single-frame instance; empty means all None.
    volume, facts, findings
        None where a refusal came before they existed.
    refusal
        Exactly one of ``findings`` and ``refusal`` is given.
    src_digest, config_digest
        Of ``agatha.dicom.uids``; with the model they decide the UIDs.
    content_time
        Time zone aware and the same on every retry (the creation time of the job): it goes into the objects.
    series_index
        Index of the source series inside its study (sorted by Series Instance UID), for the series numbers.
    result_version
        Version of the result in the document; not written into DICOM objects.
    previous_report
        Constant over retries like ``content_time``.
    concordance
        Comparison with the other score of the study, in whichever of the two results is written second.
    limits_of_agreement
        Of the model behind a contrast score; goes into the document only.

    Raises
    ------
    ValueError
        If findings and refusal are both or neither given, findings come without volume, shapes or lengths do not
        match, ``concordance`` is not about these findings, or ``content_time`` has no time zone.
    """

    analysis: str
    source_paths: Sequence[Path]
    model: ModelIdentity
    src_digest: str
    config_digest: str
    content_time: datetime
    series_index: int
    source_frames: Sequence[int | None] = ()
    volume: CtVolume | None = None
    facts: AcquisitionFacts | None = None
    findings: Findings | None = None
    refusal: Refusal | None = None
    sr_sop_class: SrSopClass = "comprehensive-3d"
    result_version: int = 1
    previous_report: PreviousReport | None = None
    concordance: Concordance | None = None
    limits_of_agreement: LimitsOfAgreement | None = None

    def __post_init__(self) -> None:
        if (self.findings is None) == (self.refusal is None):
            raise ValueError("a report is about findings or about a refusal: exactly one of them")
        if not self.source_paths:
            raise ValueError("a report needs at least one source instance")
        if self.content_time.tzinfo is None:
            raise ValueError("content_time has no time zone")
        if self.source_frames and len(self.source_frames) != len(self.source_paths):
            raise ValueError(f"{len(self.source_frames)} frames for {len(self.source_paths)} source paths")
        if self.findings is not None:
            self._check_shapes(_shapes(self.findings))
        if self.concordance is not None:
            self._check_concordance(self.concordance)

    def _check_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        if self.volume is None:
            raise ValueError("findings without the volume they were made from")
        shape = self.volume.voxels_hu.shape
        for name, found in shapes.items():
            if found != shape:
                raise ValueError(f"{name}: shape {found}, the volume has {shape}")
        if len(self.source_paths) != shape[0]:
            raise ValueError(f"{len(self.source_paths)} source slices for a volume of {shape[0]}")
        if self.detection is not None and len(self.detection.slice_probability) != shape[0]:
            raise ValueError(f"{len(self.detection.slice_probability)} answers for a volume of {shape[0]} slices")

    def _check_concordance(self, concordance: Concordance) -> None:
        calcium = self.calcium
        if calcium is None:
            raise ValueError("a concordance without calcium findings: there is no score to compare")
        compared = concordance.csct if calcium.contrast is None else concordance.ccta
        if compared != calcium.score.agatston:
            raise ValueError(f"the concordance compares {compared}, the findings have {calcium.score.agatston}")

    @property
    def calcium(self) -> CalciumFindings | None:
        """The findings of a scoring family."""
        return self.findings if isinstance(self.findings, CalciumFindings) else None

    @property
    def derived(self) -> DerivedFindings | None:
        """The findings of a family that makes new series."""
        return self.findings if isinstance(self.findings, DerivedFindings) else None

    @property
    def detection(self) -> DetectionFindings | None:
        """The findings of a family that tells whether there is calcium."""
        return self.findings if isinstance(self.findings, DetectionFindings) else None

    @property
    def frames(self) -> tuple[int | None, ...]:
        """Frame number per source path."""
        return tuple(self.source_frames) or (None,) * len(self.source_paths)

    @cached_property
    def software_version(self) -> str:
        """Version of the installed service."""
        return metadata.version("agatha")

    @property
    def bundle_version(self) -> str:
        """What produced the objects: service version and model, because either can change their bytes."""
        return f"agatha {self.software_version} {self.model.name} {self.model.version} {self.model.sha256}"

    def uid(self, kind: str, part: str) -> str:
        """Derived UID of one part of one kind of object; with a concordance, another one where it is shown."""
        digest = self.config_digest
        if self.concordance is not None and kind in COMPARING_KINDS:
            shown = {"concordance": self.concordance.as_dict(), "limits": asdict(self.concordance.limits)}
            digest = config_digest({"config_digest": digest, **shown})
        return derive_uid(f"{self.analysis}/{kind}", part, self.src_digest, self.bundle_version, digest)

    def series_uid(self, kind: ObjectKind) -> str:
        """Series Instance UID of a kind of object."""
        return self.uid(kind, "series")

    def instance_uid(self, kind: ObjectKind) -> str:
        """SOP Instance UID of a kind of object (each series holds one)."""
        return self.uid(kind, "instance")

    def series_number(self, kind: ObjectKind) -> int:
        """Series number, e.g. 90102 for the vessels of the first source series."""
        return OUTPUT_SERIES_BASE + min(self.series_index, MAXIMUM_SERIES_INDEX) * 100 + SERIES[kind].number

    @cached_property
    def device_uid(self) -> str:
        """UID of the reporting device: product, its version and the model."""
        return derive_uid("device", "device", "", self.bundle_version, "")

    @cached_property
    def lesion_tracking(self) -> tuple[tuple[str, str], ...]:
        """Tracking identifier and UID per lesion, in the order of the score; the same in SR and SEG.

        The rank of a lesion counts within its vessel, in the order of the centroids (z, y, x).
        """
        if self.calcium is None:
            return ()
        ranks = dict.fromkeys(Vessel, 0)
        tracking = []
        for lesion in self.calcium.score.lesions:
            ranks[lesion.vessel] += 1
            name, rank = lesion.vessel.name, ranks[lesion.vessel]
            tracking.append((f"{name} calcification {rank}", self.uid("tracking", f"trk:{name}:{rank}")))
        return tuple(tracking)

    def group_tracking(self, name: str) -> tuple[str, str]:
        """Tracking identifier and UID of the total or of a vessel (``total``, ``LM``, …)."""
        identifier = "Total coronary calcium" if name == "total" else f"{name} calcium"
        return identifier, self.uid("tracking", f"trk:{name}")

    @property
    def algorithm_parameters(self) -> tuple[str, ...]:
        """``name: value`` lines for Algorithm Parameters, with the model hash, in the order of the findings."""
        parameters = dict(self.findings.parameters) if self.findings is not None else {}
        parameters.setdefault("model SHA-256", self.model.sha256 or "unknown")
        return tuple(f"{name}: {value}" for name, value in parameters.items())

    @property
    def content_time_utc(self) -> datetime:
        """``content_time`` in UTC."""
        return self.content_time.astimezone(UTC)


def _shapes(findings: Findings) -> dict[str, tuple[int, ...]]:
    """Shapes of all maps of findings by their names; each must be that of the volume."""
    if isinstance(findings, CalciumFindings):
        shapes = {"vessel labels": findings.vessel_labels.shape, "lesion labels": findings.lesion_labels.shape}
        if findings.contrast is None:
            return shapes
        return shapes | {
            "coronary tree": findings.contrast.tree.shape_zyx,
            "aorta": findings.contrast.aorta_mask.shape,
        }
    if isinstance(findings, DerivedFindings):
        shapes = {f"{each.content} series": each.voxels_hu.shape for each in findings.volumes}
        altered = {
            f"altered voxels, {each.content}": each.is_altered.shape
            for each in findings.volumes
            if each.is_altered is not None
        }
        return {**shapes, **altered, "coronary tree": findings.tree.shape_zyx}
    if isinstance(findings, DetectionFindings):
        return {}
    assert_never(findings)


@dataclass(frozen=True, slots=True)
class DicomObject:
    """One finished object: a complete Part 10 file and what a ledger must know about it."""

    kind: ObjectKind
    data: bytes
    sop_class_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
