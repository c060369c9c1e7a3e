"""The checks that need nobody else."""

from datetime import timedelta
from typing import Any

import pytest

from crosswind.chaos.checks import Subject, pure_checks
from crosswind.chaos.own_evidence import OverlapEvidence
from crosswind.contracts.chaos.gate import CheckName, CheckStatus, GateCheck, PolicySpec
from crosswind.contracts.chaos.lifecycle import RevisionState
from tests.fakes import START
from tests.unit.chaos.gate.world import (
    LOCAL,
    RUN_ID,
    Runs,
    count,
    make_approval,
    make_question,
    make_revision,
    make_spec,
    make_target,
    policy,
    resolved,
)


def looked(name: CheckName, policy: PolicySpec = LOCAL, **changes: Any) -> GateCheck:
    values: dict[str, Any] = {
        "team": "demo",
        "revision": make_revision(),
        "spec": make_spec(),
        "resolved": resolved(),
        "unresolved": "toxiproxy does not answer",
    }
    question = make_question(policy)
    checks = pure_checks(Subject(**{**values, **changes}), question, count)
    (found,) = [each for each in checks if each.name is name]
    return found


def test_enough_approvals_pass_with_who_gave_them() -> None:
    check = looked(CheckName.APPROVALS)
    assert check.status is CheckStatus.PASS
    assert check.reason == "1 of 1 approvals count: grace"


def test_too_few_approvals_cannot_be_waited_for() -> None:
    check = looked(CheckName.APPROVALS, spec=make_spec(risk="high"))
    assert (check.status, check.fatal) == (CheckStatus.FAIL, True)
    assert check.reason.startswith("1 of 2")


def test_expired_approvals_do_not_count() -> None:
    check = looked(CheckName.APPROVALS, revision=make_revision(make_approval(expires_at=START)))
    assert (check.status, check.fatal) == (CheckStatus.FAIL, True)


def test_targets_that_were_not_approved_void_the_approvals_until_they_are_gone() -> None:
    grown = resolved(make_target(), make_target("orders"))
    check = looked(CheckName.APPROVALS, resolved=grown)
    assert (check.status, check.fatal) == (CheckStatus.FAIL, False)
    assert "toxiproxy:orders" in check.reason


def test_fewer_targets_than_were_approved_are_approved() -> None:
    both = make_approval(target_ids=("toxiproxy:orders", "toxiproxy:payments"))
    assert looked(CheckName.APPROVALS, revision=make_revision(both)).status is CheckStatus.PASS


@pytest.mark.parametrize("state", [RevisionState.DRAFT, RevisionState.UNDER_REVIEW])
def test_a_revision_that_is_not_approved_never_passes(state: RevisionState) -> None:
    check = looked(CheckName.APPROVALS, revision=make_revision(state=state))
    assert (check.status, check.fatal) == (CheckStatus.FAIL, True)


def test_an_edit_voids_the_approvals_of_the_revision_before_it() -> None:
    check = looked(CheckName.APPROVALS, superseded="revision 2 replaced revision 1")
    assert (check.status, check.fatal) == (CheckStatus.FAIL, True)
    assert check.reason == "revision 2 replaced revision 1"


@pytest.mark.parametrize("name", [CheckName.APPROVALS, CheckName.TARGETS])
def test_targets_that_cannot_be_resolved_leave_it_unknown(name: CheckName) -> None:
    check = looked(name, resolved=None)
    assert check.status is CheckStatus.UNKNOWN
    assert "toxiproxy does not answer" in check.reason


def test_overlap_is_unknown_as_long_as_the_targets_are() -> None:
    (check,) = OverlapEvidence(Runs(), None).look(make_question())
    assert check.status is CheckStatus.UNKNOWN


def test_targets_within_the_blast_radius_pass() -> None:
    check = looked(CheckName.TARGETS)
    assert check.status is CheckStatus.PASS
    assert check.evidence == "toxiproxy:payments"


@pytest.mark.parametrize(
    "found",
    [
        (),
        resolved(make_target(), make_target("orders")),  # the radius is one target
        resolved(make_target(namespace="kube-system")),
    ],
)
def test_targets_beyond_the_blast_radius_or_none_fail(found: Any) -> None:
    assert looked(CheckName.TARGETS, resolved=found).status is CheckStatus.FAIL


def test_the_share_of_what_was_planned_is_not_judged_again() -> None:
    spec = make_spec(blastRadius={"maxTargets": 1, "maxPercent": 50})
    assert looked(CheckName.TARGETS, spec=spec).status is CheckStatus.FAIL
    assert looked(CheckName.TARGETS, spec=spec, planned=True).status is CheckStatus.PASS


def test_a_provider_that_the_policy_does_not_name_cannot_be_waited_for() -> None:
    check = looked(CheckName.ENVIRONMENT, policy(providers=("fis",)))
    assert (check.status, check.fatal) == (CheckStatus.FAIL, True)
    assert "toxiproxy" in check.reason


def test_a_freeze_fails_until_it_is_over() -> None:
    freeze = {"name": "sale", "start": "2026-01-31T00:00:00Z", "end": "2026-02-01T00:00:00Z"}
    check = looked(CheckName.CALENDAR, policy(freezes=(freeze,)))
    assert (check.status, check.until) == (CheckStatus.FAIL, "2026-02-01T00:00:00.000Z")


def test_a_run_that_never_fits_into_the_hours_cannot_be_waited_for() -> None:
    hours = {"timezone": "UTC", "start": "09:00", "end": "09:05"}
    check = looked(CheckName.CALENDAR, policy(business_hours=hours))
    assert (check.status, check.fatal) == (CheckStatus.FAIL, True)


def test_a_calendar_that_cannot_be_read_is_unknown() -> None:
    check = looked(CheckName.CALENDAR, policy(business_hours={"timezone": "Mars/Phobos"}))
    assert check.status is CheckStatus.UNKNOWN


@pytest.mark.parametrize(
    ("name", "required"),
    [(CheckName.INCIDENTS, "incidents_required"), (CheckName.ON_CALL, "on_call_required")],
)
def test_what_is_required_and_has_no_source_is_unknown(name: CheckName, required: str) -> None:
    assert looked(name, policy(**{required: True})).status is CheckStatus.UNKNOWN


@pytest.mark.parametrize("name", [CheckName.ON_CALL, CheckName.SLO])
def test_what_is_not_configured_passes_and_says_so(name: CheckName) -> None:
    check = looked(name)
    assert check.status is CheckStatus.PASS
    assert "policy" in check.reason


def test_a_run_does_not_overlap_with_itself() -> None:
    runs = Runs()
    runs.hold("toxiproxy:payments", RUN_ID)
    (check,) = OverlapEvidence(runs, ("toxiproxy:payments",)).look(make_question())
    assert check.status is CheckStatus.PASS


def test_another_run_s_hold_fails_and_an_unproven_recovery_is_told() -> None:
    runs = Runs()
    runs.hold("toxiproxy:payments", "exp-other", unverified=True)
    (check,) = OverlapEvidence(runs, ("toxiproxy:payments",)).look(make_question())
    assert check.status is CheckStatus.FAIL
    assert check.reason == "1 held: toxiproxy:payments by exp-other (its recovery is not proven)"


def test_long_reasons_and_evidence_are_cut() -> None:
    many = tuple(make_target(f"proxy-{number}-{'x' * 200}") for number in range(40))
    check = looked(CheckName.TARGETS, resolved=resolved(*many))
    assert len(check.reason) <= 1000
    assert check.evidence is not None
    assert len(check.evidence) <= 4000
    assert START + timedelta(seconds=check.ttl_seconds) > START
