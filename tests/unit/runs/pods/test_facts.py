"""What is read from the answers of an API server."""

from datetime import UTC, datetime
from typing import Any

import pytest

from crosswind.adapters.kubernetes.facts import pod_facts
from crosswind.runs.pods.classifying import began

BEGAN, CREATED = "2026-11-23T14:19:14Z", "2026-11-23T14:19:12Z"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"running": {"startedAt": BEGAN}}, datetime(2026, 11, 23, 14, 19, 14, tzinfo=UTC)),
        (
            {"terminated": {"startedAt": BEGAN, "exitCode": 0}},
            datetime(2026, 11, 23, 14, 19, 14, tzinfo=UTC),
        ),
        ({"terminated": {"startedAt": "1970-01-01T00:00:00Z", "exitCode": 128}}, None),  # StartError
        ({"waiting": {"reason": "ContainerCreating"}}, None),
    ],
)
def test_when_an_agent_began_is_known_of_pods_that_were_seen_only_at_their_end(
    state: dict[str, Any], expected: datetime | None
) -> None:
    pod = {
        "metadata": {"name": "quick", "creationTimestamp": CREATED},
        "status": {"phase": "Succeeded", "containerStatuses": [{"name": "agent", "state": state}]},
    }
    assert began(pod_facts(pod, {})) == expected
