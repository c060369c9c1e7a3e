"""What every queue keeps: the shop's own broker over HTTP, and SQS as moto plays it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from shop.kit.calls import DependencyError, Outcome
from shop.kit.metrics import Metrics
from shop.queues import Queue
from shop.queues.broker import Broker, BrokerQueue, broker_routes


@pytest.fixture(params=["broker", "sqs"])
def queue(request: pytest.FixtureRequest, serve: Callable[..., Any]) -> Iterator[Queue]:
    metrics = Metrics("test")
    if request.param == "broker":
        server = serve(broker_routes(Broker()))
        yield BrokerQueue.at(f"http://127.0.0.1:{server.server_port}", metrics=metrics)
        return
    moto = pytest.importorskip("moto")
    sqs = pytest.importorskip("shop.queues.sqs")
    environment = request.getfixturevalue("monkeypatch")
    environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
    environment.delenv("AWS_ENDPOINT_URL", raising=False)
    with moto.mock_aws():
        yield sqs.SqsQueue.named("order-placed", metrics=metrics)


def test_what_was_sent_is_received(queue: Queue) -> None:
    queue.send("a")
    queue.send("b")
    taken = queue.receive(wait_seconds=1)
    assert sorted(message.body for message in taken) == ["a", "b"]
    assert all(message.sent_at > 0 for message in taken)


def test_an_empty_queue_gives_nothing(queue: Queue) -> None:
    assert list(queue.receive(wait_seconds=0)) == []


def test_what_was_taken_is_nobody_elses_and_counts_until_it_is_deleted(queue: Queue) -> None:
    queue.send("a")
    (taken,) = queue.receive(wait_seconds=1)
    assert list(queue.receive(wait_seconds=0)) == []
    assert queue.depth() == 1
    queue.delete(taken.receipt)
    assert queue.depth() == 0


def test_at_most_ten_are_taken_at_once(queue: Queue) -> None:
    for number in range(12):
        queue.send(str(number))
    assert 0 < len(queue.receive(wait_seconds=1)) <= 10


def test_a_message_that_is_not_deleted_comes_again_and_the_old_receipt_is_worth_nothing() -> None:
    broker = Broker()
    broker.send("a")
    (first,) = broker.receive(wait_seconds=0, invisible_seconds=0)
    (again,) = broker.receive(wait_seconds=0)
    assert (again.id, again.body) == (first.id, "a")
    broker.delete(first.receipt)
    assert broker.depth() == 1
    broker.delete(again.receipt)
    assert broker.depth() == 0


def test_a_broker_that_was_started_anew_has_what_was_not_done() -> None:
    records: dict[str, Any] = {}
    broker = Broker(records)
    broker.send("done")
    broker.delete(broker.receive(wait_seconds=0)[0].receipt)
    broker.send("taken")
    broker.receive(wait_seconds=0)
    assert [message.body for message in Broker(records).receive(wait_seconds=0)] == ["taken"]


def test_a_broker_that_is_away_is_a_dependency_that_failed() -> None:
    metrics = Metrics("test")
    queue = BrokerQueue.at("http://127.0.0.1:1", metrics=metrics)
    with pytest.raises(DependencyError) as failed:
        queue.send("a")
    assert failed.value.outcome is Outcome.UNREACHABLE
    assert 'dependency_calls_total{service="test",outcome="unreachable",target="queue"} 1' in metrics.text()
