"""How four vendors fill the headers of a cardiac CT series: what routing has to read in real archives.

A table of habits, used to write virtual patients. Values are of the kind seen in clinical headers; they identify no
installation.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VendorHeaders:
    """Header habits of one vendor for one protocol.

    ``description`` may hold ``{thickness}``, ``{kernel}`` and ``{phase}``. ``phase_in_scan_options`` says that the
    cardiac phase stands in ScanOptions, ``phase_attribute`` that it has an attribute of its own, ``counts_images`` that
    ImagesInAcquisition is given.
    """

    model_name: str
    image_type: tuple[str, ...]
    protocol_name: str
    description: str
    scan_options: tuple[str, ...]
    phase_in_scan_options: bool = False
    phase_attribute: bool = False
    counts_images: bool = False


VENDOR_HEADERS: dict[tuple[str, str], VendorHeaders] = {
    ("SIEMENS", "csct"): VendorHeaders(
        "SOMATOM Definition Flash",
        ("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SEQ"),
        "CaScore",
        "CaScSeq {thickness:.1f} {kernel} {phase}%",
        (),
        phase_in_scan_options=True,
    ),
    ("SIEMENS", "ccta"): VendorHeaders(
        "SOMATOM Definition Flash",
        ("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"),
        "CorCTA",
        "DS_CorCTA {thickness:.1f} {kernel} BestDiast {phase} %",
        (),
        phase_in_scan_options=True,
    ),
    ("GE MEDICAL SYSTEMS", "csct"): VendorHeaders(
        "Revolution CT",
        ("ORIGINAL", "PRIMARY", "AXIAL"),
        "1.1 SMART SCORE",
        "SMART SCORE - Gated 0.28 sec",
        ("CINE MODE",),
        phase_attribute=True,
        counts_images=True,
    ),
    ("GE MEDICAL SYSTEMS", "ccta"): VendorHeaders(
        "Revolution CT",
        ("ORIGINAL", "PRIMARY", "AXIAL"),
        "1.2 CTA CORONARY",
        "SnapShot {phase} %",
        ("CINE MODE",),
        phase_attribute=True,
        counts_images=True,
    ),
    ("Canon Medical Systems", "csct"): VendorHeaders(
        "Aquilion ONE",
        ("ORIGINAL", "PRIMARY", "AXIAL"),
        "Cardiac CaScore",
        "CaScore {phase}% {thickness:.1f}",
        ("DVOLUME_CT",),
        counts_images=True,
    ),
    ("Canon Medical Systems", "ccta"): VendorHeaders(
        "Aquilion ONE",
        ("ORIGINAL", "PRIMARY", "AXIAL"),
        "Cardiac CTA",
        "CTA {phase}% {thickness:.1f}",
        ("DVOLUME_CT",),
        counts_images=True,
    ),
    ("Philips", "csct"): VendorHeaders(
        "Brilliance iCT",
        ("ORIGINAL", "PRIMARY", "AXIAL"),
        "Calcium Scoring",
        "Ca Score {phase}%",
        ("AXIAL",),
    ),
    ("Philips", "ccta"): VendorHeaders(
        "Brilliance iCT",
        ("ORIGINAL", "PRIMARY", "AXIAL"),
        "Coronary CTA",
        "CTA Coronary {phase}%",
        ("HELIX",),
    ),
}
