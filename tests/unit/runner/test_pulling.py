"""A shard that pulls its tests. Output: batches that are committed, their reports, and how the shard ends."""

from collections.abc import Iterator
from dataclasses import replace
from threading import Thread
from xml.etree import ElementTree as ET

import pytest

from crosswind.contracts.work import BatchResult, FailFast
from crosswind.kernel.errors import TooLargeError, WriteConflictError
from crosswind.runner.batches import MOST_INLINE_BYTES
from crosswind.runs import layout
from crosswind.runs.model import Lease, WorkKey, WorkState
from crosswind.runs.pulling.model import Batch, BatchState
from crosswind.runs.usecases import documents
from tests.fakes import START, make_work
from tests.unit.runner.rig import Rig, wait_until

FIXTURES = (
    "import pytest\n"
    "def note(word): open('notes', 'a').write(word + ' ')\n"
    "@pytest.fixture(scope='session', autouse=True)\n"
    "def whole():\n"
    "    note('session'); yield; note('/session')\n"
    "@pytest.fixture(scope='module', autouse=True)\n"
    "def module(request):\n"
    "    note(request.node.name); yield; note('/' + request.node.name)\n"
)
A = ("test_a.py::test_one", "test_a.py::test_two")
B = ("test_b.py::test_three",)
SUITE = {
    "conftest.py": FIXTURES,
    "test_a.py": "def test_one(): pass\ndef test_two(): print('said before'); assert 1 == 2\n",
    "test_b.py": "def test_three(): pass\n",
    "test_broken.py": "import nothing_of_this_name\n",
}


def batches(rig: Rig) -> list[Batch]:
    """All batches, in the order of the list."""
    return sorted(rig.pulls.batches, key=lambda batch: batch.number)


def records(rig: Rig) -> dict[str, str]:
    """What the committed batches report: the outcome of each test by its id."""
    found: dict[str, str] = {}
    for batch in batches(rig):
        assert batch.state is BatchState.DONE
        for name, outcome in _reported(rig, batch):
            assert name not in found
            found[name] = outcome
    return found


def _reported(rig: Rig, batch: Batch) -> Iterator[tuple[str, str]]:
    data = rig.artifacts.objects[layout.batch_result_key(batch)].data
    result = BatchResult.model_validate_json(data)
    uploaded = [rig.artifacts.objects[report.key].data.decode() for report in result.reports]
    for report in (*(report.text for report in result.inline), *uploaded):
        for case in ET.fromstring(report).iter("testcase"):  # noqa: S314  # our own
            node_id = case.find("properties/property[@name='crosswind.nodeid']")
            outcome = next((child.tag for child in case if child.tag != "properties"), "passed")
            yield str(case.get("name") if node_id is None else node_id.get("value")), outcome


def test_one_process_runs_every_batch_and_sets_up_what_is_shared_once(rig: Rig) -> None:
    order = rig.pull_shard(SUITE, A, B, artifacts=("notes",))
    work = rig.carry_out(order)
    result = rig.result()
    assert work.state is WorkState.DONE
    assert (result.exit_code, result.attempts, result.batches) == (1, 1, ("000-000000", "000-000001"))
    assert records(rig) == {A[0]: "passed", A[1]: "failure", B[0]: "passed"}
    assert [batch.failed for batch in batches(rig)] == [(A[1],), ()]
    (notes,) = result.artifacts
    assert rig.artifacts.objects[notes.key].data.decode().split() == [
        *("session", "test_a.py", "/test_a.py", "test_b.py", "/test_b.py", "/session")
    ]


def test_what_lies_outside_any_batch_is_reported_by_the_shard(rig: Rig) -> None:
    fixtures = FIXTURES.replace("note('/session')", "raise OSError('the database is gone')")
    rig.carry_out(rig.pull_shard(SUITE | {"conftest.py": fixtures}, B))
    ((report,),) = rig.result().reports
    text = rig.artifacts.objects[report.key].data.decode()
    assert records(rig) == {B[0]: "passed"}
    assert 'tests="1"' in text
    assert "the database is gone" in text
    assert rig.result().exit_code == 1


