"""Lost writes, conflicts and lost answers: what only DynamoDB's own answers show."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import ANY, Stubber

from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, TransactionFailedError, expect
from crosswind.adapters.aws.errors import aws_errors
from crosswind.adapters.aws.keys import key
from crosswind.kernel.errors import DependencyError, ThrottledError
from tests.stores.embedded import Tables, client

ITEM = {**key("a", "b"), "version": {"N": "1"}}


@pytest.fixture
def stub() -> Iterator[Stubber]:
    with Stubber(client("dynamodb")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def dynamo(stub: Stubber, pauses: list[float] | None = None) -> Dynamo:
    connection: Any = stub.client
    return Dynamo(connection, pause=(pauses if pauses is not None else []).append)


def cancelled(stub: Stubber, *codes: str) -> None:
    stub.add_client_error(
        "transact_write_items",
        service_error_code="TransactionCanceledException",
        http_status_code=400,
        modeled_fields={"CancellationReasons": [{"Code": code} for code in codes]},
    )


def test_a_conflict_with_a_transaction_is_tried_again(stub: Stubber) -> None:
    pauses: list[float] = []
    stub.add_client_error("put_item", service_error_code="TransactionConflictException", http_status_code=400)
    stub.add_response("put_item", {})

    dynamo(stub, pauses).put("t", ITEM, **expect(None))

    assert len(pauses) == 1
    assert 0 < pauses[0] < 0.1


def test_a_transaction_that_conflicts_is_tried_again(stub: Stubber) -> None:
    cancelled(stub, "None", "TransactionConflict")
    stub.add_response("transact_write_items", {})

    dynamo(stub).transact([{"Put": {"TableName": "t", "Item": ITEM}}])


def test_conflicts_without_end_are_throttling(stub: Stubber) -> None:
    pauses: list[float] = []
    for _ in range(6):
        cancelled(stub, "TransactionConflict")

    with pytest.raises(ThrottledError):
        dynamo(stub, pauses).transact([{"Put": {"TableName": "t", "Item": ITEM}}])

    assert len(pauses) == 5
    assert sum(pauses) < 1.3


def test_a_batch_asks_again_for_what_was_left_over(stub: Stubber) -> None:
    pauses: list[float] = []
    first, second = key("a", "1"), key("a", "2")
    for items, left in (([], [first, second]), ([first], [second]), ([second], [])):
        unprocessed = {"t": {"Keys": left}} if left else {}
        stub.add_response("batch_get_item", {"Responses": {"t": items}, "UnprocessedKeys": unprocessed})

    assert list(dynamo(stub, pauses).get_many("t", [first, second])) == [first, second]
    assert len(pauses) == 1


def test_a_batch_that_gives_nothing_is_throttling(stub: Stubber) -> None:
    left = {"t": {"Keys": [key("a", "1")]}}
    for _ in range(6):
        stub.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": left})

    with pytest.raises(ThrottledError):
        list(dynamo(stub).get_many("t", [key("a", "1")]))


def test_a_failed_condition_tells_which_action_lost_and_is_not_tried_again(stub: Stubber) -> None:
    cancelled(stub, "None", "ConditionalCheckFailed", "TransactionConflict")

    with pytest.raises(TransactionFailedError) as lost:
        dynamo(stub).transact([{"Put": {"TableName": "t", "Item": ITEM}}])

    assert lost.value.failed == {1}


def test_a_write_whose_answer_was_lost_is_recognised_as_our_own(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_answer = iter([True])
    real = tables.client.put_item

    def put_item(**call: Any) -> Any:
        answer = real(**call)
        return real(**call) if next(lose_answer, False) else answer  # what the SDK does after a time-out

    monkeypatch.setattr(tables.client, "put_item", put_item)

    tables.dynamo.put(tables.runs, ITEM, **expect(None))

    with pytest.raises(ConditionFailedError):
        tables.dynamo.put(tables.runs, ITEM, **expect(None))


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ThrottlingException", 400, ThrottledError),
        ("ProvisionedThroughputExceededException", 400, ThrottledError),
        ("RequestLimitExceeded", 400, ThrottledError),
        ("SlowDown", 503, ThrottledError),
        ("InternalServerError", 500, DependencyError),
        ("ServiceUnavailable", 503, DependencyError),
        ("AccessDeniedException", 400, ClientError),
        ("ValidationException", 400, ClientError),
    ],
)
def test_answers_of_the_service_become_errors_of_ours(
    code: str, status: int, expected: type[Exception]
) -> None:
    cause = ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # the rest is optional at run time
        "GetItem",
    )

    with pytest.raises(expected) as raised, aws_errors("dynamodb"):
        raise cause

    assert cause in (raised.value, raised.value.__cause__)


@pytest.mark.parametrize(
    "cause",
    [
        ConnectTimeoutError(endpoint_url="http://x"),
        ReadTimeoutError(endpoint_url="http://x"),
        EndpointConnectionError(endpoint_url="http://x"),
    ],
)
def test_faults_of_the_network_are_dependency_errors(cause: Exception) -> None:
    with pytest.raises(DependencyError) as raised, aws_errors("s3"):
        raise cause

    assert raised.value.__cause__ is cause


def test_a_query_goes_on_until_the_last_page(stub: Stubber) -> None:
    stub.add_response("query", {"Items": [ITEM], "LastEvaluatedKey": key("a", "b")})
    stub.add_response(
        "query",
        {"Items": []},
        {"TableName": "t", "ExclusiveStartKey": key("a", "b"), "KeyConditionExpression": ANY},
    )

    pages = list(dynamo(stub).query("t", KeyConditionExpression="pk = :pk"))

    assert [len(page["Items"]) for page in pages] == [1, 0]
