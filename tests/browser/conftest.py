"""A browser and a served store with one scored, one refused and one hostile study."""

from collections.abc import Iterator

import pytest

from agatha.serve import create_app
from builders.findings import PatientHeader
from builders.paired_studies import write_derived_result, write_paired_study
from builders.served_server import running
from builders.served_studies import Store, facts, open_store, receive, settle, write_scored_study
from peers.chromium import Chromium, find_chromium

HOSTILE = '<script>document.title="owned"</script><img src=x onerror=\'document.title="owned"\'>"'


@pytest.fixture(scope="session")
def browser() -> Chromium:
    return find_chromium()


def served(store: Store) -> Iterator[str]:
    """The address of the application over this store, as long as the fixture is in use."""
    with running(create_app(database=store.database, files=store.files, checks={}, version="1.2.3")) as base:
        yield base
    store.database.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = open_store(tmp_path_factory.mktemp("site"))
    write_scored_study(store, patient=PatientHeader(extra={"PatientID": "SCORED-1"}))
    refused = receive(store, facts("1.2.4", "1.2.4.1", "1.2.4.1.1", patient_id="REFUSED-1"))
    settle(store, refused, "refused", kind="csct", reason_code="TOO_FEW_SLICES", reason_text="4 slices, expected 20.")
    hostile = dict.fromkeys(("patient_id", "accession_number", "study_description", "series_description"), HOSTILE)
    settle(
        store,
        receive(store, facts("1.2.5", "1.2.5.1", "1.2.5.1.1", **hostile)),
        "refused",
        reason_code=HOSTILE,
        reason_text=HOSTILE,
    )
    yield from served(store)


@pytest.fixture(scope="session")
def paired_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One study whose calcium-scoring CT and contrast scan were both scored, with discordant scores."""
    store = open_store(tmp_path_factory.mktemp("paired-site"))
    write_paired_study(store, patient=PatientHeader(extra={"PatientID": "PAIRED-1"}))
    yield from served(store)


@pytest.fixture(scope="session")
def derived_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One study with a calcium-removed series."""
    store = open_store(tmp_path_factory.mktemp("derived-site"))
    write_derived_result(store, patient=PatientHeader(extra={"PatientID": "DERIVED-1"}))
    yield from served(store)
