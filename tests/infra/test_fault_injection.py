"""AWS FIS as the templates set it up: whom it reaches, what stops it, and who may have it inject."""

import pytest

from tests.infra.templates import Assembly, listed, text

pytestmark = pytest.mark.infra


def test_fis_hits_only_what_its_owner_has_tagged(prod: Assembly) -> None:
    (role,) = [name for name in prod.resources("AWS::IAM::Role") if name.startswith("FaultInjectionRole")]
    trust = prod.resources("AWS::IAM::Role")[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert "aws:SourceAccount" in text(trust)
    harmless = (
        "Describe",
        "Get",
        "List",
        "Put",
        "CreateLogDelivery",
        "InjectApi",
        "NetworkAcl",
        "CreateTags",
    )
    for statement in prod.statements_of(role):
        harmful = [each for each in listed(statement["Action"]) if not any(word in each for word in harmless)]
        if harmful or "subnet/" in text(statement["Resource"]):
            assert statement["Condition"]["StringEquals"]["aws:ResourceTag/crosswind:chaos"] == "allowed"
        elif set(listed(statement["Action"])) & {"ec2:DeleteNetworkAcl", "ec2:CreateTags"}:
            assert "managedByFIS" in text(statement["Condition"])


def test_templates_of_fis_fail_without_targets_and_stop_when_nobody_watches(prod: Assembly) -> None:
    templates = prod.resources("AWS::FIS::ExperimentTemplate")
    assert templates
    for name, template in templates.items():
        properties = template["Properties"]
        assert properties["ExperimentOptions"]["EmptyTargetResolutionMode"] == "fail", name
        (condition,) = properties["StopConditions"]
        assert "Unwatched" in text(condition["Value"]), name
        for target in properties["Targets"].values():
            assert target["ResourceTags"] == {"crosswind:chaos": "allowed"}, name
            assert target["SelectionMode"] == "COUNT(1)", name


def test_only_what_this_stage_made_is_started_stopped_or_read(prod: Assembly) -> None:
    """Another stage's experiments, and people's own, have another tag or none."""
    statements = [
        statement
        for name, statement in prod.all_statements()
        if any(each.startswith("fis:") for each in listed(statement["Action"]))
        and "FaultInjection" not in name
    ]
    for statement in statements:
        actions = set(listed(statement["Action"]))
        if actions & {"fis:StopExperiment", "fis:GetExperiment", "fis:DeleteExperimentTemplate"}:
            assert statement["Condition"] == {"StringEquals": {"aws:ResourceTag/crosswind:stage": "prod"}}
    assert statements


def test_there_is_no_fis_on_a_laptop(local: Assembly) -> None:
    assert not local.resources("AWS::FIS::ExperimentTemplate")
    assert not [name for name, each in local.all_statements() if "fis:" in text(each["Action"])]
