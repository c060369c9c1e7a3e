"""The chaos demo: what it asks of whom, and what it takes for as expected."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from crosswind.cli import demo_chaos, demo_shop
from tests.unit.cli.fake_api import ENDPOINT, FakeApi, Terminal
from tests.unit.cli.test_chaos import AT, EXPERIMENT, PREVIEW, RUN

HELD: dict[str, Any] = {"state": "Analyzed", "verdict": "held", "reason": "all was well"}
FALSIFIED: dict[str, Any] = {
    "state": "Analyzed",
    "verdict": "falsified",
    "reason": "orders hang",
    "abort": {"cause": "slo", "reason": "orders hang", "by": "monitor", "at": AT},
}
IDS = [f"exp-01k0000000000000000000000{letter}" for letter in "abc"]


@dataclass
class StandIn:
    """A shop that is only said to run."""

    port: int = 8123
    left: list[str] = field(default_factory=list)
    mended: bool = False

    def mend(self) -> None:
        self.mended = True

    def left_injected(self) -> list[str]:
        return self.left


@dataclass
class Stage:
    """The terminal with everything behind it that the demo needs."""

    crosswind: Terminal
    api: FakeApi
    shop: StandIn

    def runs_end_as(self, *endings: dict[str, Any]) -> None:
        for run_id, ending in zip(IDS, endings, strict=True):
            self.api.on(f"GET /api/v1/experiments/-/runs/{run_id}", {**RUN, "runId": run_id, **ending})


@pytest.fixture
def stage(crosswind: Terminal, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A cloud that is up, a shop, and three runs that end as they should."""
    shop = StandIn()

    @contextmanager
    def running(*_: object, **__: object) -> Iterator[StandIn]:
        yield shop

    monkeypatch.setattr(demo_chaos, "start_cloud", lambda around, **ports: ENDPOINT)
    monkeypatch.setattr(demo_chaos, "_ensure_toxiproxy", lambda report: None)
    monkeypatch.setattr(demo_shop, "running_shop", running)
    issuer = Path(crosswind.environ["CROSSWIND_HOME"]) / "issuer"
    issuer.mkdir(parents=True)
    users = {name: {"password": "secret"} for name in ("editor", "admin")}
    (issuer / "users.json").write_text(json.dumps(users))
    tokens = [{"access_token": "of-admin"}, {"access_token": "of-editor"}]
    api.on("POST /oidc/token", *tokens)
    actor = {"subject": "editor", "issuer": "http://i", "teams": ["demo"], "roles": ["editor"]}
    api.on("GET /api/v1/whoami", {"actor": actor, "stage": "local", "version": "0.1.0"})
    draft = {**EXPERIMENT, "state": "Draft", "actions": ["edit", "submit"], "review": {"needed": 1}}
    for name in ("inventory-starved", "payment-frozen"):
        path = f"/api/v1/experiments/{name}"
        again = [{"created": True, "experiment": draft}, {"created": False, "experiment": EXPERIMENT}]
        api.on(f"PUT {path}", *again)
        api.on(f"POST {path}/submit", draft)
        api.on(f"POST {path}/preview", PREVIEW)
        api.on(f"POST {path}/approve", EXPERIMENT)
    api.on("POST /api/v1/experiments/inventory-starved/start", {**RUN, "runId": IDS[0]})
    both = ({**RUN, "runId": run_id} for run_id in IDS[1:])
    api.on("POST /api/v1/experiments/payment-frozen/start", *both)
    api.on("GET /api/v1/experiments/-/timeline", {"items": []})
    results = {"run": RUN, "title": "t", "reports": {"html": f"{ENDPOINT}/report"}}
    api.on("GET /api/v1/experiments/-/results", results)
    api.on("GET /report", httpx.Response(200, text="<html>"))
    made = Stage(crosswind, api, shop)
    made.runs_end_as(HELD, FALSIFIED, HELD)
    return made


def test_it_ends_well_where_one_holds_one_is_falsified_and_the_fix_holds(stage: Stage) -> None:
    result = stage.crosswind("demo", "--chaos")
    assert result.exit_code == 0, result.output
    assert stage.shop.mended
    assert "All as expected, and nothing is left injected: the operating system was asked." in result.stdout
    (report,) = (Path(stage.crosswind.environ["CROSSWIND_HOME"]) / "reports").iterdir()
    assert report.read_text() == "<html>"


def test_somebody_else_approves_what_they_looked_at_and_only_once(stage: Stage) -> None:
    stage.crosswind("demo", "--chaos")
    (approval,) = stage.api.sent("POST /api/v1/experiments/payment-frozen/approve")
    assert json.loads(approval.content)["digest"] == PREVIEW["digest"]
    assert approval.headers["Authorization"] == "Bearer of-admin"
    for what in ("submit", "start"):
        for request in stage.api.sent(f"POST /api/v1/experiments/payment-frozen/{what}"):
            assert request.headers["Authorization"] == "Bearer of-editor"


def test_the_documents_ask_the_shop_where_it_is(stage: Stage) -> None:
    stage.crosswind("demo", "--chaos")
    (first, _) = stage.api.sent("PUT /api/v1/experiments/payment-frozen")
    assert b"127.0.0.1:8123/orders" in first.content
    assert b"127.0.0.1:8001" not in first.content


@pytest.mark.parametrize(
    ("endings", "words"),
    [
        ((FALSIFIED, FALSIFIED, HELD), "inventory-starved should be held; it is falsified: orders hang"),
        ((HELD, HELD, HELD), "payment-frozen should be falsified, aborted by slo; it is held: all was well"),
        ((HELD, {**FALSIFIED, "abort": None}, HELD), "payment-frozen should be falsified, aborted by slo"),
        ((HELD, FALSIFIED, {"state": "RecoveryUnverified"}), "it is RecoveryUnverified: without a reason"),
    ],
)
def test_any_other_end_is_a_fault(stage: Stage, endings: tuple[dict[str, Any], ...], words: str) -> None:
    stage.runs_end_as(*endings)
    result = stage.crosswind("demo", "--chaos")
    assert result.exit_code == 2
    assert words in result.stdout


def test_what_is_left_injected_is_a_fault(stage: Stage) -> None:
    stage.shop.left = ["payment is frozen"]
    result = stage.crosswind("demo", "--chaos", "--json")
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert (document["asExpected"], document["faults"]) == (False, ["payment is frozen"])
