"""Data at rest and on its way: encrypted, private, TLS only, recoverable, and gone when its time is over."""

from typing import Any

import pytest

from tests.infra.templates import Assembly, text

pytestmark = pytest.mark.infra


def test_one_key_encrypts_and_rotates(assembly: Assembly) -> None:
    (key,) = assembly.resources("AWS::KMS::Key").values()
    assert key["Properties"]["EnableKeyRotation"] is True


def test_buckets_are_private_encrypted_and_tls_only(assembly: Assembly) -> None:
    buckets = assembly.resources("AWS::S3::Bucket")
    policies = assembly.resources("AWS::S3::BucketPolicy").values()
    for name, bucket in buckets.items():
        properties = bucket["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        (policy,) = [each for each in policies if each["Properties"]["Bucket"] == {"Ref": name}]
        assert _denies_plain_http(policy)
        (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        if not name.startswith("AccessLogs"):  # S3 delivers access logs only with its own encryption
            assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
            assert rule["BucketKeyEnabled"] is True


def test_queues_are_encrypted_tls_only_and_have_dead_letters(assembly: Assembly) -> None:
    queues = assembly.resources("AWS::SQS::Queue")
    policies = assembly.resources("AWS::SQS::QueuePolicy").values()
    assert len(queues) == 22
    for name, queue in queues.items():
        assert queue["Properties"]["KmsMasterKeyId"]
        (policy,) = [each for each in policies if {"Ref": name} in each["Properties"]["Queues"]]
        assert _denies_plain_http(policy)
    assert sum("RedrivePolicy" in queue["Properties"] for queue in queues.values()) == 11


def test_log_groups_end_and_are_encrypted_with_the_data_key_outside_laptops(assembly: Assembly) -> None:
    groups = assembly.resources("AWS::Logs::LogGroup")
    assert groups
    for name, group in groups.items():
        assert group["Properties"]["RetentionInDays"] in {7, 14, 30, 90}, name
        key = text(group["Properties"].get("KmsKeyId"))
        assert ("DataKey" in key) is (assembly.stage != "local"), name


def test_cloudwatch_logs_may_use_the_data_key_for_this_accounts_log_groups_only(assembly: Assembly) -> None:
    (key,) = assembly.resources("AWS::KMS::Key").values()
    statements = key["Properties"]["KeyPolicy"]["Statement"]
    found = [each for each in statements if "logs." in text(each["Principal"])]
    if assembly.stage == "local":
        assert found == []
        return
    (statement,) = found
    assert {"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"} <= set(statement["Action"])
    context = text(statement["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"])
    assert "AWS::AccountId" in context
    assert ":log-group:*" in context


def test_the_alarms_topic_is_encrypted_tls_only_and_open_to_alarms_of_this_account(
    prod: Assembly, local: Assembly
) -> None:
    topics, policies = prod.resources("AWS::SNS::Topic"), prod.resources("AWS::SNS::TopicPolicy")
    assert len(topics) == len(policies) == 2, "of alarms, and of experiments that people must know of"
    assert all("DataKey" in text(topic["Properties"]["KmsMasterKeyId"]) for topic in topics.values())
    assert all(map(_denies_plain_http, policies.values()))
    (policy,) = [each for name, each in policies.items() if name.startswith("Alarms")]
    (key,) = prod.resources("AWS::KMS::Key").values()
    for statements in (
        policy["Properties"]["PolicyDocument"]["Statement"],
        key["Properties"]["KeyPolicy"]["Statement"],
    ):
        (allowed,) = [each for each in statements if "cloudwatch.amazonaws.com" in text(each["Principal"])]
        assert "AWS::AccountId" in text(allowed["Condition"]["StringEquals"]["aws:SourceAccount"])
    assert [name for name in local.resources("AWS::SNS::Topic") if name.startswith("Alarms")] == []


def test_a_message_stays_hidden_for_six_times_its_consumers_time_limit(assembly: Assembly) -> None:
    queues = assembly.resources("AWS::SQS::Queue")
    functions = assembly.resources("AWS::Lambda::Function")
    for mapping in assembly.resources("AWS::Lambda::EventSourceMapping").values():
        arn = text(
            mapping["Properties"]["EventSourceArn"]
        )  # of this stack, or imported by a name that holds its own
        (queue,) = [each for name, each in queues.items() if name in arn]
        function = functions[mapping["Properties"]["FunctionName"]["Ref"]]
        assert queue["Properties"]["VisibilityTimeout"] >= 6 * function["Properties"]["Timeout"]


def test_tables_are_encrypted_expire_and_can_be_recovered_outside_laptops(assembly: Assembly) -> None:
    tables = assembly.resources("AWS::DynamoDB::Table")
    assert len(tables) == 5
    for table in tables.values():
        properties = table["Properties"]
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        assert properties["SSESpecification"]["SSEType"] == "KMS"
        assert properties["TimeToLiveSpecification"] == {"AttributeName": "expiresAt", "Enabled": True}
        recovery = properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert recovery is (assembly.stage != "local")


def test_indexes_are_those_of_the_data_model(assembly: Assembly) -> None:
    indexes = {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for table in assembly.resources("AWS::DynamoDB::Table").values()
        for index in table["Properties"].get("GlobalSecondaryIndexes", [])
    }
    assert indexes == {
        "by_team": ["teamKey", "createdKey"],
        "unfinished": ["unfinishedKey", "runKey"],
        "due": ["dueKey", "dueAt"],
    }


def test_run_objects_move_to_glacier_at_30_days_and_expire_at_90(assembly: Assembly) -> None:
    rules = _life_cycle(assembly, "Artifacts")
    by_prefix = [rule for rule in rules if "Prefix" in rule]
    expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in by_prefix if "ExpirationInDays" in rule}
    moving = {rule["Prefix"]: rule for rule in by_prefix if "Transitions" in rule}
    assert expiring == {"runs/": 90, "chaos/": 90}
    assert moving.keys() == {"runs/", "chaos/"}
    for move in moving.values():
        assert move["Transitions"] == [{"StorageClass": "GLACIER_IR", "TransitionInDays": 30}]
        assert int(move["ObjectSizeGreaterThan"]) == 1024 * 1024
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)
    assert any(rule.get("ExpirationInDays") == 90 for rule in _life_cycle(assembly, "Sources"))


