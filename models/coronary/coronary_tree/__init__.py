"""From a mask of the coronary arteries and the aorta to labelled centrelines: shared by the families that read vessels.

Arrays in, frozen dataclasses out. Which voxels are artery and which aorta is decided elsewhere.
"""

from coronary.coronary_tree.centerline import MAIN_TRUNKS, USUAL_LENGTH_MM, Centerline, CoronaryTree
from coronary.coronary_tree.components import DroppedPiece
from coronary.coronary_tree.curves import CENTERLINE_STEP_MM
from coronary.coronary_tree.extraction import trace_coronary_tree
from coronary.coronary_tree.joining import Join
from coronary.coronary_tree.ostia import Ostium

__all__ = [
    "CENTERLINE_STEP_MM",
    "MAIN_TRUNKS",
    "USUAL_LENGTH_MM",
    "Centerline",
    "CoronaryTree",
    "DroppedPiece",
    "Join",
    "Ostium",
    "trace_coronary_tree",
]
