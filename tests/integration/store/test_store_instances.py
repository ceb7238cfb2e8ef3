"""Adding instances: no twins, no overwriting, one study however many associations bring it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agatha.store import migrate
from agatha.store.database import Database
from agatha.store.records import Added


def test_first_instance_makes_study_and_series_in_state_receiving(database: Database, rows) -> None:
    added = rows.add()
    assert (added.outcome, added.input_version) == ("new", 1)
    with database.reading() as tx:
        study = tx.study("1.2.1")
        series = tx.series(added.series_id)
        (instance,) = tx.instances_of_series(added.series_id)
        timeline = tx.timeline("1.2.1")
    assert study is not None
    assert (study.patient_id, study.study_date, study.state) == ("P1", "20240501", "receiving")
    assert (series.study_instance_uid, series.modality, series.series_number) == ("1.2.1", "CT", 3)
    assert (series.state, series.instance_count, series.last_instance_at) == ("receiving", 1, rows.noon)
    assert (instance.sop_instance_uid, instance.sha256, instance.received_at) == ("1.2.1.1.1", "a" * 8, rows.noon)
    assert [event.kind for event in timeline] == ["SERIES_RECEIVING"]


def test_same_bytes_again_change_nothing(database: Database, rows) -> None:
    first = rows.add()
    again = rows.add(at=rows.noon + rows.minute)
    assert again.outcome == "identical"
    assert (again.instance_id, again.series_id, again.input_version) == (first.instance_id, first.series_id, 1)
    with database.reading() as tx:
        series = tx.series(first.series_id)
        assert (series.input_version, series.instance_count, series.last_instance_at) == (1, 1, rows.noon)
        assert len(tx.instances_of_series(first.series_id)) == 1
        assert len(tx.timeline("1.2.1")) == 1


def test_same_bytes_do_not_reopen_a_routed_series(database: Database, rows) -> None:
    series_id = rows.add().series_id
    rows.job(series_id)
    assert rows.add().outcome == "identical"
    with database.reading() as tx:
        assert tx.series(series_id).state == "routed"


def test_other_bytes_under_a_known_uid_are_a_conflict_and_the_first_stay(database: Database, rows) -> None:
    first = rows.add()
    conflict = rows.add(content="b")
    assert (conflict.outcome, conflict.reason_code) == ("conflict", "SOP_INSTANCE_CONFLICT")
    with database.reading() as tx:
        (instance,) = tx.instances_of_series(first.series_id)
        assert instance.sha256 == "a" * 8
        assert tx.series(first.series_id).input_version == 1


def test_known_instance_that_claims_another_series_is_a_conflict(database: Database, rows) -> None:
    rows.add()
    conflict = rows.add(series_instance_uid="1.2.1.9")
    assert (conflict.outcome, conflict.reason_code) == ("conflict", "SOP_INSTANCE_CONFLICT")
    with database.reading() as tx:
        assert tx.series_by_uid("1.2.1.9") is None


def test_series_of_one_study_that_claims_another_is_a_conflict_and_makes_no_study(database: Database, rows) -> None:
    rows.add()
    conflict = rows.add(study_instance_uid="1.2.2", sop_instance_uid="1.2.1.1.2")
    assert (conflict.outcome, conflict.reason_code) == ("conflict", "SERIES_IN_ANOTHER_STUDY")
    with database.reading() as tx:
        assert tx.study("1.2.2") is None
        assert len(tx.series_of_study("1.2.1")) == 1


@pytest.mark.parametrize("uid", ["", "1" * 65, "1.2\x003"])
def test_uid_that_dicom_does_not_allow_is_a_conflict(rows, uid: str) -> None:
    for name in ("study_instance_uid", "series_instance_uid", "sop_instance_uid"):
        assert rows.add(**{name: uid}).reason_code == "INVALID_UID"


def test_hostile_attribute_values_are_stored_without_what_a_database_refuses(database: Database, rows) -> None:
    hostile = "DOE\x00^\udcffJOHN'); DROP TABLE studies;--" + "x" * 10_000
    added = rows.add(patient_id=hostile, series_description=hostile, series_number=999_999_999_999)
    with database.reading() as tx:
        study = tx.study("1.2.1")
        assert tx.series(added.series_id).series_number == 999_999_999_999
    assert study is not None
    assert study.patient_id.startswith("DOE^?JOHN'); DROP TABLE studies;--xxx")
    assert len(study.patient_id) == 256


def test_late_instance_reopens_a_routed_series_and_says_so(database: Database, rows) -> None:
    series_id = rows.add().series_id
    job = rows.job(series_id)
    late = rows.add(sop_instance_uid="1.2.1.1.2", content="b", at=rows.noon + rows.minute)
    assert (late.outcome, late.input_version) == ("new", 2)
    with database.reading() as tx:
        series = tx.series(series_id)
        assert (series.state, series.last_instance_at) == ("receiving", rows.noon + rows.minute)
        assert tx.study("1.2.1").state == "receiving"  # type: ignore[union-attr]
        assert tx.timeline("1.2.1")[-1].kind == "SERIES_REOPENED"
        assert tx.job(job.id).state == "queued"


def test_instance_that_arrives_out_of_order_does_not_turn_back_the_clock(database: Database, rows) -> None:
    series_id = rows.add().series_id
    rows.add(sop_instance_uid="1.2.1.1.2", at=rows.noon - rows.minute)
    with database.reading() as tx:
        assert tx.series(series_id).last_instance_at == rows.noon


def test_concurrent_first_instances_make_one_study_and_count_every_instance(database: Database, rows) -> None:
    associations, per_association = 6, 8
    start = threading.Barrier(associations)

    def associate(number: int) -> list[Added]:
        uid = f"1.2.1.{number % 2}"
        start.wait()
        return [
            rows.add(series_instance_uid=uid, sop_instance_uid=f"{uid}.{number}.{i}") for i in range(per_association)
        ]

    with ThreadPoolExecutor(associations) as pool:
        added = [one for many in pool.map(associate, range(associations)) for one in many]
    assert {one.outcome for one in added} == {"new"}
    with database.reading() as tx:
        assert len(tx.find_studies().items) == 1
        found = tx.series_of_study("1.2.1")
        assert len(found) == 2
        for series in found:
            assert series.instance_count == series.input_version == len(tx.instances_of_series(series.id)) == 24
            versions = sorted(one.input_version for one in added if one.series_id == series.id)
            assert versions == list(range(1, 25))
        assert [event.kind for event in tx.timeline("1.2.1")] == ["SERIES_RECEIVING"] * 2


def test_processes_that_share_a_sqlite_file_wait_for_one_another(tmp_path: Path, adding) -> None:
    """Each Database stands for a process: they share no lock but SQLite's own."""
    url = f"sqlite:///{tmp_path / 'agatha.db'}"
    migrate.upgrade(url)
    databases = [Database(url) for _ in range(3)]
    start = threading.Barrier(3)

    def receive(process: int) -> set[str]:
        start.wait()
        return {adding(databases[process], 100 * process + number).outcome for number in range(25)}

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(receive, range(3))) == [{"new"}] * 3
    for database in databases:
        database.close()