def test_recordings_expire_before_reports_do(assembly: Assembly) -> None:
    rules = [rule for rule in _life_cycle(assembly, "Artifacts") if "TagFilters" in rule]
    assert [(rule["TagFilters"], rule["ExpirationInDays"]) for rule in rules] == [
        ([{"Key": "class", "Value": name}], days)
        for name, days in (("screenshot", 30), ("video", 30), ("trace", 30), ("archive", 7))
    ]
    assert not any("TagFilters" in rule for rule in _life_cycle(assembly, "Sources"))


def test_protected_stages_keep_their_data(prod: Assembly, local: Assembly) -> None:
    for kind in ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key"):
        assert {each["DeletionPolicy"] for each in prod.resources(kind).values()} == {"Retain"}
        assert {each["DeletionPolicy"] for each in local.resources(kind).values()} == {"Delete"}
    assert all(
        t["Properties"]["DeletionProtectionEnabled"] for t in prod.resources("AWS::DynamoDB::Table").values()
    )


def test_the_web_firewall_stands_before_every_stage_but_local(assembly: Assembly) -> None:
    associations = assembly.resources("AWS::WAFv2::WebACLAssociation")
    assert len(associations) == (0 if assembly.stage == "local" else 1)


def _life_cycle(assembly: Assembly, name: str) -> list[dict[str, Any]]:
    buckets = assembly.resources("AWS::S3::Bucket")
    (bucket,) = [each for logical, each in buckets.items() if logical.startswith(name)]
    rules: list[dict[str, Any]] = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    return rules


def _denies_plain_http(policy: dict[str, Any]) -> bool:
    return any(
        statement["Effect"] == "Deny" and '"aws:SecureTransport": "false"' in text(statement)
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    )