def test_failed_tests_of_every_batch_run_again_in_a_fresh_process(rig: Rig) -> None:
    suite = SUITE | {
        "test_b.py": "import pathlib\ndef test_three():\n    mark = pathlib.Path('mark'); first = not mark.exists(); mark.touch(); assert not first\n"
    }
    rig.carry_out(rig.pull_shard(suite, A, B, test_retries=1))
    result = rig.result()
    _, (second,) = result.reports
    text = rig.artifacts.objects[second.key].data.decode()
    assert (result.exit_code, result.attempts) == (1, 2)
    assert 'tests="2"' in text
    assert 'failures="1"' in text
    assert "Retry 1 of 1: 2 tests will run again." in rig.log()


def test_a_later_attempt_runs_again_what_failed_in_batches_of_an_earlier_one(rig: Rig) -> None:
    order = rig.pull_shard(SUITE, A, B, test_retries=1)
    message = rig.admit(order)
    earlier = rig.leasing.claim(WorkKey(message.run_id, message.work_id), attempt=1, runner_id="lost")
    assert earlier is not None
    assert order.pull is not None
    batch = rig.pulling.lease(earlier, rig.pulling.open_list(order.pull))
    assert batch is not None
    rig.pulling.commit(earlier, batch, failed=(A[1],))
    waiting = rig.leasing.hand_back(earlier)
    rig.works.save(waiting, replace(waiting, state=WorkState.ADMITTED))
    rig.agent.take(*rig.queue.messages.pop())
    result = rig.result()
    assert result.batches == ("000-000001",)
    assert (result.exit_code, result.attempts) == (1, 2)
    assert "Retry 1 of 1: 1 tests will run again." in rig.log()


def take_away(rig: Rig) -> None:
    """Let another runner hold the shard, beside a heartbeat that may write at the same time."""
    while True:
        held = rig.work()
        try:
            rig.works.save(held, replace(held, epoch=held.epoch + 1))
        except WriteConflictError:
            continue
        return


def test_a_runner_that_loses_its_lease_commits_no_batch(rig: Rig) -> None:
    unit = tuple(f"test_b.py::test_slow[{n}]" for n in range(100))
    slow = (
        "import pytest, time\n@pytest.mark.parametrize('n', range(100))\ndef test_slow(n): time.sleep(0.2)\n"
    )
    rig.admit(rig.pull_shard({"test_b.py": slow}, unit))  # progress makes it beat, and notice, at every tick
    thread = Thread(target=rig.agent.take, args=rig.queue.messages.pop())
    thread.start()
    wait_until(lambda: rig.pulls.batches)
    take_away(rig)
    thread.join(30)
    assert not thread.is_alive()
    assert [batch.state for batch in batches(rig)] == [BatchState.LEASED]


def test_a_runner_that_stops_gives_its_batch_back_with_its_shard(rig: Rig) -> None:
    suite = {"test_b.py": "import time\ndef test_three(): time.sleep(20)\n"}
    rig.admit(rig.pull_shard(suite, B))
    thread = Thread(target=rig.agent.take, args=rig.queue.messages.pop())
    thread.start()
    wait_until(lambda: rig.pulls.batches)
    rig.agent.stop()
    thread.join(30)
    assert rig.work().state is WorkState.WAITING
    assert batches(rig) == []


def test_a_batch_that_cannot_be_committed_costs_infrastructure_budget(rig: Rig) -> None:
    def refuse(*_: object, **__: object) -> Batch:
        raise TooLargeError("the table does not take it")

    rig.agent.open_session = replace(rig.agent.open_session, pulling=replace(rig.pulling, commit=refuse))
    work = rig.carry_out(rig.pull_shard(SUITE, A, B))
    assert work.state is WorkState.WAITING
    assert [failure.reason for failure in work.failures] == ["storage_unavailable"]
    assert batches(rig) == []


DEATHS = {
    "test_d.py": (
        "import os\n"
        "def test_before(): pass\n"
        "def test_failing(): assert 'pear' == 'plum'\n"
        "def test_dies(): os._exit({code})\n"
        "def test_after(): pass\n"
    )
}
D = tuple(f"test_d.py::test_{name}" for name in ("before", "failing", "dies", "after"))


@pytest.mark.parametrize("code", [0, 3])
def test_a_test_that_kills_its_process_is_an_error_and_the_others_go_on(rig: Rig, code: int) -> None:
    suite = {name: text.format(code=code) for name, text in DEATHS.items()} | {
        "test_b.py": SUITE["test_b.py"]
    }
    rig.carry_out(rig.pull_shard(suite, D, B))
    assert records(rig) == {
        **dict(zip(D, ("passed", "failure", "error", "passed"), strict=True)),
        B[0]: "passed",
    }
    assert batches(rig)[0].failed == (D[1], D[2])
    assert rig.result().exit_code == code
    assert "a fresh one goes on (1 of 5)" in rig.log()
    told = b"".join(stored.data for key, stored in rig.artifacts.objects.items() if "/batches/" in key)
    assert b"ended with exit status %d while this test ran" % code in told
    assert b"plum" in told


