"""Colour of each vessel and of what else is shown, the same in segmentations and on the pages."""

from __future__ import annotations

from coronary.calcium import Vessel

#: sRGB; distinct for colour-blind readers and on grey (Okabe and Ito, jfly.uni-koeln.de/color, 2008).
VESSEL_RGB: dict[Vessel, tuple[int, int, int]] = {
    Vessel.LM: (240, 228, 66),
    Vessel.LAD: (230, 110, 0),
    Vessel.LCX: (86, 180, 233),
    Vessel.RCA: (0, 200, 140),
}

#: Blood of the ascending aorta.
AORTA_RGB: tuple[int, int, int] = (214, 92, 92)

#: Calcium where the vessel's own colour already shows the lumen, and the threshold from which it is sought.
CALCIUM_RGB: tuple[int, int, int] = (255, 60, 214)
