"""Batches that are taken only in part, the executor's side of its queue, and how events look on the bus."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import ANY, Stubber

from crosswind.adapters.aws.event_bus import EventBridgeBus
from crosswind.adapters.aws.object_store import S3ObjectStore
from crosswind.adapters.aws.queues import ArchiveQueue, ExecutorQueue, SqsQueues
from crosswind.bootstrap import clients
from crosswind.contracts.archives import ArchiveMessage
from crosswind.contracts.events import DomainEvent
from crosswind.contracts.work import DispatchMessage
from crosswind.kernel.errors import DependencyError
from tests.fakes import make_event
from tests.fakes.samples import run_id
from tests.stores.embedded import client, make_queue


def message(number: int) -> DispatchMessage:
    return DispatchMessage(run_id=run_id(), work_id=f"shard-{number:05d}", attempt=1)


def sqs_queues(sqs: Any, pauses: list[float]) -> SqsQueues:
    return SqsQueues(
        client=sqs, admission_url="a", executor_url="e", launch_url="l", watch_url="w", pause=pauses.append
    )


def batch(*numbers: int) -> dict[str, Any]:
    entries = [{"Id": str(number), "MessageBody": message(number).to_wire()} for number in numbers]
    return {"QueueUrl": "e", "Entries": entries}


def refused(*numbers: int) -> dict[str, Any]:
    failed = [{"Id": str(number), "SenderFault": False, "Code": "InternalError"} for number in numbers]
    return {"Successful": [], "Failed": failed}


def test_only_the_messages_that_were_refused_are_sent_again() -> None:
    sqs = client("sqs")
    pauses: list[float] = []
    with Stubber(sqs) as stub:
        stub.add_response("send_message_batch", refused(1), batch(0, 1, 2))
        stub.add_response("send_message_batch", {"Successful": [], "Failed": []}, batch(1))

        sqs_queues(sqs, pauses).dispatch([message(0), message(1), message(2)])

        stub.assert_no_pending_responses()
    assert pauses == [0.1]


def test_messages_that_are_never_taken_are_an_error() -> None:
    sqs = client("sqs")
    with Stubber(sqs) as stub:
        for _ in range(4):
            stub.add_response("send_message_batch", refused(0))

        with pytest.raises(DependencyError, match="InternalError"):
            sqs_queues(sqs, []).dispatch([message(0)])


def test_a_watch_is_delayed_by_no_more_than_the_service_allows() -> None:
    sqs = client("sqs")
    with Stubber(sqs) as stub:
        for seconds in (15, 900):
            stub.add_response(
                "send_message", {}, {"QueueUrl": "w", "MessageBody": ANY, "DelaySeconds": seconds}
            )

        sqs_queues(sqs, []).watch(run_id(), delay=timedelta(seconds=15))
        sqs_queues(sqs, []).watch(run_id(), delay=timedelta(hours=2))

        stub.assert_no_pending_responses()


def test_an_order_of_an_archive_arrives_as_it_was_sent(sqs: Any) -> None:
    url = make_queue(sqs)
    order = ArchiveMessage(run_id=run_id(), archive_id="0" * 32)

    ArchiveQueue(sqs, url)(order)

    (received,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert ArchiveMessage.model_validate_json(received["Body"]) == order


def test_an_event_carries_its_whole_envelope_and_only_refused_ones_are_put_again() -> None:
    events = client("events")
    seen: list[Any] = []
    events.meta.events.register(
        "provide-client-params.events.PutEvents", lambda params, **_: seen.append(params["Entries"])
    )
    with Stubber(events) as stub:
        entries = [{"EventId": "1"}, {"ErrorCode": "InternalFailure"}]
        stub.add_response("put_events", {"FailedEntryCount": 1, "Entries": entries})
        stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "2"}]})

        EventBridgeBus(client=events, name="bus", pause=lambda _: None).publish(
            [make_event(1), make_event(2)]
        )

    assert [len(put) for put in seen] == [2, 1]
    again = seen[1][0]
    assert again["Source"] == "crosswind.runs"
    assert again["DetailType"] == "runs.run.finished.v1"
    assert again["EventBusName"] == "bus"
    assert DomainEvent.model_validate_json(again["Detail"]) == make_event(2)


def test_events_that_are_never_taken_are_an_error() -> None:
    events = client("events")
    with Stubber(events) as stub:
        for _ in range(4):
            stub.add_response("put_events", {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "Busy"}]})

        with pytest.raises(DependencyError, match="Busy"):
            EventBridgeBus(client=events, name="bus", pause=lambda _: None).publish([make_event()])


def test_a_runner_receives_deletes_and_releases(sqs: Any) -> None:
    url = make_queue(sqs)
    queue = ExecutorQueue(client=sqs, url=url)
    sqs.send_message(QueueUrl=url, MessageBody="not one of ours")
    sqs.send_message(QueueUrl=url, MessageBody=message(7).to_wire())

    ((receipt, found),) = queue.receive(10, wait_seconds=0)
    assert found == message(7)
    assert queue.receive(10, wait_seconds=0) == []

    queue.release(receipt)
    ((again, _),) = queue.receive(10, wait_seconds=0)
    queue.delete(again)
    assert queue.receive(10, wait_seconds=0) == []


@pytest.mark.parametrize("operation", ["delete_message", "change_message_visibility"])
def test_a_receipt_that_is_over_is_no_error(operation: str) -> None:
    sqs = client("sqs")
    queue = ExecutorQueue(client=sqs, url="u")
    act = queue.delete if operation == "delete_message" else queue.release
    with Stubber(sqs) as stub:
        stub.add_client_error(operation, service_error_code="ReceiptHandleIsInvalid", http_status_code=400)

        act("old")

        stub.assert_no_pending_responses()


def test_a_connection_that_breaks_while_reading_is_a_dependency_error() -> None:
    class Body(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ReadTimeoutError(endpoint_url="http://x")

    s3 = client("s3")
    with Stubber(s3) as stub:
        stub.add_response("get_object", {"Body": Body()})

        with (
            S3ObjectStore(client=s3, bucket="b").open("k") as stream,
            pytest.raises(DependencyError),
        ):
            stream.read(10)


def test_a_file_of_many_parts_arrives_whole(s3: Any, bucket: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * (40 * 1024 * 4)  # 40 MiB: three parts
    (tmp_path / "up").write_bytes(content)
    store = S3ObjectStore(client=s3, bucket=bucket)

    store.upload(tmp_path / "up", "k", content_type="application/gzip")

    stored = s3.head_object(Bucket=bucket, Key="k")
    assert stored["ETag"].endswith('-3"')
    assert stored["ContentType"] == "application/gzip"
    assert store.get("k", limit_bytes=len(content)) == content


def test_a_link_shows_the_object_inline_under_its_name(s3: Any) -> None:
    link = S3ObjectStore(client=s3, bucket="b").presign_get(
        "k", content_type="text/html", file_name='grö"ße.html', expires=timedelta(minutes=5)
    )

    assert "response-content-type=text%2Fhtml" in link
    assert "inline%3B%20filename%2A%3DUTF-8%27%27gr%25C3%25B6%2522%25C3%259Fe.html" in link
    assert "X-Amz-Expires=300" in link


def test_an_upload_link_signs_length_and_checksum(s3: Any) -> None:
    link, _ = S3ObjectStore(client=s3, bucket="b").presign_put(
        "k", size=1, sha256_hex="00" * 32, expires=timedelta(minutes=5)
    )

    assert "X-Amz-SignedHeaders=content-length%3Bhost%3Bx-amz-checksum-sha256" in link


@pytest.mark.parametrize(("endpoint", "style"), [("http://127.0.0.1:4566", "path"), (None, "virtual")])
def test_buckets_are_in_the_path_only_where_an_endpoint_is_set(
    monkeypatch: pytest.MonkeyPatch, endpoint: str | None, style: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    else:
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    config: Any = clients.s3.__wrapped__().meta.config

    assert config.s3["addressing_style"] == style
    assert (config.connect_timeout, config.read_timeout) == (2, 10)
    assert config.retries["total_max_attempts"] == 4
    assert config.retries["mode"] == "standard"
