"""Tables, a bucket and queues in moto, made as the CDK app makes them; each call has names of its own."""

from dataclasses import dataclass
from itertools import count
from typing import Any

from botocore.config import Config
from botocore.session import get_session

from crosswind.adapters.aws.dynamo import Dynamo

REGION = "eu-central-1"

_numbers = count(1)
_session = get_session()
_session.set_credentials("testing", "testing")


def client(service: str, **options: Any) -> Any:
    """A client with made-up credentials, without repetitions."""
    config = Config(retries={"total_max_attempts": 1}, **options)
    return _session.create_client(service, region_name=REGION, config=config)


@dataclass(frozen=True)
class Tables:
    """The five tables, and the client beneath the stores."""

    client: Any
    runs: str
    queue: str
    tests: str
    chaos: str
    live: str

    @property
    def dynamo(self) -> Dynamo:
        """What stores are made of, without waiting between attempts."""
        return Dynamo(self.client, pause=lambda _: None)

    def items(self, table: str) -> list[dict[str, Any]]:
        """Everything in a table, by key."""
        found: list[dict[str, Any]] = self.client.scan(TableName=table)["Items"]
        return sorted(found, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


def make_tables(dynamodb: Any) -> Tables:
    """New tables with the keys and indexes of docs/data-model.md."""
    number = next(_numbers)
    tables = Tables(
        client=dynamodb,
        runs=f"runs-{number}",
        queue=f"queue-{number}",
        tests=f"tests-{number}",
        chaos=f"chaos-{number}",
        live=f"live-{number}",
    )
    _make_table(dynamodb, tables.live)
    _make_table(dynamodb, tables.queue)
    _make_table(dynamodb, tables.tests)
    _make_table(
        dynamodb, tables.runs, by_team=("teamKey", "createdKey"), unfinished=("unfinishedKey", "runKey")
    )
    _make_table(
        dynamodb,
        tables.chaos,
        by_team=("teamKey", "createdKey"),
        unfinished=("unfinishedKey", "runKey"),
        due=("dueKey", "dueAt"),
    )
    return tables


def make_bucket(s3: Any) -> str:
    """A new bucket."""
    name = f"bucket-{next(_numbers)}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


def make_queue(sqs: Any) -> str:
    """The address of a new queue."""
    url: str = sqs.create_queue(QueueName=f"queue-{next(_numbers)}")["QueueUrl"]
    return url


def _make_table(dynamodb: Any, name: str, **indexes: tuple[str, str]) -> None:
    attributes = ["pk", "sk", *(attribute for pair in indexes.values() for attribute in pair)]
    more: dict[str, Any] = {}
    if indexes:
        more["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index,
                "KeySchema": _key_schema(*pair),
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, pair in indexes.items()
        ]
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=_key_schema("pk", "sk"),
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in attributes],
        **more,
    )


def _key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
