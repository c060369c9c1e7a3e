"""Snapshots: a crash at any moment leaves a whole state, and large values are kept once."""

import asyncio
import json
import shutil
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from crosswind.local.emulator_environments import CROWD, MOST_MORE, share_layers, wait_for_environments
from crosswind.local.emulator_host import (
    INTERVAL_SECONDS,
    LARGE_VALUE_BYTES,
    SnapshotFolder,
    Snapshots,
    build_codec,
    check_alarms_in_their_group,
    check_batches_as_aws_does,
    match_keys_directly,
    read_expressions_once,
    share_in,
    with_throttling,
    write_snapshot,
)


def refuse(value: object) -> object:
    raise TypeError(type(value).__name__)


PERSISTENCE = SimpleNamespace(
    _json_default=refuse, _json_object_hook=lambda value: value, _state_format_version=lambda service: 2
)


def test_what_was_written_is_read_back_with_large_values_kept_once(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path)
    codec = build_codec(folder, PERSISTENCE)
    archive = b"x" * LARGE_VALUE_BYTES
    for _ in range(2):
        write_snapshot(folder, {"lambda": lambda: {"a": archive, "b": archive}}, codec)
    assert codec.load_state("lambda") == {"a": archive, "b": archive}
    assert len(list((tmp_path / "blobs").iterdir())) == 1
    assert (tmp_path / "CURRENT").read_text() == "2"


def test_only_the_newest_whole_snapshot_is_kept(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path)
    codec = build_codec(folder, PERSISTENCE)
    write_snapshot(folder, {"sqs": lambda: {"n": 1}}, codec)
    (tmp_path / "2").mkdir()  # as a child that was killed leaves it
    (tmp_path / "2" / "sqs.json").write_text("{half")
    assert codec.load_state("sqs") == {"n": 1}
    write_snapshot(folder, {"sqs": lambda: {"n": 3}}, codec)
    assert codec.load_state("sqs") == {"n": 3}
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.isdecimal()] == ["3"]


def test_an_empty_pointer_is_no_snapshot_and_the_next_one_mends_it(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path)
    codec = build_codec(folder, PERSISTENCE)
    (tmp_path / "CURRENT").touch()  # as a file system leaves it that kept the name and lost the content
    assert folder.current() is None
    assert codec.load_state("sqs") is None
    write_snapshot(folder, {"sqs": lambda: {"n": 1}}, codec)
    assert codec.load_state("sqs") == {"n": 1}


@pytest.mark.parametrize("first", ["earlier", "later"])
def test_of_two_snapshots_at_once_the_later_one_stays_whole(tmp_path: Path, first: str) -> None:
    folder = SnapshotFolder(tmp_path)
    codec = build_codec(folder, PERSISTENCE)
    write_snapshot(folder, {"sqs": lambda: {"n": 1}}, codec)
    earlier, later = folder.begin(), folder.begin()
    (later / "sqs.json").write_text(codec.encode_state("sqs", {"n": 3}))
    (earlier / "sqs.json").write_text(codec.encode_state("sqs", {"n": 2}))
    for snapshot in (earlier, later) if first == "earlier" else (later, earlier):
        folder.finish(snapshot)
    assert codec.load_state("sqs") == {"n": 3}
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.isdecimal()] == [later.name]


def test_a_stop_ends_the_snapshot_that_is_under_way(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path)
    slow = SimpleNamespace(_build_persistence_save_dict=lambda: {"sqs": lambda: time.sleep(25)})
    snapshots = Snapshots(folder, slow, build_codec(folder, PERSISTENCE))

    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(snapshots.run(), timeout=INTERVAL_SECONDS + 2))
    assert [entry.name for entry in tmp_path.glob("[0-9]*")] == ["1"], "it was under way"
    assert {child.pid for child in psutil.Process().children()} <= before
    assert folder.current() is None


