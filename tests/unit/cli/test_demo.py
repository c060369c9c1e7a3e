"""The demo's judgement: what it takes for as expected, and what it shows."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from crosswind.cli import demo
from crosswind.cli.demo import EXPECTED_FAILURE, shop_faults, third_party_faults
from crosswind.cli.submitting import Finished
from crosswind.cli.surroundings import Surroundings
from crosswind.contracts.requests import CasePage, RunView
from tests.unit.cli.fake_api import ENDPOINT, RUN, FakeApi, Terminal, case, finished

SECOND = "run-01k0000000000000000000000b"
THIRD_PARTY = {"total": 696, "passed": 695, "skipped": 1}
SHOP = {"total": 29, "passed": 28, "failed": 1}
FAILURE = f"tests/api/test_orders_api.py::{EXPECTED_FAILURE}"


def view(kind: str, tests: dict[str, int]) -> RunView:
    return RunView.model_validate(finished(kind, "for a reason", tests=tests))


def shop(kind: str, tests: dict[str, int], *names: str) -> Finished:
    worst = CasePage.model_validate({"items": [case(name) for name in names], "complete": True})
    return Finished(run=view(kind, tests), worst=worst)


def test_the_third_party_suite_is_expected_to_report_what_pytest_alone_does() -> None:
    assert third_party_faults(view("passed", THIRD_PARTY)) == []


@pytest.mark.parametrize(
    ("kind", "tests"),
    [
        ("inconclusive", THIRD_PARTY),
        ("passed", {"total": 695, "passed": 694, "skipped": 1}),
        ("passed", {"total": 697, "passed": 695, "skipped": 1, "flaky": 1}),
    ],
)
def test_any_other_total_of_the_third_party_suite_is_a_fault(kind: str, tests: dict[str, int]) -> None:
    assert len(third_party_faults(view(kind, tests))) == 1


def test_the_shop_is_expected_to_fail_in_exactly_the_one_test() -> None:
    assert shop_faults(shop("failed", SHOP, FAILURE)) == []


@pytest.mark.parametrize(
    ("kind", "tests", "names"),
    [
        ("passed", {"total": 29, "passed": 29}, []),
        ("failed", SHOP, ["tests/api/test_orders_api.py::test_health_answers"]),
        ("failed", {"total": 29, "passed": 27, "failed": 2}, [FAILURE, "another"]),
        ("error", SHOP, [FAILURE]),
        ("failed", {"total": 18, "passed": 17, "failed": 1}, [FAILURE]),
    ],
)
def test_any_other_end_of_the_shops_run_is_a_fault(
    kind: str, tests: dict[str, int], names: list[str]
) -> None:
    assert len(shop_faults(shop(kind, tests, *names))) == 1


@pytest.fixture
def started(crosswind: Terminal, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """An embedded cloud that is up, with both runs ended as they should."""
    monkeypatch.setattr(demo, "start_cloud", lambda around, **ports: ENDPOINT)
    issuer = Path(crosswind.environ["CROSSWIND_HOME"]) / "issuer"
    issuer.mkdir(parents=True)
    (issuer / "users.json").write_text('{"editor": {"password": "secret"}}')
    actor = {"subject": "editor", "issuer": "http://i", "teams": ["demo"], "roles": ["editor"]}
    api.on("POST /oidc/token", {"access_token": "t"})
    api.on("GET /api/v1/whoami", {"actor": actor, "stage": "local", "version": "0.1.0"})
    api.on("POST /api/v1/sources", {"digest": "sha256:" + "0" * 64, "exists": True})
    answers = [httpx.Response(202, json={"executionId": run, "state": "accepted"}) for run in (RUN, SECOND)]
    api.on("POST /api/v1/tests", *answers)
    for run, kind, tests in ((RUN, "passed", THIRD_PARTY), (SECOND, "failed", SHOP)):
        api.on(f"GET /api/v1/tests/{run}", finished(kind, "for a reason", executionId=run, tests=tests))
    api.on(f"GET /api/v1/tests/{RUN}/results", {"items": [], "complete": True})
    failure: dict[str, Any] = case(FAILURE, message="AssertionError: kept 3 mugs", details="a trace")
    api.on(f"GET /api/v1/tests/{SECOND}/results", {"items": [failure], "complete": True})
    chunk = {"workId": "shard-00001", "attempt": "01-001", "offset": 0, "nextOffset": 9, "complete": True}
    api.on(f"GET /api/v1/tests/{SECOND}/logs", {**chunk, "text": "one\ntwo\n"})
    return crosswind


def test_the_demo_shows_the_failure_with_message_and_log_and_ends_well(started: Terminal) -> None:
    result = started("demo")
    assert result.exit_code == 0, result.output
    assert f"The failure of {FAILURE}\n  a trace\n" in result.stdout
    assert "The end of the log of shard-00001\n  one\n  two\n" in result.stdout
    assert "      AssertionError: kept 3 mugs\n" in result.stdout
    assert "All as expected. The shop's failure is deliberate" in result.stdout
    assert result.stdout.endswith("  crosswind list\n  crosswind status\n  crosswind down\n")


def test_the_demo_states_the_time_of_each_step_and_of_all(started: Terminal) -> None:
    lines = started("demo").stdout.splitlines()
    steps = [line.split("  ")[0] for line in lines[lines.index("Demo") + 1 :]]
    assert steps[:6] == ["step", "up", "sign in", "more-itertools", "shop", "total"]


def test_the_demo_fails_when_something_unexpected_happened(started: Terminal, api: FakeApi) -> None:
    api.on(f"GET /api/v1/tests/{RUN}", finished("passed", "fine", tests={"total": 1, "passed": 1}))
    result = started("demo")
    assert result.exit_code == 2
    assert "failed  more-itertools should pass with 695 passed and 1 skipped; it is passed: 1 passed" in (
        result.stdout
    )


def test_the_demo_uses_its_own_cloud_whatever_the_environment_names(started: Terminal, api: FakeApi) -> None:
    started.environ["CROSSWIND_ENDPOINT"] = "https://cw.example.com"
    started("demo")
    assert {str(request.url.copy_with(path="/", query=None)) for request in api.requests} == {f"{ENDPOINT}/"}
    assert {request.headers.get("Authorization") for request in api.sent("POST /api/v1/tests")} == {
        "Bearer t"
    }


def test_ports_are_handed_to_up(started: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def up(around: Surroundings, **ports: object) -> str:
        asked.append(ports)
        return ENDPOINT

    monkeypatch.setattr(demo, "start_cloud", up)
    started("demo", "--port", "8181", "--emulator-port", "4599")
    assert asked == [{"port": 8181, "emulator_port": 4599}]
