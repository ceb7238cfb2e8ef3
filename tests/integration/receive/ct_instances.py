"""CT instances for the receiver's tests: small, valid, numbered, with a patient's name that must appear nowhere."""

from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

REAL = Path(__file__).parents[4] / "shared" / "data" / "real"
STUDY, SERIES = "1.2.826.0.1.1", "1.2.826.0.1.1.1"


def ct_instance(number: int = 1, *, pixels: int = 4096, **values: object) -> Dataset:
    """Return slice `number` of one series."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = f"{SERIES}.{number}"
    ds.StudyDate = "20240501"
    ds.AccessionNumber = "CANARYACC"
    ds.Modality = "CT"
    ds.StudyDescription = "Calcium score"
    ds.SeriesDescription = "CaSc 3.0"
    ds.PatientName = "CANARY^PHI"
    ds.PatientID = "CANARYID"
    ds.StudyInstanceUID = STUDY
    ds.SeriesInstanceUID = SERIES
    ds.SeriesNumber = 2
    ds.InstanceNumber = number
    ds.Rows, ds.Columns = 2, pixels // 4
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.PixelData = bytes((index * 7 + number) & 0xFF for index in range(pixels))
    ds["PixelData"].VR = "OW"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def encoded(ds: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """Return the data set as it goes over the network."""
    return data_set_of(part_10(ds, syntax))


def part_10(ds: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """Return the instance as a file."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = syntax
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def data_set_of(part_10_file: bytes) -> bytes:
    """Return what follows the file meta information, whose length is its first element (PS3.10 Section 7.1)."""
    assert part_10_file[128:132] == b"DICM"
    return part_10_file[144 + int.from_bytes(part_10_file[140:144], "little") :]


def real_files(folder: str) -> list[Path]:
    """Return the DICOM files of a folder of real scans; none where they are not here."""
    if not (REAL / folder).is_dir():
        return []
    paths = (path for path in sorted((REAL / folder).rglob("*")) if path.is_file())
    return [path for path in paths if path.read_bytes()[128:132] == b"DICM"]