def test_a_suite_that_keeps_dying_ends_with_a_record_for_every_test_of_its_batch(rig: Rig) -> None:
    names = [f"test_{number}" for number in range(8)]
    suite = {"test_d.py": "import os\n" + "".join(f"def {name}(): os._exit(9)\n" for name in names)}
    ids = [f"test_d.py::{name}" for name in names]
    rig.carry_out(rig.pull_shard(suite, ids, B))
    assert records(rig) == dict.fromkeys(ids, "error")
    assert rig.result().exit_code == 9


def test_where_no_fresh_process_gets_ready_the_rest_of_the_batch_ends_as_errors(rig: Rig) -> None:
    suite = {name: text.format(code=3) for name, text in DEATHS.items()}
    suite["conftest.py"] = "import os\nif os.path.exists('mark'): os._exit(4)\nopen('mark', 'w').close()\n"
    rig.carry_out(rig.pull_shard(suite, D, B))
    assert records(rig) == dict(zip(D, ("passed", "failure", "error", "error"), strict=True))
    assert rig.result().exit_code == 4


def test_a_batch_of_which_nothing_has_begun_is_left_to_other_shards(rig: Rig) -> None:
    suite = SUITE | {"conftest.py": ("import os\ndef pytest_runtest_protocol(item):\n    os._exit(3)\n")}
    rig.carry_out(rig.pull_shard(suite, A, B))
    (batch,) = batches(rig)
    assert (batch.state, batch.number) == (BatchState.LEASED, 0)
    assert rig.result().exit_code == 3


def test_a_process_that_dies_between_two_batches_is_followed_by_another(rig: Rig) -> None:
    dies_once = (
        "import os, pathlib\n"
        "def pytest_runtest_protocol(item):\n"
        "    mark = pathlib.Path('mark')\n"
        "    if item.name == 'test_three' and not mark.exists():\n"
        "        mark.touch(); os._exit(3)\n"
    )
    rig.carry_out(rig.pull_shard(SUITE | {"conftest.py": dies_once}, A, B))
    assert records(rig) == {A[0]: "passed", A[1]: "failure", B[0]: "passed"}


def test_a_work_list_that_is_gone_is_an_order_that_cannot_be_read(rig: Rig) -> None:
    order = rig.pull_shard(SUITE, A)
    del rig.artifacts.objects["pull.json"]
    work = rig.carry_out(order)
    assert [failure.reason for failure in work.failures] == ["order_unreadable"]


def test_a_process_that_dies_before_it_is_ready_leases_nothing(rig: Rig) -> None:
    rig.carry_out(rig.pull_shard({"conftest.py": "import os; os._exit(7)", "test_b.py": ""}, B))
    assert batches(rig) == []
    assert (rig.result().exit_code, rig.result().reports) == (7, ((),))


def test_a_suite_that_cannot_be_collected_leases_nothing_and_tells_why(rig: Rig) -> None:
    rig.carry_out(rig.pull_shard({"test_b.py": "import nothing_of_this_name"}, B))
    ((report,),) = rig.result().reports
    assert batches(rig) == []
    assert rig.result().exit_code == 2
    assert b"nothing_of_this_name" in rig.artifacts.objects[report.key].data


def test_a_timeout_ends_the_open_batch_with_errors_and_keeps_those_before(rig: Rig) -> None:
    suite = SUITE | {"test_b.py": "import time\ndef test_three(): time.sleep(60)\ndef test_four(): pass\n"}
    rig.carry_out(rig.pull_shard(suite, A, (*B, "test_b.py::test_four"), timeout_seconds=3))
    assert rig.result().timed_out
    assert records(rig) == {
        A[0]: "passed",
        A[1]: "failure",
        B[0]: "error",
        "test_b.py::test_four": "error",
    }


def test_stopping_at_the_first_failure_ends_the_rest_of_the_batch_as_errors(rig: Rig) -> None:
    ids = [f"test_a.py::test_{name}" for name in ("two", "one")]
    rig.carry_out(rig.pull_shard(SUITE, ids, B, args=("-x",)))
    assert records(rig) == {ids[0]: "failure", ids[1]: "error"}
    assert len(batches(rig)) == 1


