"""PagerDuty's REST API v2 as a source of incidents, of who is on call, and of changes.

Whatever is no clear answer (401, 402, 403, 429, 5xx, no answer, another shape, more pages than are read) is unknown.
The API key is read from the deployment's secrets at each question and appears in no reason and no evidence.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crosswind.adapters.http import HttpPeer
from crosswind.chaos.findings import Findings
from crosswind.chaos.gate import PAGERDUTY
from crosswind.chaos.ports import Question
from crosswind.contracts.chaos.gate import CheckName, GateCheck, PagerDutySource
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel.clock import from_iso, to_iso
from crosswind.kernel.errors import CrosswindError

ADDRESSES = {"us": "https://api.pagerduty.com", "eu": "https://api.eu.pagerduty.com"}
PAGE = 100  # the most that PagerDuty gives
MAX_PAGES = 5
SECONDS = 6.0  # for all pages of one question; the gate waits for 8

_OK = 200
_SHOWN = 5
_KEY = re.compile(r"[\x21-\x7e]{1,256}")

Row = Mapping[str, Any]
OpenPeer = Callable[[str, Mapping[str, str]], HttpPeer]


class NoAnswerError(CrosswindError):
    """PagerDuty said nothing that can be relied on."""


def open_peer(base_url: str, headers: Mapping[str, str]) -> HttpPeer:
    """PagerDuty over the network."""
    return HttpPeer(name=PAGERDUTY, base_url=base_url, headers=headers, seconds=SECONDS / 2, tries=2)


@dataclass(frozen=True)
class PagerDutyApi:
    """Reads lists. `secret` gives the text of one of the deployment's secrets by its name."""

    secret: Callable[[str], str]
    open: OpenPeer = open_peer

    def rows(self, source: PagerDutySource, path: str, name: str, params: Mapping[str, Any]) -> list[Row]:
        """Every row of a list. Raises NoAnswerError, ThrottledError, DependencyError, NotFoundError (no such secret)."""
        key = self.secret(source.secret).strip()
        if not _KEY.fullmatch(key):
            raise NoAnswerError(f"secret {source.secret} holds no API key")
        peer = self.open(
            ADDRESSES[source.region],
            {
                "Authorization": f"Token token={key}",
                "Accept": "application/vnd.pagerduty+json;version=2",
                "Content-Type": "application/json",
            },
        )
        found: list[Row] = []
        for page in range(MAX_PAGES):
            answer = peer.call("GET", path, params={**params, "limit": PAGE, "offset": page * PAGE})
            if answer.status != _OK:
                raise NoAnswerError(
                    f"pagerduty answered {answer.status} to {path}: {_message(answer.json())}"
                )
            rows, more = _page(answer.json(), path, name)
            found += rows
            if not more:
                return found
        raise NoAnswerError(f"pagerduty has more than {MAX_PAGES * PAGE} rows at {path}")


@dataclass(frozen=True)
class PagerDutyIncidents:
    """No incident is triggered or acknowledged."""

    api: PagerDutyApi
    name: str = PAGERDUTY
    checks: tuple[CheckName, ...] = (CheckName.INCIDENTS,)

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        source = question.policy.pagerduty
        if source is None:
            return ()
        findings = Findings(self.name, question)
        params: dict[str, Any] = {
            "statuses[]": ["triggered", "acknowledged"],
            "date_range": "all",  # otherwise what has been open for a month is missed
        }
        if source.services:
            params["service_ids[]"] = list(source.services)
        try:
            rows = self.api.rows(source, "/incidents", "incidents", params)
        except CrosswindError as error:
            return (findings.unknown(CheckName.INCIDENTS, str(error)),)
        where = f"of {len(source.services)} services" if source.services else "of all services"
        if not rows:
            return (findings.passed(CheckName.INCIDENTS, f"no incident {where} is open"),)
        return (
            findings.failed(
                CheckName.INCIDENTS,
                f"{len(rows)} open {where}",
                evidence=_listed(rows, "id", "incident_number", "status", "urgency", "title", "created_at"),
            ),
        )


