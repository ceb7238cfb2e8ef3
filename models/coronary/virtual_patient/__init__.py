"""The virtual patient: a seedable, physics-based phantom of cardiac CT with exact truth.

Decides the public names of the generator. Arrays in memory only: no files, no DICOM, no scoring.
"""

from coronary.virtual_patient.acquisition import Acquisition, draw_acquisition
from coronary.virtual_patient.contrast_truth import artery_mask, calcium_mask, coronary_attenuation_hu
from coronary.virtual_patient.coronary_tree import VESSEL_LABELS
from coronary.virtual_patient.patient import GENERATOR_VERSION, Variant, VirtualPatient, draw_patient
from coronary.virtual_patient.render import VirtualScan, render

__all__ = [
    "GENERATOR_VERSION",
    "VESSEL_LABELS",
    "Acquisition",
    "Variant",
    "VirtualPatient",
    "VirtualScan",
    "artery_mask",
    "calcium_mask",
    "coronary_attenuation_hu",
    "draw_acquisition",
    "draw_patient",
    "render",
]
