"""A database that is away: a transient error with nothing personal in it, and work again as soon as it is back."""

import sqlite3
import threading
import traceback
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from agatha.store import engine, migrate
from agatha.store.database import Database
from agatha.store.errors import StatementRefused, StoreUnavailable
from peers.postgres import fresh_database, own_server


def test_stopped_postgresql_is_unavailable_and_serves_again_when_it_is_back(adding) -> None:
    with own_server() as server, fresh_database(server.url()) as url:
        migrate.upgrade(url)
        database = Database(url)
        adding(database, 1)
        server.stop()
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                database.ping()
            with pytest.raises(StoreUnavailable):
                adding(database, 2)
        server.start()
        database.ping()
        adding(database, 2)
        with database.reading() as tx:
            (series,) = tx.series_of_study("1.2.1")
            assert series.instance_count == 2
        database.close()


def test_connection_cut_inside_a_unit_of_work_undoes_it(adding) -> None:
    with own_server() as server, fresh_database(server.url()) as url:
        migrate.upgrade(url)
        database = Database(url)

        def cut_in_the_middle() -> None:
            with database.writing() as tx:
                adding.within(tx, 1)
                server.stop()
                adding.within(tx, 2)

        with pytest.raises(StoreUnavailable):
            cut_in_the_middle()
        server.start()
        with database.reading() as tx:
            assert tx.study("1.2.1") is None
        database.close()


def test_connection_cut_before_the_commit_is_unavailable_not_success(adding) -> None:
    with own_server() as server, fresh_database(server.url()) as url:
        migrate.upgrade(url)
        database = Database(url)

        def cut_before_commit() -> None:
            with database.writing() as tx:
                adding.within(tx, 1)
                server.stop()

        with pytest.raises(StoreUnavailable):
            cut_before_commit()
        server.start()
        database.close()


def test_nobody_listening_is_unavailable() -> None:
    database = Database("postgresql://agatha:hidden-word@127.0.0.1:1/agatha")
    with pytest.raises(StoreUnavailable) as caught:
        database.ping()
    assert "hidden-word" not in str(caught.value)
    database.close()


def test_missing_sqlite_folder_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'absent' / 'agatha.db'}")
    with pytest.raises(StoreUnavailable, match="SQLITE_CANTOPEN"):
        database.ping()


def test_sqlite_locked_by_another_process_is_unavailable_and_works_after(
    tmp_path: Path, adding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SQLITE_BUSY_TIMEOUT_S", 0.2)
    file = tmp_path / "agatha.db"
    migrate.upgrade(f"sqlite:///{file}")
    database = Database(f"sqlite:///{file}")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
        adding(database, 1)
    with database.reading() as tx:
        assert tx.study("1.2.1") is None  # readers are not held up by a writer
    other.execute("ROLLBACK")
    other.close()
    adding(database, 1)
    database.close()


def test_sqlite_keeps_its_durability_settings_on_every_connection(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'agatha.db'}"
    migrate.upgrade(url)
    database = Database(url)
    found: list[tuple[object, ...]] = []
    hold = threading.Barrier(3)

    def look() -> None:
        with database.reading() as tx:
            names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            found.append(tuple(tx._connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names))
            hold.wait()

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [("wal", 2, 1, 10_000)] * 3
    database.close()


def test_reading_changes_nothing(database: Database, adding) -> None:
    """PostgreSQL refuses the statement; SQLite, which knows no read-only transaction, undoes it."""
    adding(database, 1)
    with suppress(StatementRefused), database.reading() as tx:
        tx._connection.exec_driver_sql("DELETE FROM events")
        assert database.dialect == "sqlite"
    with database.reading() as tx:
        assert len(tx.timeline("1.2.1")) == 1


def test_error_and_its_cause_hold_no_value_of_a_patient(database: Database) -> None:
    """PostgreSQL's DETAIL quotes the whole failing row."""
    canary = ("CANARY", "PHI")  # put together at run time: a traceback also shows this source
    statement = text("INSERT INTO studies (study_instance_uid, patient_id) VALUES (:uid, :patient)")
    with pytest.raises(StatementRefused) as caught, database.writing() as tx:
        tx._connection.execute(statement, {"uid": "1", "patient": "^".join(canary)})
    assert "^".join(canary) not in "".join(traceback.format_exception(caught.value))


def test_unknown_state_is_refused_by_the_database(database: Database, rows) -> None:
    lease = rows.lease(rows.job(rows.add().series_id))
    with pytest.raises(StatementRefused), database.writing() as tx:
        tx.complete_job(lease, state="done", provisional=False, document={"reason": None}, outputs=[], destinations=[])


def test_naive_time_is_refused(rows) -> None:
    with pytest.raises(ValueError, match="timezone-aware"):
        rows.add(at=rows.noon.replace(tzinfo=None))
