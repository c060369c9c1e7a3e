"""PagerDuty as a source, behind httpx.MockTransport: what it asks, and what it makes of every answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.adapters.gate.pagerduty import (
    MAX_PAGES,
    PAGE,
    PagerDutyApi,
    PagerDutyChanges,
    PagerDutyIncidents,
    PagerDutyOnCall,
    first_gap,
)
from crosswind.adapters.http import HttpPeer
from crosswind.chaos.ports import GateSource, Question
from crosswind.contracts.chaos.gate import CheckName, CheckStatus, GateCheck
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import NotFoundError
from tests.fakes import START
from tests.unit.chaos.gate.world import make_question, policy

KEY = "very-secret-key"
SOURCE = {"secret": "pagerduty", "services": ("S1", "S2"), "escalation_policies": ("E1",)}
END = START + timedelta(minutes=10)
Answer = Callable[[httpx.Request], httpx.Response]


@dataclass
class PagerDuty:
    """Answers what a test sets, and keeps what it was asked."""

    answer: Answer = lambda request: httpx.Response(200, json={})
    requests: list[httpx.Request] = field(default_factory=list)
    key: str = KEY

    @property
    def api(self) -> PagerDutyApi:
        return PagerDutyApi(secret=self.secret, open=self.open)

    def secret(self, name: str) -> str:
        if name != "pagerduty":
            raise NotFoundError(f"no secret {name}")
        return self.key

    def open(self, base_url: str, headers: Mapping[str, str]) -> HttpPeer:
        transport = httpx.MockTransport(self._handle)
        return HttpPeer("pagerduty", base_url, headers, tries=2, transport=transport, pause=lambda _: None)

    def rows(self, name: str, rows: list[dict[str, Any]]) -> None:
        self.answer = lambda request: httpx.Response(200, json={name: rows, "more": False})

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)


@pytest.fixture
def pagerduty() -> PagerDuty:
    return PagerDuty()


def asking(**source: Any) -> Question:
    return make_question(policy(pagerduty={**SOURCE, **source}, on_call_required=True))


def one(source: GateSource, question: Question | None = None) -> GateCheck:
    (check,) = source.look(question or asking())
    return check


def sources(pagerduty: PagerDuty) -> tuple[GateSource, ...]:
    api = pagerduty.api
    return (PagerDutyIncidents(api), PagerDutyOnCall(api), PagerDutyChanges(api))


def test_it_asks_for_every_open_incident_however_old(pagerduty: PagerDuty) -> None:
    pagerduty.rows("incidents", [])
    assert one(PagerDutyIncidents(pagerduty.api)).status is CheckStatus.PASS
    (request,) = pagerduty.requests
    assert request.url.host == "api.pagerduty.com"
    assert request.url.path == "/incidents"
    params = request.url.params
    assert params.get_list("statuses[]") == ["triggered", "acknowledged"]
    assert params["date_range"] == "all"
    assert params.get_list("service_ids[]") == ["S1", "S2"]
    assert request.headers["authorization"] == f"Token token={KEY}"
    assert request.headers["accept"] == "application/vnd.pagerduty+json;version=2"


def test_the_european_region_is_asked_where_it_is(pagerduty: PagerDuty) -> None:
    pagerduty.rows("incidents", [])
    one(PagerDutyIncidents(pagerduty.api), asking(region="eu"))
    assert pagerduty.requests[0].url.host == "api.eu.pagerduty.com"


def test_an_open_incident_fails_with_its_evidence(pagerduty: PagerDuty) -> None:
    pagerduty.rows(
        "incidents", [{"id": "Q1", "incident_number": 7, "status": "triggered", "title": "orders down"}]
    )
    check = one(PagerDutyIncidents(pagerduty.api))
    assert check.status is CheckStatus.FAIL
    assert check.evidence == "id Q1, incident_number 7, status triggered, title orders down"


def shift(start: datetime | None, end: datetime | None, **changes: Any) -> dict[str, Any]:
    return {
        "user": {"id": "U1", "summary": "Grace"},
        "escalation_policy": {"id": "E1"},
        "escalation_level": 1,
        "start": to_iso(start) if start else None,
        "end": to_iso(end) if end else None,
        **changes,
    }


@pytest.mark.parametrize(
    "shifts",
    [
        [shift(None, None)],
        [shift(START, END)],
        [
            shift(START - timedelta(days=1), START + timedelta(minutes=5)),
            shift(START + timedelta(minutes=5), None),
        ],
        [shift(START + timedelta(minutes=3), END), shift(None, START + timedelta(minutes=4))],
    ],
)
def test_somebody_on_call_for_the_whole_window_passes(
    pagerduty: PagerDuty, shifts: list[dict[str, Any]]
) -> None:
    pagerduty.rows("oncalls", shifts)
    check = one(PagerDutyOnCall(pagerduty.api))
    assert check.status is CheckStatus.PASS
    assert "Grace" in (check.evidence or "")
    params = pagerduty.requests[0].url.params
    assert (params["since"], params["until"]) == (to_iso(START), to_iso(END))
    assert params.get_list("escalation_policy_ids[]") == ["E1"]


@pytest.mark.parametrize(
    "shifts",
    [
        [],
        [shift(START, END - timedelta(seconds=1))],
        [shift(START + timedelta(seconds=1), END)],
        [shift(START, START + timedelta(minutes=4)), shift(START + timedelta(minutes=5), END)],
        [shift(None, None, escalation_level=2)],
        [shift(None, None, escalation_policy={"id": "E2"})],
        [shift(None, None, user=None)],
    ],
)
def test_a_gap_or_only_a_second_level_fails(pagerduty: PagerDuty, shifts: list[dict[str, Any]]) -> None:
    pagerduty.rows("oncalls", shifts)
    assert one(PagerDutyOnCall(pagerduty.api)).status is CheckStatus.FAIL


def test_every_escalation_policy_needs_somebody(pagerduty: PagerDuty) -> None:
    pagerduty.rows("oncalls", [shift(None, None)])
    check = one(PagerDutyOnCall(pagerduty.api), asking(escalation_policies=("E1", "E2")))
    assert check.status is CheckStatus.FAIL
    assert "E2" in check.reason


def test_without_an_escalation_policy_it_is_unknown(pagerduty: PagerDuty) -> None:
    check = one(PagerDutyOnCall(pagerduty.api), asking(escalation_policies=()))
    assert check.status is CheckStatus.UNKNOWN


def test_a_change_in_the_quiet_time_fails_until_it_is_over(pagerduty: PagerDuty) -> None:
    moment = START - timedelta(minutes=30)
    pagerduty.rows("change_events", [{"timestamp": to_iso(moment), "summary": "deploy 42", "source": "ci"}])
    check = one(PagerDutyChanges(pagerduty.api))
    assert (check.status, check.until) == (CheckStatus.FAIL, to_iso(moment + timedelta(hours=2)))
    params = pagerduty.requests[0].url.params
    assert (params["since"], params["until"]) == (to_iso(START - timedelta(hours=2)), to_iso(START))


def test_only_changes_of_the_services_count_and_those_that_name_none(pagerduty: PagerDuty) -> None:
    change = {"timestamp": to_iso(START), "summary": "x"}
    pagerduty.rows("change_events", [{**change, "services": [{"id": "S9"}]}])
    assert one(PagerDutyChanges(pagerduty.api)).status is CheckStatus.PASS
    for services in ([{"id": "S2"}], [], None):
        pagerduty.rows("change_events", [{**change, "services": services}])
        assert one(PagerDutyChanges(pagerduty.api)).status is CheckStatus.FAIL


def _timeout(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("too slow", request=request)


UNCLEAR: dict[str, Answer] = {
    "429": lambda request: httpx.Response(429, headers={"ratelimit-reset": "12"}, json={}),
    "500": lambda request: httpx.Response(500, text="oops"),
    "503": lambda request: httpx.Response(503, text="oops"),
    "401": lambda request: httpx.Response(401, json={"error": {"message": "who are you"}}),
    "402": lambda request: httpx.Response(402, json={"error": {"message": "pay first"}}),
    "403": lambda request: httpx.Response(403, json={"error": {"message": "not yours"}}),
    "redirect": lambda request: httpx.Response(302, headers={"location": "http://169.254.169.254/"}),
    "timeout": _timeout,
    "no JSON": lambda request: httpx.Response(200, text="<html>"),
    "another shape": lambda request: httpx.Response(200, json=[1]),
    "rows of another shape": lambda request: httpx.Response(
        200, json={"incidents": ["x"], "oncalls": ["x"], "change_events": ["x"], "more": False}
    ),
    "empty": lambda request: httpx.Response(200, text=""),
    "endless": lambda request: httpx.Response(
        200, json={"incidents": [], "oncalls": [], "change_events": [], "more": True}
    ),
}


@pytest.mark.parametrize("answer", UNCLEAR.values(), ids=UNCLEAR)
def test_what_is_no_clear_answer_is_unknown(pagerduty: PagerDuty, answer: Answer) -> None:
    pagerduty.answer = answer
    for source in sources(pagerduty):
        assert one(source).status is CheckStatus.UNKNOWN


@pytest.mark.parametrize("moment", ["soon", "2026-01-31T08:00:00", None])
def test_moments_that_cannot_be_read_are_unknown(pagerduty: PagerDuty, moment: str | None) -> None:
    pagerduty.rows("change_events", [{"timestamp": moment, "summary": "x"}])
    assert one(PagerDutyChanges(pagerduty.api)).status is CheckStatus.UNKNOWN
    if moment is not None:
        pagerduty.rows("oncalls", [{**shift(None, None), "start": moment}])
        assert one(PagerDutyOnCall(pagerduty.api)).status is CheckStatus.UNKNOWN


def test_all_pages_are_read(pagerduty: PagerDuty) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        first = request.url.params["offset"] == "0"
        rows = [] if first else [shift(None, None)]
        return httpx.Response(200, json={"oncalls": rows, "more": first})

    pagerduty.answer = page
    assert one(PagerDutyOnCall(pagerduty.api)).status is CheckStatus.PASS
    assert [each.url.params["offset"] for each in pagerduty.requests] == ["0", str(PAGE)]
    assert MAX_PAGES > 1


@pytest.mark.parametrize("key", ["", "two\nlines", "größe", "x" * 300])
def test_a_secret_that_is_no_key_is_unknown_and_never_shown(pagerduty: PagerDuty, key: str) -> None:
    pagerduty.key = key
    for source in sources(pagerduty):
        check = one(source)
        assert check.status is CheckStatus.UNKNOWN
        assert not key or key not in check.reason
    assert pagerduty.requests == []


def test_a_secret_that_does_not_exist_is_unknown(pagerduty: PagerDuty) -> None:
    assert one(PagerDutyIncidents(pagerduty.api), asking(secret="other")).status is CheckStatus.UNKNOWN


@pytest.mark.parametrize("answer", UNCLEAR.values(), ids=UNCLEAR)
def test_the_key_appears_in_no_check(pagerduty: PagerDuty, answer: Answer) -> None:
    pagerduty.answer = answer
    assert all(KEY not in one(source).to_wire() for source in sources(pagerduty))


def test_where_the_policy_does_not_name_it_nobody_is_asked(pagerduty: PagerDuty) -> None:
    assert [source.look(make_question()) for source in sources(pagerduty)] == [(), (), ()]
    assert pagerduty.requests == []
    assert {name for source in sources(pagerduty) for name in source.checks} == {
        CheckName.INCIDENTS,
        CheckName.ON_CALL,
        CheckName.DEPLOYMENTS,
    }


MINUTES = st.integers(min_value=-20, max_value=30)
SHIFTS = st.lists(st.tuples(st.none() | MINUTES, st.none() | MINUTES), max_size=5)


@given(shifts=SHIFTS)
def test_a_window_has_no_gap_exactly_when_every_minute_of_it_is_covered(
    shifts: list[tuple[int | None, int | None]],
) -> None:
    def moment(minute: int | None) -> datetime | None:
        return None if minute is None else START + timedelta(minutes=minute)

    covered = {
        minute
        for minute in range(10)
        for begins, ends in shifts
        if (begins is None or begins <= minute) and (ends is None or minute < ends)
    }
    gap = first_gap([(moment(begins), moment(ends)) for begins, ends in shifts], START, END)
    assert gap == moment(min(set(range(10)) - covered, default=None))
