"""Objects on their way: one association for what waits together, and an ending of its own for each."""

from dataclasses import dataclass, field, replace

import pytest

from agatha.deliver import DeliveryFailed, Receipt, Verdict, parse_destination
from agatha.pipeline import tasks
from agatha.store.records import NewOutput

PACS = parse_destination("PACS=ARCHIVE@127.0.0.1:104")
OBJECTS = 5


@dataclass
class Peer:
    """Stands for the archive: what it says of each file, and how many associations it was asked for."""

    answers: dict = field(default_factory=dict)
    receipts: dict = field(default_factory=dict)
    associations: list = field(default_factory=list)
    is_down: bool = False

    def transfer(self, paths, destination, _calling_ae_title):
        peer, sent = self, []

        class Transfer:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                if sent:
                    peer.associations.append(sent)

            def send(self, path):
                assert path in paths
                assert destination == PACS
                if peer.is_down:
                    raise DeliveryFailed("PACS cannot be reached", is_transient=True)
                sent.append(path.name)
                if path.name in peer.receipts:
                    return peer.receipts[path.name]
                verdict = peer.answers.get(path.name, Verdict.DELIVERED)
                return Receipt("1.2", 0 if verdict is Verdict.DELIVERED else 0xA700, None, verdict)

        return Transfer()


@pytest.fixture
def peer(monkeypatch):
    peer = Peer()
    monkeypatch.setattr(tasks, "Transfer", peer.transfer)
    return peer


@pytest.fixture
def sending(context):
    """The context of a service with one destination."""
    return replace(context, config=replace(context.config, destinations={"PACS": PACS}))


@pytest.fixture
def deliveries(database, clock, job_id):
    """Ids of the deliveries of one result of several objects."""
    with database.writing() as tx:
        lease = tx.lease_job(job_id, "worker-1", clock(), tasks.LEASE_DURATION)
        outputs = [
            NewOutput("ct-calcium-removed", "1.2.840", "1.2.1", "1.2.9", f"1.2.9.{k}", "1.2", f"file-{k}", "0" * 64, 1)
            for k in range(OBJECTS)
        ]
        tx.complete_job(
            lease,
            state="completed",
            provisional=False,
            document={},
            outputs=outputs,
            destinations=["PACS"],
        )
        return [row.id for row in tx.deliveries_of_study("1.2.1")]


def states(database):
    with database.reading() as tx:
        return [row.state for row in tx.deliveries_of_study("1.2.1")]


def test_what_waits_together_goes_over_one_association(sending, database, peer, deliveries):
    assert tasks.deliver_output(sending, deliveries[2]) == "delivered"
    assert peer.associations == [["file-2", "file-0", "file-1", "file-3", "file-4"]]
    assert states(database) == ["delivered"] * OBJECTS
    assert [tasks.deliver_output(sending, each) for each in deliveries] == ["busy"] * OBJECTS
    assert len(peer.associations) == 1


def test_a_busy_archive_ends_the_transfer_and_the_rest_keeps_its_attempts(sending, database, clock, peer, deliveries):
    peer.answers["file-1"] = Verdict.RETRY
    assert tasks.deliver_output(sending, deliveries[0]) == "delivered"
    assert states(database) == ["delivered", *["pending"] * 4]
    assert tasks.deliver_output(sending, deliveries[1]) == "busy", "its pause has not ended"
    assert tasks.deliver_output(sending, deliveries[2]) == "delivered"
    assert states(database) == ["delivered", "pending", *["delivered"] * 3]
    peer.answers.clear()
    clock.advance(60)
    assert tasks.deliver_output(sending, deliveries[1]) == "delivered"


def test_an_object_that_is_refused_does_not_hold_up_the_others(sending, database, peer, deliveries):
    peer.answers["file-1"] = Verdict.REFUSED
    assert tasks.deliver_output(sending, deliveries[0]) == "delivered"
    assert states(database) == ["delivered", "dead", *["delivered"] * 3]


def test_the_error_on_record_says_why_and_quotes_nothing_of_the_peer(sending, database, peer, deliveries):
    no_context, lost = "the peer accepts this SOP class in none of the proposed transfer syntaxes", "association lost"
    peer.receipts = {
        "file-1": Receipt("1.2", 0xA900, "status 0xA900: CANARY^PHI is no patient", Verdict.REFUSED),
        "file-2": Receipt("1.2", None, no_context, Verdict.REFUSED),
        "file-3": Receipt("1.2", None, lost, Verdict.RETRY),
    }
    tasks.deliver_output(sending, deliveries[0])
    with database.reading() as tx:
        errors = [row.last_error for row in tx.deliveries_of_study("1.2.1")]
    assert errors == [
        None,
        "DESTINATION_REFUSED: The destination refused the object (status 0xA900).",
        f"DESTINATION_REFUSED: The destination refused the object ({no_context}).",
        f"The destination could not take the object ({lost}).",
        None,
    ]


def test_an_archive_that_is_down_costs_one_attempt_of_one_object(sending, database, peer, deliveries):
    peer.is_down = True
    assert tasks.deliver_output(sending, deliveries[0]) == "retry"
    with database.reading() as tx:
        assert [row.attempts for row in tx.deliveries_of_study("1.2.1")] == [1, *[0] * 4]


def test_what_another_worker_sends_is_left_to_it(sending, database, clock, peer, deliveries):
    with database.writing() as tx:
        tx.lease_delivery(deliveries[3], "worker-2", clock(), tasks.LEASE_DURATION)
    assert tasks.deliver_output(sending, deliveries[3]) == "busy"
    assert tasks.deliver_output(sending, deliveries[0]) == "delivered"
    assert peer.associations == [["file-0", "file-1", "file-2", "file-4"]]


def test_without_its_destination_every_object_is_parked(context, database, deliveries):
    assert tasks.deliver_output(context, deliveries[0]) == "parked"
    assert states(database) == ["dead"] * OBJECTS
