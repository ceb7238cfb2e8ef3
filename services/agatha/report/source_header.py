"""Patient, study and equipment of the source, made fit for writing.

Decides how a source header with missing, invalid or oddly encoded attributes becomes one that can be written: all text
in ISO_IR 192 (UTF-8), missing Type 2 attributes empty, an invalid date, time or sex empty. Never changes an identity.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy

from pydicom import DataElement, Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.errors import BytesLengthException
from pydicom.valuerep import DA, TM, PersonName

#: Character set of everything written (PS3.3 section C.12.1.1.2).
OUTPUT_CHARACTER_SET = "ISO_IR 192"

#: Type 2 attributes of the Patient and General Study modules that highdicom reads without asking.
_TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)

#: Names of people that every output repeats.
_NAMES = ("PatientName", "ReferringPhysicianName")

#: Overlay groups 6000 to 60FE (PS3.3 section C.9.2).
_OVERLAY_GROUPS = 0x6000

#: What pydicom raises for a value that is not of its value representation.
_UNPARSABLE = (BytesLengthException, ValueError, TypeError, ArithmeticError, NotImplementedError)

#: Attributes that say nothing about patient, study or equipment, or that do not survive a copy.
_DROPPED = (
    "PixelData",
    "PerFrameFunctionalGroupsSequence",
    "SharedFunctionalGroupsSequence",
    "DimensionIndexSequence",
    "DimensionOrganizationSequence",
    "NumberOfFrames",
    "IconImageSequence",
    "DigitalSignaturesSequence",
    "MACParametersSequence",
    "DataSetTrailingPadding",
    "ReferencedImageSequence",
    "SourceImageSequence",
    "ReferencedStudySequence",
    "ReferencedPatientSequence",
)


def writable_header(source: Dataset) -> Dataset:
    """Copy of a source header from which outputs can inherit.

    Private attributes, overlays, functional groups and pixels are left out, and so is an optional attribute that is
    empty (some must not be) or cannot be parsed. ``source`` is not changed.

    Parameters
    ----------
    source
        As read, without pixels.
    """
    header = Dataset()
    dropped = {tag_for_keyword(keyword) for keyword in _DROPPED}
    with warnings.catch_warnings():
        # A source that breaks the rules is the archive's matter; it must not stop or flood the log of a report.
        warnings.simplefilter("ignore")
        for tag in source.keys():  # noqa: SIM118 - iterating a Dataset would parse every element, also the bad ones
            if tag.is_private or (tag.group & 0xFF00) == _OVERLAY_GROUPS or tag in dropped:
                continue
            try:
                element = deepcopy(source[tag])
                _to_unicode(element)
            except _UNPARSABLE:
                continue
            if not element.is_empty:
                header.add(element)
        _fill_type_2(header)
        _complete_deidentification(header)
    header.SpecificCharacterSet = OUTPUT_CHARACTER_SET
    return header


def without_names(header: Dataset) -> Dataset:
    """Copy of a header without the names of people, for highdicom.

    highdicom warns about a name of one component and quotes it, which would put a patient's name into a log;
    :func:`restore_names` puts the names into the finished object.
    """
    copy = deepcopy(header)
    for keyword in _NAMES:
        setattr(copy, keyword, "")
    return copy


def restore_names(dataset: Dataset, header: Dataset) -> None:
    """Put the names of the source into an object made from :func:`without_names`."""
    for keyword in _NAMES:
        setattr(dataset, keyword, header[keyword].value)


def _to_unicode(element: DataElement) -> None:
    """Make text independent of the character set it was read with, also in sequences.

    Reading has decoded all text but names: a PersonName keeps the original bytes. An item may name a character set of
    its own (PS3.5 section 6.1.2.5), which is no longer true after this.
    """
    if element.VR == "SQ":
        for item in element.value:
            if "SpecificCharacterSet" in item:
                del item.SpecificCharacterSet
            for nested in item:
                _to_unicode(nested)
    elif element.VR == "PN" and element.value:
        names = element.value if element.VM > 1 else [element.value]
        texts = [PersonName(str(name)) for name in names]
        element.value = texts if element.VM > 1 else texts[0]


def _fill_type_2(header: Dataset) -> None:
    for keyword in _TYPE_2:
        if header.get(keyword) is None:
            setattr(header, keyword, "")
    if header.PatientSex not in ("M", "F", "O", ""):
        header.PatientSex = ""
    for keyword, parse in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        if not _is_valid(str(header[keyword].value), parse):
            setattr(header, keyword, "")


def _complete_deidentification(header: Dataset) -> None:
    """An identity that was removed needs a method (Type 1C, PS3.3 section C.7.1.1); not every anonymiser names one."""
    has_method = "DeidentificationMethod" in header or "DeidentificationMethodCodeSequence" in header
    if header.get("PatientIdentityRemoved") == "YES" and not has_method:
        header.DeidentificationMethod = "not stated in the source"


def _is_valid(text: str, parse: Callable[[str], object]) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