@dataclass(frozen=True)
class PagerDutyOnCall:
    """Somebody is on call at the first level of every escalation policy, without a gap, until the recovery is over."""

    api: PagerDutyApi
    name: str = PAGERDUTY
    checks: tuple[CheckName, ...] = (CheckName.ON_CALL,)

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        source = question.policy.pagerduty
        if source is None or not question.policy.on_call_required:
            return ()
        findings = Findings(self.name, question)
        if not source.escalation_policies:
            return (findings.unknown(CheckName.ON_CALL, "the policy names no escalation policy"),)
        end = max(question.window_end, question.now + timedelta(seconds=1))
        params = {
            "escalation_policy_ids[]": list(source.escalation_policies),
            "since": to_iso(question.now),
            "until": to_iso(end),
        }
        try:
            rows = self.api.rows(source, "/oncalls", "oncalls", params)
            gaps = [
                f"{policy} from {to_iso(gap)}"
                for policy in source.escalation_policies
                if (gap := first_gap(_shifts(rows, policy), question.now, end)) is not None
            ]
        except (CrosswindError, ValueError) as error:
            return (findings.unknown(CheckName.ON_CALL, str(error)),)
        evidence = "; ".join(
            f"{_at(row, 'escalation_policy', 'id')}: {_at(row, 'user', 'summary') or _at(row, 'user', 'id')}"
            f" {row.get('start') or '…'} to {row.get('end') or '…'}"
            for row in rows
            if row.get("escalation_level") == 1
        )
        if gaps:
            reason = f"nobody is on call at level 1 of {', '.join(gaps)} (needed until {to_iso(end)})"
            return (findings.failed(CheckName.ON_CALL, reason, evidence=evidence),)
        return (
            findings.passed(CheckName.ON_CALL, f"somebody is on call until {to_iso(end)}", evidence=evidence),
        )


@dataclass(frozen=True)
class PagerDutyChanges:
    """No change event in the quiet time."""

    api: PagerDutyApi
    name: str = PAGERDUTY
    checks: tuple[CheckName, ...] = (CheckName.DEPLOYMENTS,)

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        source = question.policy.pagerduty
        if source is None:
            return ()
        findings = Findings(self.name, question)
        quiet = timedelta(seconds=duration_seconds(question.policy.deployment_quiet))
        params = {"since": to_iso(question.now - quiet), "until": to_iso(question.now)}
        try:
            rows = self.api.rows(source, "/change_events", "change_events", params)
            known = [row for row in rows if _concerns(row, source.services)]
            last = max((from_iso(str(row["timestamp"])) for row in known), default=None)
        except (CrosswindError, ValueError, KeyError) as error:
            return (findings.unknown(CheckName.DEPLOYMENTS, f"change events cannot be read: {error}"),)
        within = f"in the last {question.policy.deployment_quiet}"
        if last is None:
            return (findings.passed(CheckName.DEPLOYMENTS, f"no change event {within}"),)
        return (
            findings.failed(
                CheckName.DEPLOYMENTS,
                f"{len(known)} change events {within}",
                evidence=_listed(known, "timestamp", "source", "summary"),
                until=last + quiet,
            ),
        )


Shift = tuple[datetime | None, datetime | None]


def first_gap(shifts: Iterable[Shift], start: datetime, end: datetime) -> datetime | None:
    """The first moment of [start, end) that no shift covers; None as an end of a shift means: without end."""
    covered = start
    for begins, ends in sorted(shifts, key=lambda shift: (shift[0] is not None, shift[0] or start)):
        if begins is not None and begins > covered:
            return covered
        if ends is None:
            return None
        covered = max(covered, ends)
        if covered >= end:
            return None
    return covered if covered < end else None


def _shifts(rows: Iterable[Row], policy: str) -> list[Shift]:
    return [
        (_moment(row.get("start")), _moment(row.get("end")))
        for row in rows
        if row.get("escalation_level") == 1
        and _at(row, "escalation_policy", "id") == policy
        and _at(row, "user", "id")
    ]


def _moment(text: object) -> datetime | None:
    return None if text is None else from_iso(str(text))


def _concerns(row: Row, services: tuple[str, ...]) -> bool:
    """A change that names no service may be of any."""
    named = {each.get("id") for each in row.get("services") or () if isinstance(each, Mapping)}
    return not services or not named or not named.isdisjoint(services)


def _page(document: Any, path: str, name: str) -> tuple[list[Row], bool]:
    rows = document.get(name) if isinstance(document, dict) else None
    more = document.get("more", False) if isinstance(document, dict) else None
    if (
        not isinstance(rows, list)
        or not all(isinstance(row, dict) for row in rows)
        or not isinstance(more, bool)
    ):
        raise NoAnswerError(f"pagerduty's answer to {path} has another shape")
    return rows, more


def _at(row: Row, outer: str, inner: str) -> str:
    value = row.get(outer)
    return str(value.get(inner) or "") if isinstance(value, Mapping) else ""


def _message(document: Any) -> str:
    error = document.get("error") if isinstance(document, dict) else None
    return str(error.get("message", ""))[:200] if isinstance(error, dict) else ""


def _listed(rows: list[Row], *names: str) -> str:
    lines = [", ".join(f"{name} {row[name]}" for name in names if row.get(name)) for row in rows[:_SHOWN]]
    more = f"; and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return "; ".join(lines) + more
