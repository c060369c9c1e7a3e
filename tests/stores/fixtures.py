"""The fixtures of tests/stores and tests/contract: moto, started for each module and gone behind it.

Each test has tables, buckets and queues of its own.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from tests.stores.embedded import Tables, client, make_bucket, make_tables


@pytest.fixture(scope="module", autouse=True)
def moto() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture(scope="module")
def dynamodb(moto: None) -> Any:
    return client("dynamodb")


@pytest.fixture(scope="module")
def s3(moto: None) -> Any:
    return client("s3", signature_version="s3v4", s3={"addressing_style": "path"})


@pytest.fixture(scope="module")
def sqs(moto: None) -> Any:
    return client("sqs")


@pytest.fixture
def tables(dynamodb: Any) -> Tables:
    return make_tables(dynamodb)


@pytest.fixture
def bucket(s3: Any) -> str:
    return make_bucket(s3)
