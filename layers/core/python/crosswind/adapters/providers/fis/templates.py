"""Experiment templates of AWS FIS, made from what is to be injected. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from crosswind.adapters.providers.fis.actions import POD, FisAction
from crosswind.chaos.model import Target
from crosswind.contracts.chaos.spec import TargetSelector
from crosswind.contracts.suites import Scalar

MAX_ARNS = 5  # that FIS takes in one target
MAX_PARALLEL = 10  # actions at once in an experiment
MAX_NAMED = MAX_ARNS * MAX_PARALLEL
_MINUTE = 60
_WHOLE = 100.0
_LONGEST_DESCRIPTION = 512
MARKER_TAG, STAGE_TAG, RUN_TAG = "crosswind:marker", "crosswind:stage", "crosswind:run"


@dataclass(frozen=True, slots=True, kw_only=True)
class FisSetup:
    """What every template of a deployment has: the role of FIS, where it logs, and which alarms stop it."""

    stage: str
    role_arn: str
    log_group_arn: str = ""
    stop_alarm_arns: tuple[str, ...] = ()


def named_targets(targets: Sequence[Target], kind: str) -> dict[str, dict[str, Any]]:
    """Exactly these resources, in groups as large as FIS takes them."""
    arns = [target.id for target in targets]
    groups = [arns[start : start + MAX_ARNS] for start in range(0, len(arns), MAX_ARNS)]
    return {
        f"chosen-{number}": {"resourceType": kind, "selectionMode": "ALL", "resourceArns": group}
        for number, group in enumerate(groups, 1)
    }


def matching_targets(selector: Mapping[str, Any], kind: str, *, mode: str) -> dict[str, dict[str, Any]]:
    """What a selector matches, all of it or as many as the mode tells; FIS picks."""
    fields = {
        "resourceArns": list(selector["arns"]),
        "resourceTags": dict(selector["tags"]),
        "parameters": dict(selector["parameters"]),
    }
    given = {name: value for name, value in fields.items() if value}
    return {"chosen-1": {"resourceType": kind, "selectionMode": mode, **given}}


def selector_values(selector: TargetSelector, kind: str) -> dict[str, Any]:
    """A selector as JSON values that `matching_targets` takes; stored with an injection."""
    parameters = dict(selector.parameters)
    if kind == POD and selector.namespace:
        parameters["namespace"] = selector.namespace
    return {"arns": list(selector.arns), "tags": dict(selector.tags), "parameters": parameters}


def template(
    setup: FisSetup,
    action: FisAction,
    *,
    token: str,
    description: str,
    targets: Mapping[str, Mapping[str, Any]],
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
) -> dict[str, Any]:
    """The request of CreateExperimentTemplate."""
    stops = [{"source": "aws:cloudwatch:alarm", "value": arn} for arn in setup.stop_alarm_arns]
    request: dict[str, Any] = {
        "clientToken": token,
        "description": description[:_LONGEST_DESCRIPTION],
        "roleArn": setup.role_arn,
        "stopConditions": stops or [{"source": "none"}],
        "targets": {name: dict(target) for name, target in targets.items()},
        "actions": {
            f"fault-{number}": {
                "actionId": action.id,
                "parameters": dict(parameters),
                "targets": {action.slot: name},
            }
            for number, name in enumerate(targets, 1)
        },
        "experimentOptions": {"accountTargeting": "single-account", "emptyTargetResolutionMode": "fail"},
        "tags": {STAGE_TAG: setup.stage, **tags},
    }
    if setup.log_group_arn:
        request["logConfiguration"] = {
            "logSchemaVersion": 2,
            "cloudWatchLogsConfiguration": {"logGroupArn": setup.log_group_arn},
        }
    return request


def action_parameters(
    action: FisAction, given: Mapping[str, Scalar], *, seconds: float, dose: float
) -> dict[str, str]:
    """All values as the texts that FIS takes; the dose scales what is told of the share."""
    values: dict[str, Scalar] = {
        each.name: each.default for each in action.parameters if each.default is not None
    }
    values |= given
    if action.dose is not None and dose < _WHOLE:
        share = float(values.get(action.dose) or _WHOLE)
        values[action.dose] = max(1, round(share * dose / _WHOLE))
    if action.duration is not None:
        values[action.duration] = iso_duration(seconds)
    return {name: _text(value) for name, value in values.items()}


def iso_duration(seconds: float) -> str:
    """`PT5M` or `PT90S`, rounded up to a whole second."""
    whole = ceil(seconds)
    return f"PT{whole // _MINUTE}M" if whole % _MINUTE == 0 else f"PT{whole}S"


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
