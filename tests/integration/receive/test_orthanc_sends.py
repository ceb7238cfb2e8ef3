"""Orthanc, as the archive that pushes studies, sends to us."""

from pathlib import Path

from agatha.deliver import Destination, send
from integration.receive.conftest import StartListener
from integration.receive.ct_instances import SERIES, ct_instance, part_10
from peers.orthanc import orthanc


def test_orthanc_pushes_a_study(start_listener: StartListener, tmp_path: Path) -> None:
    listener = start_listener(allowed_calling_ae_titles=("ORTHANC",))
    paths = [tmp_path / f"{number}.dcm" for number in range(1, 6)]
    for number, path in enumerate(paths, start=1):
        path.write_bytes(part_10(ct_instance(number)))
    with orthanc(tmp_path / "orthanc", modalities={"agatha": ("AGATHA", listener.port)}) as archive:
        send(paths, Destination("archive", archive.ae_title, "127.0.0.1", archive.dicom_port), "LOADER")
        (study,) = archive.get("/studies")
        outcome = archive.post("/modalities/agatha/store", {"Resources": [study], "Synchronous": True})
        assert outcome["FailedInstancesCount"] == 0
        again = archive.post("/modalities/agatha/store", {"Resources": [study], "Synchronous": True})
        assert again["FailedInstancesCount"] == 0
    rows = listener.instances(SERIES)
    assert sorted(row.sop_instance_uid for row in rows) == [f"{SERIES}.{number}" for number in range(1, 6)]
    assert {row.calling_ae_title for row in rows} == {"ORTHANC"}