def test_a_service_that_cannot_be_written_keeps_its_last_state(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = SnapshotFolder(tmp_path)
    codec = build_codec(folder, PERSISTENCE)
    write_snapshot(folder, {"sqs": lambda: {"n": 1}, "sns": lambda: {"m": 1}}, codec)
    write_snapshot(folder, {"sqs": lambda: {"n": object()}, "sns": lambda: {"m": 2}}, codec)
    assert codec.load_state("sqs") == {"n": 1}
    assert codec.load_state("sns") == {"m": 2}
    assert "sqs cannot be written" in capsys.readouterr().err


def test_a_service_without_state_is_left_out(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path)
    codec = build_codec(folder, PERSISTENCE)
    write_snapshot(folder, {"sqs": lambda: None}, codec)
    assert codec.load_state("sqs") is None


def test_the_pointer_names_a_folder_that_is_json(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path)
    write_snapshot(folder, {"sqs": lambda: {"n": 1}}, build_codec(folder, PERSISTENCE))
    current = folder.current()
    assert current is not None
    assert json.loads((current / "sqs.json").read_text())["__ministack_format__"] == 2


@pytest.mark.parametrize(
    ("named", "checked"),
    [
        ("sqs:SendMessageBatch", "sqs:SendMessage"),
        ("sqs:ReceiveMessage", "sqs:ReceiveMessage"),
        ("dynamodb:BatchGetItem", "dynamodb:BatchGetItem"),  # AWS has this one
        (None, None),
    ],
)
def test_a_batch_of_messages_needs_the_permission_of_one(named: str | None, checked: str | None) -> None:
    actions = SimpleNamespace(extract_iam_action=lambda service, *, body: named)
    check_batches_as_aws_does(actions)
    assert actions.extract_iam_action("sqs", body=b"") == checked


def test_invocations_of_one_function_wait_for_their_turn_and_a_dead_environment_gives_its_turn_back() -> None:
    busy: list[int] = []
    most = 0

    def acquire(function: str, number: int) -> tuple[object, str]:
        nonlocal most
        busy.append(number)
        most = max(most, len(busy))
        return object(), "spawn"

    service = SimpleNamespace(acquire_worker=acquire, release_worker=lambda worker: busy.pop())
    wait_for_environments(service, limit=2)

    def invoke(number: int) -> None:
        service.acquire_worker("plan_run", number)
        time.sleep(0.01)
        service.release_worker(None)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(invoke, range(8)))
    assert most == 2
    assert busy == []


def test_a_long_line_gets_a_few_more_environments_and_no_more() -> None:
    lock, busy, most = threading.Lock(), 0, 0

    def acquire(function: str) -> tuple[object, str]:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        return object(), "warm"

    def release(worker: object) -> None:
        nonlocal busy
        with lock:
            busy -= 1

    service = SimpleNamespace(acquire_worker=acquire, release_worker=release)
    wait_for_environments(service, limit=2)

    def invoke(_: int) -> None:
        worker, _how = service.acquire_worker("ingest_shard")
        time.sleep(0.01)
        service.release_worker(worker)

    callers = 10 * CROWD
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(invoke, range(callers)))
    assert most == 2 + MOST_MORE


