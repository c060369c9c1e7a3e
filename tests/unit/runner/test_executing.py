"""A shard from its message to its commit."""

import json
import sys
import tarfile
from pathlib import Path

import pytest

from crosswind.contracts.work import ArchiveRef, DispatchMessage, WorkOutcome
from crosswind.runner.archives import ArchiveLimits
from crosswind.runs.model import WorkState
from tests.unit.runner.rig import Rig, tar_gz

SUITE = {
    "tests/test_shop.py": (
        "import pathlib, pytest\n"
        "@pytest.mark.parametrize('word', ['a/b', 'x::y', 'ü[1]', ' '])\n"
        "def test_words(word): assert word\n"
        "def test_fails(): print('seen before'); assert 1 == 2\n"
        "def test_second_time():\n"
        "    mark = pathlib.Path('mark')\n"
        "    first = not mark.exists()\n"
        "    mark.touch()\n"
        "    assert not first\n"
    ),
    "tests/test_broken.py": "import nothing_of_this_name\n",
}


def test_a_command_runs_and_its_reports_artifacts_log_and_result_are_uploaded(rig: Rig) -> None:
    order = rig.shard(
        {
            "run.sh": "echo shard $CROSSWIND_SHARD_INDEX of $CROSSWIND_SHARD_COUNT; mkdir out; echo '<testsuite/>' > out/r.xml; echo png > out/a.png; exit 3"
        },
        command="sh run.sh",
        shard_index=1,
        shard_count=4,
        reports=("out/*.xml",),
        artifacts=("out/*.png",),
    )
    work = rig.carry_out(order)
    assert work.state is WorkState.DONE
    assert work.commit is not None
    assert work.commit.outcome is WorkOutcome.COMPLETED
    assert rig.tokens.answers["token-0"].outcome is WorkOutcome.COMPLETED
    assert rig.queue.deleted == ["receipt-0"]
    result = rig.result()
    assert result.exit_code == 3
    ((report,),) = result.reports
    assert (report.path, report.content_type) == ("out/r.xml", "application/xml")
    assert rig.artifacts.objects[report.key].data == b"<testsuite/>\n"
    assert [artifact.path for artifact in result.artifacts] == ["out/a.png"]
    assert "shard 1 of 4" in rig.log()
    assert result.log_bytes == len(rig.log())
    assert not list(rig.folder.glob("attempts/*/*"))


def test_what_the_tests_used_is_in_the_result_and_its_course_beside_the_log(rig: Rig) -> None:
    rig.carry_out(rig.shard({}, command="sleep 1.3"))
    use = rig.result().use
    assert use is not None
    assert use.source == "processes"
    assert use.samples == 1
    assert use.memory_max_mib > 0
    assert use.series is not None
    stored = rig.artifacts.objects[use.series.key].data
    assert len(stored) == use.series.size
    assert json.loads(stored)["memoryMib"] == use.memory_max_mib


def test_a_command_that_ends_at_once_has_used_nothing_that_was_seen(rig: Rig) -> None:
    rig.carry_out(rig.shard({}, command="true"))
    assert rig.result().use is None


def test_an_old_report_in_the_archive_is_no_evidence(rig: Rig) -> None:
    rig.carry_out(rig.shard({"old.xml": "<testsuite/>"}, command="true", reports=("*.xml",)))
    result = rig.result()
    assert result.reports == ((),)
    assert result.dropped == ("old.xml: it was there before and this attempt has not written it",)


def test_no_number_of_old_reports_makes_one_of_them_evidence_or_a_loss(rig: Rig) -> None:
    old = {f"{number:04d}.xml": "<testsuite/>" for number in range(2100)}
    rig.carry_out(rig.shard(old, command="echo '<testsuite/>' > new.xml", reports=("*.xml",)))
    result = rig.result()
    assert [report.path for report in result.reports[0]] == ["new.xml"]
    assert result.lost_reports == ()
    assert result.dropped[-1] == "and more"


