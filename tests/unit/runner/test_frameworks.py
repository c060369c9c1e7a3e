"""Manifests and working directories in a runner: from an order to its listing, its result, or the reason why there is none."""

import sys
from typing import Any

from crosswind.contracts.frameworks import FrameworkSpec
from crosswind.contracts.work import WorkOutcome
from crosswind.runs.model import WorkState
from tests.unit.runner.rig import Rig

TOOL = """\
import pathlib, sys
args = sys.argv[1:]
if args[0] == "list":
    pathlib.Path(args[1]).write_text("one\\ntwo\\n")
    sys.exit(0)
mark = pathlib.Path("mark")
failure = "" if mark.exists() else "<failure/>"
mark.touch()
cases = "".join(f"<testcase name='{name}'>{failure if name == 'two' else ''}</testcase>" for name in args[1:])
pathlib.Path(args[0]).write_text(f"<testsuite>{cases}</testsuite>")
pathlib.Path("kept.txt").write_text("kept")
sys.exit(1 if failure and "two" in args else 0)
"""
FILES = {"inner/tool.py": TOOL}


def manifest(**changes: Any) -> FrameworkSpec:
    """A tool that lists two tests; the second one fails the first time."""
    values: dict[str, Any] = {
        "command": f"{sys.executable} tool.py",
        "discovery": {"read": "lines", "args": ["list", "{listing}"]},
        "selection": {"each": ["{test}"]},
        "run": {"args": ["{folder}/report.xml"], "reports": ["report.xml"]},
    }
    return FrameworkSpec.model_validate({**values, **changes})


def own(**changes: Any) -> dict[str, Any]:
    """What an order says of a team's own framework."""
    return {"framework": "tool", "manifest": manifest(**changes), "command": None, "args": ()}


def test_a_preparation_lists_the_tests_in_the_working_directory(rig: Rig) -> None:
    rig.carry_out(rig.preparation(FILES, working_directory="inner", **own()))

    assert rig.discovery().test_ids == ("one", "two")


def test_a_shard_runs_its_selection_and_only_what_failed_again(rig: Rig) -> None:
    order = rig.shard(
        FILES,
        working_directory="inner",
        selection=("one", "two"),
        test_retries=2,
        artifacts=("*.txt",),
        **own(),
    )

    rig.carry_out(order)

    result = rig.result()
    assert (result.exit_code, result.attempts) == (0, 2)
    assert [[file.path for file in run] for run in result.reports] == [[".crosswind/report.xml"]] * 2
    second = rig.artifacts.objects[result.reports[1][0].key].data
    assert b"two" in second
    assert b"one" not in second
    assert [file.path for file in result.artifacts] == ["kept.txt"]
    assert result.working_directory is not None
    assert result.working_directory.endswith("/work/inner")
    assert "Retry 1 of 2: 1 tests will run again." in rig.log()


def test_an_adapter_that_no_package_offers_is_told_and_no_tests_failure(rig: Rig) -> None:
    work = rig.carry_out(rig.shard(FILES, **own(adapter="ava")))

    assert work.state is not WorkState.DONE
    (failure,) = work.failures
    assert failure.reason == "framework_missing"
    assert "needs the adapter 'ava'" in failure.detail


def test_a_working_directory_that_is_not_there_is_a_fault_of_the_suite(rig: Rig) -> None:
    rig.carry_out(rig.preparation(FILES, working_directory="outer", setup=("true",), **own()))

    (error,) = rig.discovery().errors
    assert "ended with exit status 127" in error
    assert "No such file or directory" in error


def test_a_working_directory_that_leads_out_of_the_source_is_refused(rig: Rig) -> None:
    order = rig.preparation(FILES, setup=("rm -r inner && ln -s /etc inner",), **own())
    rig.carry_out(order)

    assert rig.discovery().errors  # the link cannot travel, or leads nowhere that a command may run


def test_too_many_arguments_end_the_shard_and_not_the_runner(rig: Rig) -> None:
    names = tuple(f"{number:07d}" + "x" * 120_000 for number in range(30))

    work = rig.carry_out(rig.shard(FILES, working_directory="inner", selection=names, **own()))

    assert work.commit is not None
    assert work.commit.outcome is WorkOutcome.COMPLETED
    assert rig.result().exit_code == 127
    assert "Argument list too long" in rig.log()
