"""What every group of measurements in the report has: tracking, algorithm, coded reasons with their sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from highdicom import sr
from pydicom.sr.coding import Code

from agatha.dicom import codes
from agatha.report.request import ReportRequest
from coronary.contract import QualityNote, Refusal


def tracking(identifier: str, uid: str) -> sr.TrackingIdentifier:
    """Tracking identifier and UID of a group."""
    return sr.TrackingIdentifier(uid=uid, identifier=identifier)


def algorithm(request: ReportRequest, parameters: Sequence[str] | None = None) -> sr.AlgorithmIdentification:
    """TID 4019; the parameters stand in the first group only, they are the same for all."""
    return sr.AlgorithmIdentification(
        name=request.model.name,
        version=request.model.version,
        parameters=parameters,
        family=codes.ARTIFICIAL_INTELLIGENCE,
    )


def explained(concept: Code, reasons: Iterable[QualityNote | Refusal]) -> list[sr.ContentItem]:
    """Each reason as a coded evaluation of the concept."""
    return [
        evaluation(
            concept, codes.private_code(reason.code, reason.code.replace("_", " ").capitalize()), text=reason.text
        )
        for reason in reasons
    ]


def evaluation(concept: Code, value: Code, text: str) -> sr.ContentItem:
    """A coded evaluation and, as its property, the sentence, which may be too long for a code meaning."""
    item = sr.CodeContentItem(name=concept, value=value, relationship_type=sr.RelationshipTypeValues.CONTAINS)
    sentence = sr.TextContentItem(
        name=codes.EXPLANATION, value=text, relationship_type=sr.RelationshipTypeValues.HAS_PROPERTIES
    )
    item.ContentSequence = sr.ContentSequence([sentence])
    return item


def append(group: Any, items: Iterable[sr.ContentItem]) -> None:
    """Add items to a finished group."""
    group[0].ContentSequence.extend(items)
