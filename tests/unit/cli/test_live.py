"""What a terminal shows while a run goes on."""

from io import StringIO

import httpx
from rich.console import Console

from crosswind.cli.client import ApiClient
from crosswind.cli.follow import follow
from crosswind.cli.session import Session
from crosswind.cli.surroundings import Surroundings
from tests.unit.cli.fake_api import ENDPOINT, RUN, FakeApi, case, finished, run_view


def test_a_terminal_shows_busy_shards_and_failures_as_they_come(api: FakeApi) -> None:
    work = [{"workId": "shard-00001", "test": "api", "stage": 0, "state": "leased", "attempt": 1}]
    work[0] |= {"testsDone": 7, "testsFailed": 1}
    going = run_view(tests={"total": 7, "failed": 1, "passed": 6}, work=work)
    api.on(f"GET /api/v1/tests/{RUN}", going, going, finished("failed", "1 of 7 tests failed."))
    api.on(f"GET /api/v1/tests/{RUN}/results", {"items": [case("test_b", message="boom")], "complete": False})
    screen = StringIO()
    session = Session(
        client=ApiClient(endpoint=ENDPOINT, token="t", transport=httpx.MockTransport(api.handle)),
        endpoint=ENDPOINT,
        profile="default",
        surroundings=Surroundings(environ={}, sleep=lambda seconds: None, monotonic=lambda: 3.0),
        as_json=False,
        out=Console(file=StringIO()),
        err=Console(file=screen, force_terminal=True, color_system=None, width=120),
    )
    assert follow(session, RUN).verdict is not None
    shown = screen.getvalue()
    assert "stage api: 0 of 2 shards done, 1 running, 1 waiting; 7 of 7 tests, 1 failed" in shown
    assert "shard-00001  api   7     1       attempt 1" in shown
    assert shown.count("failed  test_b (shard-00001): boom") == 1