def test_one_instance_from_many_associations_at_once_is_new_once(database: Database, rows) -> None:
    associations = 6
    start = threading.Barrier(associations)

    def associate(_: int) -> str:
        start.wait()
        return rows.add().outcome

    with ThreadPoolExecutor(associations) as pool:
        outcomes = sorted(pool.map(associate, range(associations)))
    assert outcomes == ["identical"] * (associations - 1) + ["new"]
    with database.reading() as tx:
        (series,) = tx.series_of_study("1.2.1")
        assert series.input_version == 1


def test_one_series_claimed_for_two_studies_at_once_is_bound_to_one_and_leaves_no_empty_study(database, rows) -> None:
    for attempt in range(5):
        start = threading.Barrier(2)

        def associate(study: int, attempt: int = attempt, start: threading.Barrier = start) -> str:
            start.wait()
            return rows.add(
                study_instance_uid=f"1.2.{attempt}.{study}",
                series_instance_uid=f"1.3.{attempt}",
                sop_instance_uid=f"1.4.{attempt}.{study}",
            ).outcome

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(associate, range(2))) == ["conflict", "new"]
    with database.reading() as tx:
        assert len(tx.find_studies().items) == 5


def test_failed_unit_of_work_leaves_nothing(database: Database, rows) -> None:
    def add_and_fail() -> None:
        with database.writing() as tx:
            assert tx.add_instance(rows.facts(), rows.stored(), calling_ae_title="X", received_at=rows.noon).instance_id
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    with database.reading() as tx:
        assert tx.study("1.2.1") is None


def test_quarantined_instance_is_listed_and_on_the_timeline_of_the_study_it_claims(database: Database, rows) -> None:
    rows.add()
    for _ in range(2):
        with database.writing() as tx:
            tx.quarantine(
                rows.stored("b"),
                reason_code="SOP_INSTANCE_CONFLICT",
                reason_text="other bytes",
                calling_ae_title="X",
                received_at=rows.noon,
                sop_instance_uid="1.2.1.1.1",
                study_instance_uid="1.2.1",
                series_instance_uid="1.2.1.1",
            )
    with database.reading() as tx:
        (found,) = tx.quarantined("1.2.1")
        assert (found.reason_code, found.sha256) == ("SOP_INSTANCE_CONFLICT", "b" * 8)
        assert tx.quarantined("9.9") == []
        kinds = [event.kind for event in tx.timeline("1.2.1")]
    assert kinds == ["SERIES_RECEIVING", "INSTANCE_QUARANTINED"]


def test_adding_an_instance_costs_the_same_however_many_are_there(database: Database, rows) -> None:
    """Counted in statements, not seconds: a loop over the rows of a series would show up here."""
    from sqlalchemy import event

    counted: list[int] = []

    def count_statements(number: int) -> int:
        statements: list[str] = []

        def note(_conn, _cursor, statement, *_rest) -> None:  # type: ignore[no-untyped-def]
            statements.append(statement)

        event.listen(database._engine, "before_cursor_execute", note)
        rows.add(sop_instance_uid=f"1.2.1.1.{number}")
        event.remove(database._engine, "before_cursor_execute", note)
        return len(statements)

    rows.add(sop_instance_uid="1.2.1.1.0")
    counted = [count_statements(number) for number in range(1, 30)]
    assert len(set(counted)) == 1
    assert counted[0] <= 6
