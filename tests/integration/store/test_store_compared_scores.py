"""Two analyses of one study that end at once: the second to be recorded has seen the first; and how analyses ended."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agatha.store.database import Database
from agatha.store.errors import ComparisonOutdated
from agatha.store.records import SCORES_AGREE, SCORES_DISCORDANT, ComparedWith

CSCT, CCTA = "csct-scoring", "ccta-scoring"
ALONE = {CSCT: ComparedWith(CCTA, None), CCTA: ComparedWith(CSCT, None)}


@pytest.fixture
def lease_of(rows):
    """Lease a job of an analysis, each of a series of its own in one study."""

    def lease(analysis, study="1.2.1"):
        uid = f"{study}.{1 if analysis == CSCT else 2}"
        added = rows.add(study_instance_uid=study, series_instance_uid=uid, sop_instance_uid=f"{uid}.1")
        return rows.lease(rows.job(added.series_id, analysis=analysis))

    return lease


def results(database: Database, study="1.2.1"):
    with database.reading() as tx:
        return tx.results_of_study(study)


def test_a_result_that_was_compared_with_nothing_is_recorded_while_there_is_nothing(database, rows, lease_of) -> None:
    assert rows.complete(lease_of(CSCT), compared_with=ALONE[CSCT]) is not None


def test_a_result_that_missed_its_partner_is_not_recorded_and_can_be_afterwards(database, rows, lease_of) -> None:
    first, second = lease_of(CSCT), lease_of(CCTA)
    partner = rows.complete(first, outputs=[])
    with pytest.raises(ComparisonOutdated):
        rows.complete(second, compared_with=ALONE[CCTA])
    with database.reading() as tx:
        assert tx.job(second.record.id).state == "running"
        assert [result.id for result in tx.results_of_study("1.2.1")] == [partner.id]
        assert tx.outputs_of_study("1.2.1") == []
    assert rows.complete(second, compared_with=ComparedWith(CSCT, partner.id)) is not None


def test_a_result_that_was_compared_with_an_overtaken_one_is_not_recorded(database, rows, lease_of) -> None:
    """The calcium scan got another slice, and a new score, while the contrast scan was reported."""
    waiting = lease_of(CCTA)
    old = rows.complete(lease_of(CSCT), outputs=[])
    rows.add(series_instance_uid="1.2.1.1", sop_instance_uid="1.2.1.1.2")
    new = rows.complete(rows.lease(rows.job(old.series_id, src_digest="d2")), outputs=[])
    with pytest.raises(ComparisonOutdated):
        rows.complete(waiting, compared_with=ComparedWith(CSCT, old.id))
    assert rows.complete(waiting, compared_with=ComparedWith(CSCT, new.id)) is not None


def test_a_partner_that_is_being_recorded_is_waited_for(database: Database, rows, lease_of) -> None:
    """The first transaction is still open when the second one looks: it must neither pass nor miss it."""
    first, second = lease_of(CSCT), lease_of(CCTA)
    outcome = []

    def record_second() -> None:
        try:
            outcome.append(rows.complete(second, outputs=[], compared_with=ALONE[CCTA]))
        except ComparisonOutdated:
            outcome.append("outdated")

    thread = threading.Thread(target=record_second)
    with database.writing() as tx:
        document = {"reason": None, "calcium": {"agatston": {"total": 12.5}}}
        tx.complete_job(
            first, state="completed", provisional=False, document=document, outputs=[], destinations=[],
            compared_with=ALONE[CSCT],
        )  # fmt: skip
        thread.start()
        thread.join(1.0)
        assert outcome == []
    thread.join(30)
    assert outcome == ["outdated"]
    assert [result.analysis for result in results(database)] == [CSCT]


def test_of_two_that_end_at_once_exactly_one_is_recorded_alone(database: Database, rows, lease_of) -> None:
    for attempt in range(5):
        study = f"1.9.{attempt}"
        leases = [lease_of(analysis, study) for analysis in (CSCT, CCTA)]
        start = threading.Barrier(2)

        def finish(lease, start: threading.Barrier = start) -> bool:
            start.wait()
            try:
                return rows.complete(lease, outputs=[], compared_with=ALONE[lease.record.analysis]) is not None
            except ComparisonOutdated:
                return False

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(finish, leases)) == [False, True]
        assert len(results(database, study)) == 1


def test_outcomes_count_the_last_run_of_each_series_by_its_reason(database: Database, rows, lease_of) -> None:
    for number in range(3):
        rows.complete(lease_of(CSCT, f"1.5.{number}"), outputs=[])
    again = results(database, "1.5.0")[0].series_id
    with database.writing() as tx:
        tx.reprocess("1.5.0")
    parked = rows.lease(rows.job(again))
    refused, superseded = lease_of(CCTA, "1.5.1"), lease_of(CCTA, "1.5.2")
    with database.writing() as tx:
        tx.park(parked, reason_code="WORKER_LOST", reason_text="The worker process died at every attempt.")
        tx.park(superseded, reason_code="SUPERSEDED", reason_text="Instances arrived.")
        tx.complete_job(
            refused, state="refused", provisional=False, document={"reason": {"code": "STENT", "text": "A stent."}},
            outputs=[], destinations=[],
        )  # fmt: skip
    lease_of(CCTA, "1.5.0")
    with database.reading() as tx:
        assert tx.outcomes() == {
            (CSCT, "completed", ""): 2,
            (CSCT, "failed", "WORKER_LOST"): 1,
            (CCTA, "refused", "STENT"): 1,
        }


def test_a_study_counts_as_discordant_by_its_last_comparison(database: Database, rows, lease_of) -> None:
    said = {
        "1.6.1": [SCORES_DISCORDANT],
        "1.6.2": [SCORES_DISCORDANT, SCORES_AGREE],
        "1.6.3": [SCORES_DISCORDANT, SCORES_AGREE],
        "1.6.4": [SCORES_AGREE, SCORES_DISCORDANT],
    }
    for study, kinds in said.items():
        lease = lease_of(CSCT, study)
        with database.writing() as tx:
            for kind in kinds:
                tx.record_event(job_id=lease.record.id, kind=kind, text="compared")
    with database.reading() as tx:
        assert tx.discordant_studies() == 2