def test_what_tests_leave_in_the_runners_way_does_not_hold_it_up(rig: Rig) -> None:
    nest = "import os\nfor _ in range(1200): os.mkdir('dd'); os.chdir('dd')\n"
    command = f'ln -s loop loop; mkdir locked; touch locked/x; chmod 0 locked; {sys.executable} -c "{nest}"'
    work = rig.carry_out(rig.shard({}, command=command, artifacts=("lo*", "dd")))
    assert work.state is WorkState.DONE
    assert work.failures == ()
    assert rig.result().exit_code == 0
    assert rig.result().dropped[-1] == "loop: it is a link that leads to itself"
    assert not list(rig.folder.glob("attempts/*/*"))


def test_pytest_runs_the_selection_only_and_retries_only_what_failed(rig: Rig) -> None:
    selection = tuple(
        f"tests/test_shop.py::{name}"
        for name in ("test_words[a/b]", "test_words[ ]", "test_fails", "test_second_time", "test_gone")
    )
    rig.carry_out(rig.shard(SUITE, framework="pytest", selection=selection, test_retries=2))
    result = rig.result()
    first, second, third = (rig.artifacts.objects[run[0].key].data.decode() for run in result.reports)
    assert result.exit_code == 1
    assert result.attempts == 3
    assert 'value="tests/test_shop.py::test_words[a/b]"' in first
    assert 'tests="4"' in first
    assert "seen before" in first
    assert 'tests="2"' in second
    assert 'tests="1"' in third
    assert "1 selected tests were not collected: tests/test_shop.py::test_gone" in rig.log()
    assert rig.work().progress.tests_done in {0, 4}


def test_what_cannot_be_collected_is_never_run_again(rig: Rig) -> None:
    order = rig.shard(SUITE, framework="pytest", selection=("tests/test_broken.py::test_it",), test_retries=2)
    rig.carry_out(order)
    assert (rig.result().exit_code, rig.result().attempts) == (2, 1)
    assert "Retry" not in rig.log()


def test_secrets_reach_the_tests_and_not_the_log(rig: Rig) -> None:
    order = rig.shard(
        {},
        command='test "$API" = s3cret-value && echo "it is $API" && printf "s3cret"; sleep 0.2; printf -- "-value\\n"',
        secret_refs={"API": "token"},
    )
    rig.carry_out(order)
    assert "it is ***\n***\n" in rig.log()
    assert all(b"s3cret-value" not in rig.artifacts.objects[key].data for key in rig.uploaded())


def test_a_timeout_and_its_log_are_told(rig: Rig) -> None:
    rig.carry_out(rig.shard({}, command="echo begun; sleep 30", timeout_seconds=1))
    result = rig.result()
    assert (result.exit_code, result.timed_out) == (None, True)
    assert "begun" in rig.log()
    assert "reached its timeout of 1 s" in rig.log()


def test_a_missing_program_is_told_as_a_shell_does(rig: Rig) -> None:
    rig.carry_out(rig.shard({}, command="no-such-program"))
    assert rig.result().exit_code == 127


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (ArchiveRef(key="sources/none", digest="sha256:" + "0" * 64, size=1), "archive_missing"),
        (None, "archive_corrupt"),
    ],
)
def test_an_archive_that_cannot_be_had_costs_infrastructure_budget(
    rig: Rig, archive: ArchiveRef | None, reason: str
) -> None:
    if archive is None:
        archive = rig.store_archive(tar_gz({"a": "b"}))
        rig.sources.put(archive.key, b"x" * archive.size)
    work = rig.carry_out(rig.shard(archive, command="true"))
    assert work.state is WorkState.WAITING
    assert work.attempt == 2
    assert [failure.reason for failure in work.failures] == [reason]


