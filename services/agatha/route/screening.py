"""Hard rejects from the headers alone, before pixels are decoded.

Two kinds: series nobody expects a result of (localizers, reformats, our own output), and axial CT series that came in
to be scored but cannot be (too short, too thick to hold calcium). The first are passed over, the second refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from agatha.dicom.ct_series import SeriesHeader
from agatha.route.decision import RouteDecision
from agatha.route.kind import score_header
from coronary.contract import Refusal

#: CT Image, Enhanced CT Image, Legacy Converted Enhanced CT Image Storage (PS3.4 B.5).
CT_SOP_CLASSES = frozenset({"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"})

#: Values of ImageType that name a reformat or a report; value 1 must be DERIVED with them.
REFORMATS = frozenset({"MPR", "MIP", "MINIP", "VRT", "VOLREN", "CPR", "REFORMATTED", "PROJECTION IMAGE", "CSA REPORT"})

#: Descriptions of series that are never scored.
#: Not passed over: a "low dose" calcium score, and words that merely contain one of these.
PASSED_OVER = re.compile(
    r"topogram|scout|monitor|bolus|(?<![a-z])test(?![a-z])|(?<!low)(?<!low[ _-])dose|screen ?save"
    r"|(?<![a-z])(mip|mpr|vrt|lung)(?![a-z])",
    re.I,
)

#: |cosine| between the slice normal and the body axis above which a series is axial.
SMALLEST_AXIAL_COSINE = 0.99

#: Down to here (32 degrees) the slices are axial ones scanned with a tilted gantry, below it another view.
SMALLEST_TILTED_COSINE = 0.85

#: Fewer slices, or less coverage, cannot hold a heart.
SMALLEST_SLICE_COUNT = 20
SMALLEST_COVERAGE_MM = 80.0


@dataclass(frozen=True, slots=True)
class HardReject:
    """One row of the table: when it applies, what it says, and whether a result was expected."""

    code: str
    applies: Callable[[SeriesHeader], bool]
    text: Callable[[SeriesHeader], str]
    is_candidate: bool
    detail: Callable[[SeriesHeader], dict[str, str | int | float]] = lambda _: {}


def _is_reformat(header: SeriesHeader) -> bool:
    """Reformats are SECONDARY; DERIVED, PRIMARY, MPR is how Canon's volume mode marks its original slices."""
    if header.image_type[1:2] == ("PRIMARY",) and _axial_cosine(header) >= SMALLEST_AXIAL_COSINE:
        return False
    return header.image_type[:1] == ("DERIVED",) and not REFORMATS.isdisjoint(header.image_type[1:])


def _axial_cosine(header: SeriesHeader) -> float:
    """|cosine| between slice normal and body axis; 1 where the headers have no geometry."""
    return 1.0 if header.normal_lps is None else min(1.0, abs(header.normal_lps[2]))


def _tilt_deg(header: SeriesHeader) -> float:
    return round(math.degrees(math.acos(_axial_cosine(header))), 1)


def _is_tilted_cardiac(header: SeriesHeader) -> bool:
    is_tilted = SMALLEST_TILTED_COSINE <= _axial_cosine(header) < SMALLEST_AXIAL_COSINE
    return is_tilted and score_header(header).kind in ("csct", "ccta")


def _description(header: SeriesHeader) -> str:
    return f"SeriesDescription is {header.facts.series_description!r}"


HARD_REJECTS = (
    HardReject("NOT_CT", lambda h: h.modality != "CT", lambda h: f"Modality is {h.modality!r}, not CT.", False),
    HardReject(
        "NOT_A_CT_IMAGE",
        lambda h: h.sop_class_uid not in CT_SOP_CLASSES,
        lambda h: f"SOP class {h.sop_class_uid} is not a CT image.",
        False,
    ),
    HardReject(
        "OWN_OUTPUT",
        lambda h: h.is_own_output,
        lambda _: "The series is synthetic or was written by this service; it is not analysed again.",
        False,
    ),
    HardReject("LOCALIZER", lambda h: "LOCALIZER" in h.image_type, lambda _: "ImageType says LOCALIZER.", False),
    HardReject(
        "REFORMAT",
        _is_reformat,
        lambda h: (
            f"ImageType {chr(92).join(h.image_type)} is a reformat, not the reconstructed slices; it is analysed only "
            "when its kind is given."
        ),
        False,
        lambda h: {"image_type": chr(92).join(h.image_type)},
    ),
    HardReject(
        "DESCRIPTION_PASSED_OVER",
        lambda h: PASSED_OVER.search(h.facts.series_description) is not None,
        lambda h: f"{_description(h)}: such series are not scored.",
        False,
    ),
    HardReject(
        "TILTED_GANTRY",
        _is_tilted_cardiac,
        lambda h: (
            f"The slices are tilted by {_tilt_deg(h):.1f} degrees against the axial plane; such scans are not scored."
        ),
        True,
        lambda h: {"tilt_deg": _tilt_deg(h)},
    ),
    HardReject(
        "NOT_AXIAL",
        lambda h: _axial_cosine(h) < SMALLEST_AXIAL_COSINE,
        lambda h: (
            f"The slices are not axial: |normal·z| is {_axial_cosine(h):.3f}, "
            f"at least {SMALLEST_AXIAL_COSINE} is needed."
        ),
        False,
    ),
    HardReject(
        "NOT_HOUNSFIELD_UNITS",
        lambda h: h.rescale_type not in ("", "HU"),
        lambda h: f"RescaleType is {h.rescale_type!r}, not HU.",
        True,
    ),
    HardReject(
        "TOO_FEW_SLICES",
        lambda h: 0 < h.slice_count < SMALLEST_SLICE_COUNT,
        lambda h: f"{h.slice_count} slices; at least {SMALLEST_SLICE_COUNT} are needed.",
        True,
        lambda h: {"slices": h.slice_count, "slices_needed": SMALLEST_SLICE_COUNT},
    ),
    HardReject(
        "COVERAGE_TOO_SHORT",
        lambda h: h.slice_count > 0 and h.coverage_mm < SMALLEST_COVERAGE_MM,
        lambda h: f"The slices cover {h.coverage_mm:.1f} mm; at least {SMALLEST_COVERAGE_MM:g} mm are needed.",
        True,
        lambda h: {"coverage_mm": round(h.coverage_mm, 3), "coverage_needed_mm": SMALLEST_COVERAGE_MM},
    ),
)


def screen_header(header: SeriesHeader) -> RouteDecision | None:
    """First hard reject that applies to `header`, or None: then the pixels are worth decoding."""
    for reject in HARD_REJECTS:
        if reject.applies(header):
            return RouteDecision(
                kind="other",
                rules=(reject.code,),
                score={},
                refusal=Refusal(reject.code, reject.text(header), reject.detail(header)),
                is_candidate=reject.is_candidate,
            )
    return None
