"""What the headers of the chosen slices say about their acquisition.

Decides what counts as contrast agent, lossy compression and mass calibration. What follows from it is decided by the
router and the analyses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless

from agatha.assemble.attributes import Attributes
from agatha.assemble.cardiac_phase import gating_evidence, phase_percent
from agatha.assemble.instances import Frame
from agatha.assemble.refused import Refused
from agatha.dicom.kernels import is_soft_kernel, iterative_kernel
from coronary.contract import AcquisitionFacts, QualityNote

#: What scanners write into ContrastBolusAgent when none was given.
NO_CONTRAST: Final = frozenset(
    {"", "NONE", "NO", "N/A", "UNDEFINED", "UNKNOWN", "NO CONTRAST", "WITHOUT", "NATIVE", "0"}
)

#: Always lossy; JPEG 2000 and HTJ2K can be either, there LossyImageCompression tells.
LOSSY_SYNTAXES: Final = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless})

#: Slice thickness (mm) and tube voltage (kV) are the same within this (text rounding).
SAME_VALUE: Final = 0.05


def acquisition_facts(frames: Sequence[Frame]) -> AcquisitionFacts:
    """Facts of the frames of one volume; the thickest where the slice thickness varies."""
    first = frames[0].attributes
    factor, source = _calcium_mass_factor(frames)
    kernel = first.text("ConvolutionKernel")
    return AcquisitionFacts(
        manufacturer=first.text("Manufacturer"),
        model_name=first.text("ManufacturerModelName"),
        series_description=first.text("SeriesDescription"),
        protocol_name=first.text("ProtocolName"),
        convolution_kernel=kernel,
        is_soft_kernel=is_soft_kernel(kernel) if kernel else None,
        iterative_reconstruction=_iterative_reconstruction(first, kernel),
        kvp=first.number("KVP"),
        slice_thickness_mm=max(_positive(frames, "SliceThickness"), default=None),
        contrast_agent=_contrast_agent(first),
        is_gated=bool(gating_evidence(first)),
        cardiac_phase_percent=phase_percent(first),
        is_lossy_compressed=any(_is_lossy(frame) for frame in frames),
        calcium_mass_factor=factor,
        calcium_mass_factor_source=source,
    )


def check_tube_voltage(frames: Sequence[Frame]) -> None:
    """Refuse (``MIXED_KVP``) slices scanned at different tube voltages: 130 HU has no one meaning then."""
    voltages = _positive(frames, "KVP")
    if voltages and max(voltages) - min(voltages) > SAME_VALUE:
        low, high = min(voltages), max(voltages)
        text = f"The slices were scanned at different tube voltages, {low:g} to {high:g} kV."
        raise Refused("MIXED_KVP", text, lowest_kv=low, highest_kv=high)


def acquisition_notes(frames: Sequence[Frame]) -> list[QualityNote]:
    """What varies between the slices without forbidding a volume."""
    thickness = _positive(frames, "SliceThickness")
    if thickness and max(thickness) - min(thickness) > SAME_VALUE:
        text = f"The slice thickness varies from {min(thickness):g} to {max(thickness):g} mm within the volume."
        return [QualityNote("SLICE_THICKNESS_VARIES", text)]
    return []


def is_proven_complete(used: Sequence[Frame], received: Sequence[Frame]) -> bool:
    """Whether the headers state the number of images and all of them are here.

    Multi-frame: one object, or all parts of a concatenation (PS3.3 section C.7.6.16.2.2.4). Single-frame:
    ImagesInAcquisition (0020,1002) of every slice is the number of slices of one acquisition. A single-frame volume
    chosen among others is never proven: a better phase may still be on its way.
    """
    images = [frame for frame in received if frame.is_ct and not frame.is_localizer]
    instances = {frame.instance for frame in images}
    if all(instance.is_multi_frame for instance in instances):
        concatenations = {instance.concatenation for instance in instances}
        whole = concatenations.pop()
        return not concatenations and len(instances) == (1 if whole is None else whole[1])
    acquisitions = {frame.acquisition_number for frame in used}
    announced = {frame.attributes.integer("ImagesInAcquisition") for frame in used}
    return len(images) == len(used) and len(acquisitions) == 1 and announced == {len(used)}


def _contrast_agent(attributes: Attributes) -> str:
    """Agent by name; an enhanced object has it as a code, and can say that nothing was administered."""
    if attributes.text("ContrastBolusAgentAdministered").upper() == "NO":
        return ""
    codes = [item.text("CodeMeaning") for item in attributes.items("ContrastBolusAgentSequence")]
    agent = attributes.text("ContrastBolusAgent") or ", ".join(filter(None, codes))
    return "" if agent.upper().strip(" .") in NO_CONTRAST else agent


def _iterative_reconstruction(attributes: Attributes, kernel: str) -> str:
    """What says that the reconstruction was iterative: ReconstructionAlgorithm (PS3.3 C.8.15.3.7) or the kernel."""
    if attributes.text("ReconstructionAlgorithm").upper() == "ITERATIVE":
        return "ReconstructionAlgorithm ITERATIVE"
    return iterative_kernel(kernel)


def _is_lossy(frame: Frame) -> bool:
    flag = frame.attributes.text("LossyImageCompression")
    return flag == "01" or frame.instance.transfer_syntax_uid in LOSSY_SYNTAXES


def _calcium_mass_factor(frames: Sequence[Frame]) -> tuple[float | None, str]:
    """Mass calibration factor of the scanner and the attribute it is from.

    A factor that is not positive, or differs between the slices, is none.
    """
    found = {_mass_factor(frame.attributes) for frame in frames}
    return found.pop() if len(found) == 1 else (None, "")


def _mass_factor(attributes: Attributes) -> tuple[float | None, str]:
    """The factor for this patient, else that of the device (PS3.3 section C.8.2.1).

    CalciumScoringMassFactorDevice holds one factor each for small, medium and large patients; medium is taken.
    """
    patient = attributes.number("CalciumScoringMassFactorPatient")
    if patient is not None and patient > 0:
        return patient, "(0018,9351) CalciumScoringMassFactorPatient"
    device = attributes.numbers("CalciumScoringMassFactorDevice")
    if len(device) == 1 and device[0] > 0:
        return device[0], "(0018,9352) CalciumScoringMassFactorDevice"
    if len(device) == 3 and device[1] > 0:
        return device[1], "(0018,9352) CalciumScoringMassFactorDevice, medium patient"
    return None, ""


def _positive(frames: Sequence[Frame], keyword: str) -> list[float]:
    return [value for frame in frames if (value := frame.attributes.number(keyword)) is not None and value > 0]
