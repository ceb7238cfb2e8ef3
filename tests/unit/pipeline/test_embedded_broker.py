"""The broker without a server: messages come out once, in order, whoever else is taking them."""

import subprocess
import sys
import textwrap
import threading

import pytest
from kombu import Connection, Exchange, Queue

from agatha.pipeline import embedded_broker
from agatha.pipeline.embedded_broker import BrokerFolderUnusable, folder_of


def connect(folder):
    embedded_broker.register()
    return Connection(f"embedded://{folder}", transport_options={"folder": str(folder)})


def put(connection, *numbers, queue="agatha-cpu"):
    with connection.Producer() as producer:
        for number in numbers:
            producer.publish([number], exchange="", routing_key=queue, serializer="json")


def take(connection, queue="agatha-cpu"):
    message = connection.default_channel.basic_get(queue, no_ack=True)
    return None if message is None else message.decode()[0]


def test_messages_come_out_once_and_in_order(tmp_path):
    with connect(tmp_path) as connection:
        put(connection, 3, 1, 2)
        assert [take(connection) for _ in range(4)] == [3, 1, 2, None]


def test_queues_do_not_mix(tmp_path):
    with connect(tmp_path) as connection:
        put(connection, 1, queue="agatha-cpu")
        put(connection, 2, queue="agatha-gpu")
        assert take(connection, "agatha-gpu") == 2
        assert take(connection, "agatha-gpu") is None
        assert take(connection, "agatha-cpu") == 1


def test_messages_survive_the_process_that_sent_them(tmp_path):
    with connect(tmp_path) as connection:
        put(connection, 7)
    with connect(tmp_path) as another:
        assert take(another) == 7


def test_length_of_a_queue_is_told_without_taking(tmp_path):
    with connect(tmp_path) as connection:
        put(connection, 1, 2)
        bound = Queue("agatha-cpu", Exchange(""), routing_key="agatha-cpu")(connection.default_channel)
        assert bound.queue_declare().message_count == 2
        assert bound.purge() == 2
        assert take(connection) is None


def test_every_message_is_taken_once_by_competing_threads(tmp_path):
    taken, lock = [], threading.Lock()
    with connect(tmp_path) as connection:
        put(connection, *range(200))

    def consume():
        with connect(tmp_path) as own:
            while (number := take(own)) is not None:
                with lock:
                    taken.append(number)

    threads = [threading.Thread(target=consume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(200))


def test_a_message_is_never_seen_half_written(tmp_path):
    """A producer in another process writes large messages while this one takes them."""
    producer = textwrap.dedent(f"""
        from kombu import Connection
        from agatha.pipeline import embedded_broker
        embedded_broker.register()
        with Connection("embedded://{tmp_path}", transport_options={{"folder": "{tmp_path}"}}) as connection:
            with connection.Producer() as producer:
                for number in range(60):
                    producer.publish([number, "x" * 200_000], exchange="", routing_key="agatha-cpu", serializer="json")
    """)
    with subprocess.Popen([sys.executable, "-c", producer]) as process, connect(tmp_path) as connection:
        taken = []
        while len(taken) < 60 and (process.poll() is None or connection.default_channel._size("agatha-cpu")):
            number = take(connection)
            if number is not None:
                taken.append(number)
    assert taken == list(range(60))


@pytest.mark.parametrize("name", ["../elsewhere", "/etc", ".hidden", "a b", ""])
def test_a_queue_name_cannot_leave_the_folder(tmp_path, name):
    with connect(tmp_path) as connection, pytest.raises(ValueError, match="queue name"):
        connection.default_channel._size(name)


def test_an_unusable_folder_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with connect(tmp_path / "file") as connection, pytest.raises(BrokerFolderUnusable):
        put(connection, 1)


@pytest.mark.parametrize("url", ["embedded://host/x", "embedded://relative", "embedded:///", "redis://x", "embedded:"])
def test_only_an_absolute_folder_is_a_broker(url):
    with pytest.raises(ValueError, match="absolute"):
        folder_of(url)


def test_a_folder_may_hold_blanks_and_other_letters():
    assert str(folder_of("embedded:///srv/my%20data/brök")) == "/srv/my data/brök"
