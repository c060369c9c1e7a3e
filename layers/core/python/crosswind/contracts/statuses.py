"""The status of a test case. It stands alone, so that reading a report needs no model."""

from enum import StrEnum


class CaseStatus(StrEnum):
    """The one terminal status of a test case."""

    FAILED = "failed"
    ERROR = "error"
    MISSING = "missing"
    FLAKY = "flaky"  # failed, then passed within the same run
    SKIPPED = "skipped"
    PASSED = "passed"