@pytest.mark.parametrize(
    ("target", "chance", "answered"),
    [
        (b"DynamoDB_20120810.GetItem", 0.1, 400),
        (b"DynamoDB_20120810.GetItem", 0.9, 200),
        (b"AmazonSQS.SendMessage", 0.1, 200),
    ],
)
def test_a_share_of_the_calls_to_tables_is_refused(target: bytes, chance: float, answered: int) -> None:
    sent: list[dict[str, Any]] = []

    async def server(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    throttled = with_throttling(server, share=lambda: 0.5, chance=lambda: chance)

    async def call() -> None:
        await throttled({"type": "http", "headers": [(b"x-amz-target", target)]}, receive, send)

    asyncio.run(call())
    assert sent[0]["status"] == answered


def test_without_a_file_nothing_is_refused(tmp_path: Path) -> None:
    assert share_in(tmp_path / "throttling") == 0
    (tmp_path / "throttling").write_text("0.25")
    assert share_in(tmp_path / "throttling") == 0.25


@pytest.mark.parametrize(
    ("query", "body", "group"),
    [
        ({}, b'{"GroupName": "mine"}', "mine"),
        ({"groupName": "mine"}, b"", "mine"),
        ({"groupName": ["mine"]}, b"", "mine"),
        ({}, b"no json", "default"),
        ({}, b"", "default"),
    ],
)
def test_an_alarm_is_checked_in_its_group(query: dict[str, Any], body: bytes, group: str) -> None:
    actions = SimpleNamespace(
        extract_resource_arn=lambda *_: "arn:aws:scheduler:r:1:schedule/default/nightly"
    )
    check_alarms_in_their_group(actions)
    arn = actions.extract_resource_arn("scheduler", "PUT", "/schedules/nightly", {}, body, query, "r", "1")
    assert arn == f"arn:aws:scheduler:r:1:schedule/{group}/nightly"


def test_resources_of_other_services_stay_as_they_are() -> None:
    actions = SimpleNamespace(extract_resource_arn=lambda *_: "*")
    check_alarms_in_their_group(actions)
    assert actions.extract_resource_arn("sqs", "POST", "/", {}, b"", {}, "r", "1") == "*"


def test_an_expression_is_read_once_and_a_faulty_one_each_time() -> None:
    read: list[str] = []

    def tokenize(expression: str) -> list[str]:
        read.append(expression)
        if "?" in expression:
            raise ValueError(expression)
        return expression.split()

    dynamodb = SimpleNamespace(_tokenize=tokenize, _condition_syntax_error=lambda expression, slot: None)
    read_expressions_once(dynamodb)
    assert [dynamodb._tokenize("a = b") for _ in range(3)] == [["a", "=", "b"]] * 3
    for _ in range(2):
        with pytest.raises(ValueError, match="a ="):
            dynamodb._tokenize("a = ?")
    assert read == ["a = b", "a = ?", "a = ?"]


def test_keys_are_matched_without_the_interpreter_and_everything_else_with_it() -> None:
    asked: list[str] = []

    def evaluate(expression: str, item: object, values: object, names: object, slot: str) -> str:
        asked.append(f"{slot}: {expression}")
        return "interpreted"

    dynamodb = SimpleNamespace(_evaluate_condition=evaluate)
    match_keys_directly(dynamodb)
    item = {"pk": {"S": "RUN#1"}, "sk": {"S": "WORK#7#BEAT"}}
    both = "pk = :pk AND begins_with(sk, :prefix)"

    def told(expression: str, slot: str = "KeyConditionExpression", **values: str) -> object:
        named = {f":{name}": {"S": value} for name, value in values.items()}
        return dynamodb._evaluate_condition(expression, item, named, {}, slot=slot)

    assert [told(both, pk="RUN#1", prefix=prefix) for prefix in ("WORK#7", "WORK#8")] == [True, False]
    assert [told("pk = :pk", pk=pk) for pk in ("RUN#1", "RUN#2")] == [True, False]
    assert not asked

    assert (
        told(both, pk="RUN#1") == told(both, slot="FilterExpression") == told("pk = :other") == "interpreted"
    )
    assert len(asked) == 3


def test_a_layer_is_unpacked_once_and_every_environment_sees_it(tmp_path: Path) -> None:
    runtime = SimpleNamespace()
    share_layers(runtime, tmp_path / "layers")
    for number in range(2):
        environment = tmp_path / f"environment-{number}"
        archive = environment / "layer_0.zip"
        target = environment / "layer_0"
        target.mkdir(parents=True)
        with zipfile.ZipFile(archive, "w") as made:
            made.writestr(zipfile.ZipInfo("python/one.py", (2026, 1, 1, 0, 0, 0)), "ONE = 1")
        with runtime.zipfile.ZipFile(archive) as opened:
            assert opened.namelist() == ([] if number else ["python/one.py"])
            opened.extractall(target)
        assert (target / "python" / "one.py").read_text() == "ONE = 1"
    assert len(list((tmp_path / "layers").iterdir())) == 1
    shutil.rmtree(tmp_path / "environment-0")
    assert (tmp_path / "environment-1" / "layer_0" / "python" / "one.py").exists()


def test_what_is_no_layer_is_unpacked_where_it_was_asked_for(tmp_path: Path) -> None:
    runtime = SimpleNamespace()
    share_layers(runtime, tmp_path / "layers")
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as made:
        made.writestr("one.py", "ONE = 1")
    with runtime.zipfile.ZipFile(tmp_path / "code.zip") as opened:
        assert opened.namelist() == ["one.py"]
        opened.extractall(tmp_path / "code")
    assert not (tmp_path / "code").is_symlink()
    assert (tmp_path / "code" / "one.py").exists()
