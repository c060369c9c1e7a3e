"""What AWS answers, in Crosswind's words. The cause stays attached; what is a bug (access, validation) rises as it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from crosswind.kernel.errors import DependencyError, ThrottledError, TooLargeError

_THROTTLES = frozenset(
    {
        "BandwidthLimitExceeded",
        "ExecutionLimitExceeded",
        "KMSThrottlingException",
        "LimitExceededException",
        "OverLimit",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_UNREACHABLE = (BotoConnectionError, HTTPClientError, IncompleteReadError, ResponseStreamingError)
_SERVER_FAULT = 500


@contextmanager
def aws_errors(service: str) -> Iterator[None]:
    """Turn throttling into ThrottledError, faults of the service and of the network into DependencyError."""
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _THROTTLES:
            raise ThrottledError(f"{service} asks to slow down ({code})") from error
        if status >= _SERVER_FAULT:
            raise DependencyError(f"{service} answered {status} ({code})") from error
        if code == "ValidationException" and "size" in str(error) and "exceeded" in str(error):
            raise TooLargeError("this is more than one stored item may hold (400 KB)") from error
        raise
    except BotoCoreError as error:
        if isinstance(error, _UNREACHABLE):
            raise DependencyError(f"{service} did not answer: {error}") from error
        raise


def error_code(error: ClientError) -> str:
    """The service's code of an error, such as `NoSuchKey`."""
    return str(error.response.get("Error", {}).get("Code", ""))
