"""Diameter stenosis along labelled centrelines: lumen, healthy lumen, narrowest place per segment, CAD-RADS."""

from __future__ import annotations

from coronary.stenosis.cad_rads import CadRads, cad_rads_category
from coronary.stenosis.healthy_diameter import healthy_diameter_mm
from coronary.stenosis.left_main import measure_profiles
from coronary.stenosis.lumen_profile import LumenProfile, measure_profile
from coronary.stenosis.segment_stenosis import (
    READER_GRADES,
    SIGNIFICANT_PERCENT,
    SegmentStenosis,
    reader_grade,
    segment_stenoses,
)

__all__ = [
    "READER_GRADES",
    "SIGNIFICANT_PERCENT",
    "CadRads",
    "LumenProfile",
    "SegmentStenosis",
    "cad_rads_category",
    "healthy_diameter_mm",
    "measure_profile",
    "measure_profiles",
    "reader_grade",
    "segment_stenoses",
]
