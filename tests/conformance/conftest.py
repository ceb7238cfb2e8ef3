"""The archive that an administrator already has."""

from collections.abc import Iterator

import pytest

from peers.orthanc import Archive, orthanc


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running