def test_a_failed_test_ends_the_other_shards_at_once_and_its_own_shard_in_order(rig: Rig) -> None:
    rig.carry_out(rig.pull_shard(SUITE, A, B, fail_fast=FailFast.JOB, artifacts=("notes",)))
    assert rig.ended == [("shard-00000", FailFast.JOB)]
    assert len(batches(rig)) == 1
    assert rig.result().exit_code == 1


def test_a_failed_test_in_quarantine_ends_nothing(rig: Rig) -> None:
    rig.carry_out(rig.pull_shard(SUITE, A, B, fail_fast=FailFast.JOB, muted=(A[1],)))
    assert rig.ended == []
    assert records(rig) == {A[0]: "passed", A[1]: "failure", B[0]: "passed"}


def test_tests_that_are_not_collected_are_told_of_and_left_without_a_record(rig: Rig) -> None:
    rig.carry_out(rig.pull_shard(SUITE, (*B, "test_b.py::test_gone")))
    assert records(rig) == {B[0]: "passed"}
    assert "1 tests of batch 1 were not collected: test_b.py::test_gone" in rig.log()


@pytest.mark.parametrize(
    ("args", "why"),
    [(("-n2",), "pytest-xdist hands out the tests itself"), (("-n0",), None)],
)
def test_where_one_process_cannot_run_all_each_batch_gets_its_own(
    rig: Rig, args: tuple[str, ...], why: str | None
) -> None:
    rig.carry_out(rig.pull_shard(SUITE, A, B, args=args))
    assert records(rig) == {A[0]: "passed", A[1]: "failure", B[0]: "passed"}
    assert rig.result().exit_code == 1
    assert ("Each batch gets a process of its own" in rig.log()) is (why is not None)
    assert why is None or why in rig.log()


@pytest.mark.parametrize(("said", "objects"), [(10, 1), (MOST_INLINE_BYTES, 2)])
def test_a_small_report_lies_in_the_result_and_a_large_one_beside_it(
    rig: Rig, said: int, objects: int
) -> None:
    suite = {"test_b.py": f"def test_three(): print('x' * {said}); assert False\n"}
    rig.carry_out(rig.pull_shard(suite, B))
    assert records(rig) == {B[0]: "failure"}
    (batch,) = batches(rig)
    prefix = layout.batch_prefix(batch)
    assert len([key for key in rig.uploaded() if key.startswith(prefix)]) == objects


def test_a_batch_that_a_process_of_its_own_cannot_collect_is_red_and_never_run_again(rig: Rig) -> None:
    suite = SUITE | {"test_b.py": "import nothing_of_this_name\n"}
    rig.carry_out(rig.pull_shard(suite, B, args=("-n1",), test_retries=1))
    assert records(rig)[B[0]] == "error"
    assert [batch.failed for batch in batches(rig)] == [()]
    assert rig.result().attempts == 1


def test_a_process_of_its_own_that_dies_costs_one_test_too(rig: Rig) -> None:
    suite = {name: text.format(code=3) for name, text in DEATHS.items()} | {"test_b.py": SUITE["test_b.py"]}
    rig.carry_out(rig.pull_shard(suite, D, B, args=("-n1", "--max-worker-restart=0")))
    found = records(rig)
    assert (found[D[0]], found[D[1]], found[D[3]], found[B[0]]) == ("passed", "failure", "error", "passed")
    assert set(batches(rig)[0].failed) == {D[1], D[2], D[3]}
    assert rig.result().exit_code != 0


def test_a_shard_that_comes_too_late_ends_without_a_batch(rig: Rig) -> None:
    order = rig.pull_shard(SUITE, B)
    assert order.pull is not None
    lease = Lease(runner_id="runner-2", started_at=START, expires_at=START)
    other = rig.works.save(None, make_work(1, state=WorkState.LEASED, epoch=1, lease=lease))
    rig.pulling.lease(other, rig.pulling.open_list(order.pull))
    message = rig.admit(order)
    rig.agent.take("receipt", message)
    work = rig.works.get(WorkKey(message.run_id, message.work_id))
    assert work is not None
    assert work.commit is not None
    assert work.commit.prefix is not None
    result = documents.read_result(rig.artifacts, work.commit.prefix)
    assert (result.exit_code, result.batches) == (0, ())
