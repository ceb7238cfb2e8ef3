"""Automatic diameter stenosis along labelled centrelines: lumen, healthy lumen, and the narrowest place per segment."""

from __future__ import annotations

from coronary.stenosis.healthy_diameter import healthy_diameter_mm
from coronary.stenosis.lumen_profile import LumenProfile, measure_profile
from coronary.stenosis.segment_stenosis import READER_GRADES, SegmentStenosis, segment_stenoses

__all__ = [
    "READER_GRADES",
    "LumenProfile",
    "SegmentStenosis",
    "healthy_diameter_mm",
    "measure_profile",
    "segment_stenoses",
]
