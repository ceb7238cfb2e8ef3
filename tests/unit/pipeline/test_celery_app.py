"""What travels over the queue, where it goes, and what Celery is told."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from celery.exceptions import Reject

from agatha.pipeline.app import BrokerUnavailable, Publisher, make_celery, queue_name
from agatha.pipeline.context import PipelineConfig
from agatha.pipeline.limits import TaskLimits


@pytest.fixture
def config(tmp_path):
    return PipelineConfig(broker_url=f"embedded://{tmp_path}", stage_limit_s=100)


@pytest.fixture
def app(config, context):
    return make_celery(config, lambda _app: context)


def messages(folder, queue):
    return [json.loads(path.read_text()) for path in sorted((folder / queue_name(queue)).glob("*.json"))]


def test_a_message_holds_a_task_name_and_a_row_number(config, app, tmp_path, series_id):
    Publisher(app, config).publish("series", [series_id])
    (message,) = messages(tmp_path, "cpu")
    assert message["headers"]["task"] == "agatha.assemble_series"
    assert message["headers"]["argsrepr"] == f"({series_id},)"
    assert "CANARY" not in json.dumps(message)


@pytest.mark.parametrize(
    ("kind", "analyze_queue", "expected"),
    [("series", "gpu", "cpu"), ("jobs", "cpu", "cpu"), ("jobs", "gpu", "gpu"), ("deliveries", "gpu", "cpu")],
)
def test_only_analyses_go_to_the_gpu_queue(config, app, tmp_path, kind, analyze_queue, expected):
    Publisher(app, replace(config, analyze_queue=analyze_queue)).publish(kind, [1])
    assert len(messages(tmp_path, expected)) == 1


def test_a_queue_has_room_until_it_is_full(config, app):
    publisher = Publisher(app, config)
    before = publisher.room("series")
    publisher.publish("series", [1, 2, 3])
    assert before - publisher.room("series") == 3


def test_nothing_listens_is_an_error_of_its_own(context):
    config = PipelineConfig(broker_url="redis://127.0.0.1:1/0")
    publisher = Publisher(make_celery(config), config)
    with pytest.raises(BrokerUnavailable):
        publisher.publish("jobs", [1])
    with pytest.raises(BrokerUnavailable):
        publisher.ping()
    assert publisher.hint("jobs", [1]) is False


def test_a_folder_that_cannot_be_made_is_a_broker_that_is_away(tmp_path):
    (tmp_path / "file").write_text("")
    config = PipelineConfig(broker_url=f"embedded://{tmp_path / 'file'}")
    publisher = Publisher(make_celery(config), config)
    with pytest.raises(BrokerUnavailable):
        publisher.ping()


def test_limits_follow_from_the_stage_limit(app):
    limits = TaskLimits.from_stage_limit(100)
    assert (app.conf.task_soft_time_limit, app.conf.task_time_limit) == (limits.soft_s, limits.hard_s)
    redis = make_celery(PipelineConfig(broker_url="redis://r/0", stage_limit_s=100))
    assert redis.conf.broker_transport_options["visibility_timeout"] == limits.visibility_timeout_s


def test_only_json_without_results_one_task_at_a_time(app):
    assert app.conf.accept_content == ["json"]
    assert (app.conf.task_acks_late, app.conf.worker_prefetch_multiplier) == (True, 1)
    assert app.conf.result_backend is None


def test_a_task_takes_nothing_but_a_row_number(app):
    for argument in ("1.2.3", 1.0, True, None):
        with pytest.raises(Reject, match="one row number"):
            app.tasks["agatha.analyze_job"](argument)


def test_a_task_of_a_row_that_another_worker_holds_changes_nothing(app, database, clock, job_id):
    with database.writing() as tx:
        lease = tx.lease_job(job_id, "worker-2", clock(), timedelta(seconds=30))
    app.tasks["agatha.analyze_job"](job_id)
    with database.reading() as tx:
        assert tx.job(job_id) == lease.record


def test_two_applications_in_one_process_keep_their_own_tasks(config, app, context):
    another = make_celery(config, lambda _app: context)
    assert another.tasks["agatha.analyze_job"] is not app.tasks["agatha.analyze_job"]