def _link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def _special(name: str, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    return entry


def _extended(name: str, target: str) -> tarfile.TarInfo:
    entry = _link(name, "a")
    entry.pax_headers = {"linkpath": target}
    return entry


HOSTILE = {
    "zip slip": tar_gz({"../outside": "x"}),
    "inner zip slip": tar_gz({"a/../../outside": "x"}),
    "absolute": tar_gz({"/tmp/outside": "x"}),
    "link out": tar_gz({}, _link("out", "../..")),
    "absolute link": tar_gz({}, _link("passwd", "/etc/passwd")),
    "link through a link": tar_gz(
        {}, _special("d", tarfile.DIRTYPE), _link("d/up", ".."), _link("x", "d/up/..")
    ),
    "write through a link": tar_gz(
        {}, _special("d", tarfile.DIRTYPE), _link("l", "d"), _special("l/x", tarfile.DIRTYPE)
    ),
    "hard link out": tar_gz({}, _link("shadow", "../../etc/shadow", tarfile.LNKTYPE)),
    "link with a null byte": tar_gz({}, _extended("null", "a\0b")),
    "name of absurd length": tar_gz({"x" * 300: ""}),
    "folders of absurd depth": tar_gz({"d/" * 3000 + "x": ""}),
    "device": tar_gz({}, _special("null", tarfile.CHRTYPE)),
    "pipe": tar_gz({}, _special("pipe", tarfile.FIFOTYPE)),
    "not an archive": b"PK\x03\x04",
    "truncated": tar_gz({"a": "b" * 100_000})[:-40],
    "too many entries": tar_gz({str(number): "" for number in range(101)}),
    "bomb": tar_gz({"big": "0" * 2_000_000}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_nothing_is_run_or_written_outside(name: str, rig: Rig) -> None:
    limits = ArchiveLimits(packed_bytes=10**6, unpacked_bytes=10**6, entries=100)
    rig = Rig(rig.folder, limits=limits)
    work = rig.carry_out(rig.shard(rig.store_archive(HOSTILE[name]), command="true"))
    assert [failure.reason for failure in work.failures] == ["archive_refused"]
    assert not rig.uploaded()
    assert {path.name for path in rig.folder.iterdir()} == {"attempts", "cache"}
    assert not list(rig.folder.glob("attempts/*/*"))


def test_a_stale_message_is_dropped(rig: Rig) -> None:
    message = rig.admit(rig.shard({}, command="true"))
    rig.agent.take("receipt", DispatchMessage(run_id=message.run_id, work_id=message.work_id, attempt=2))
    assert rig.queue.deleted == ["receipt"]
    assert rig.work().state is WorkState.ADMITTED


def test_a_missing_secret_is_told(rig: Rig) -> None:
    work = rig.carry_out(rig.shard({}, command="true", secret_refs={"API": "unknown"}))
    assert [failure.reason for failure in work.failures] == ["secret_missing"]


def test_an_unreadable_order_costs_infrastructure_budget(rig: Rig) -> None:
    rig.admit(rig.shard({}, command="true"))
    rig.artifacts.put("0-orders.jsonl", b"{}" * 2000)
    receipt, message = rig.queue.messages.pop()
    rig.agent.take(receipt, message)
    assert [failure.reason for failure in rig.work().failures] == ["order_unreadable"]


def test_events_tell_of_each_test_and_keep_attempts_and_retries_apart(rig: Rig) -> None:
    selection = ("tests/test_shop.py::test_fails", "tests/test_shop.py::test_second_time")
    rig.carry_out(rig.shard(SUITE, framework="pytest", selection=selection, test_retries=1))
    told = [(event.step, event.type.value, (event.test or "").partition("::")[2]) for event in rig.events()]
    both = [(kind, name) for name in ("test_fails", "test_second_time") for kind in ("start", "finish")]
    assert told == [
        ("unpack", "step", ""),
        ("attempt-1", "step", ""),
        *(("attempt-1", *each) for each in both),
        ("retry-1", "step", ""),
        *(("retry-1", *each) for each in both),
        ("upload", "step", ""),
    ]
    outcomes = [event.outcome for event in rig.events() if event.outcome]
    assert outcomes == ["failed", "failed", "failed", "passed"]
    retry = next(event for event in rig.events() if event.step == "retry-1")
    assert rig.log().encode()[retry.log_offset :].startswith(b"[crosswind] Retry 1 of 1")


def test_tests_that_replace_their_folder_by_a_link_have_nothing_uploaded_that_lies_there(
    rig: Rig, tmp_path: Path
) -> None:
    """In a pod the agent could read what lies there, such as the token of its role, and the tests could not."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "token").write_text("of the agent")
    order = rig.shard(
        {"note": ""},
        command=f"mv ../work ../gone && ln -s {secrets} ../work",
        artifacts=("**/*", "token"),
        reports=("token",),
    )
    rig.carry_out(order)
    assert not [key for key, each in rig.artifacts.objects.items() if b"of the agent" in each.data]
    (failure,) = rig.work().failures
    assert "is a link that leads out of the source" in failure.detail
