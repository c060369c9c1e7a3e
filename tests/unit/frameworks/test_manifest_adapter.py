"""The adapter of manifests, with a small tool of its own. Input: a manifest and a working directory. Output: launches, listings."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crosswind.adapters.frameworks.base import Collected, Invocation, Launch
from crosswind.adapters.frameworks.manifest import ManifestAdapter
from crosswind.contracts.frameworks import FrameworkSpec

TOOL = """
import sys
from xml.sax.saxutils import quoteattr

TESTS = {"cart.py": ["adds", "it's $(touch hacked); `x`"], "order.py": ["pays"]}
args = sys.argv[1:]
if "--list" in args:
    print("# 3 tests")
    print(*(f"  {file}::{name}" for file, names in TESTS.items() for name in names), sep="\\n")
    sys.exit(0)
chosen = open(args[args.index("--only") + 1]).read().splitlines() if "--only" in args else None
cases = []
for file, names in TESTS.items():
    for name in names:
        if chosen is None or f"{file}::{name}" in chosen:
            failure = "<failure message='no'/>" if name == "pays" else ""
            cases.append(f"<testcase classname={quoteattr(file)} name={quoteattr(name)}>{failure}</testcase>")
open(args[args.index("--report") + 1], "w").write("<testsuite>" + "".join(cases) + "</testsuite>")
sys.exit(1 if any("failure" in case for case in cases) else 0)
"""
NASTY = "cart.py::it's $(touch hacked); `x`"
IDS = ("cart.py::adds", NASTY, "order.py::pays")


def spec(**changes: Any) -> FrameworkSpec:
    """The tool's manifest."""
    values: dict[str, Any] = {
        "command": f"{sys.executable} tool.py",
        "discovery": {
            "read": "lines",
            "args": ["--list"],
            "stdout": True,
            "pattern": r"^(?P<test>\S+::.+)$",
        },
        "selection": {"args": ["--only", "{selection}"]},
        "identity": {"parts": ["class", "name"], "separator": "::"},
        "run": {"args": ["--report", "{folder}/report.xml"], "reports": ["report.xml"]},
    }
    return FrameworkSpec.model_validate({**values, **changes})


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "tool.py").write_text(TOOL)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    private = tmp_path / "private"
    private.mkdir()
    return private


def start(launch: Launch, work: Path) -> int:
    """What the sandbox would do."""
    ended = subprocess.run(launch.argv, cwd=work, env={**launch.env, "PATH": "/usr/bin:/bin"}, check=False)
    return ended.returncode


def invocation(work: Path, *args: str) -> Invocation:
    return Invocation(command=None, args=args, env={}, work=work)


def run(adapter: ManifestAdapter, work: Path, folder: Path, selection: tuple[str, ...] | None) -> Launch:
    return adapter.run(invocation(work), folder=folder, selection=selection, shard_index=1, shard_count=4)


def test_what_a_tool_prints_is_listed_by_the_lines_that_match(work: Path, folder: Path) -> None:
    adapter = ManifestAdapter(spec())
    launch = adapter.discovery(invocation(work), folder=folder)
    assert launch is not None

    end = start(launch, work)

    assert adapter.collected(folder, work=work, end=end) == Collected(test_ids=IDS)


def test_a_selection_reaches_the_tool_as_it_is_and_no_shell_reads_it(work: Path, folder: Path) -> None:
    adapter = ManifestAdapter(spec())
    launch = run(adapter, work, folder, (NASTY,))

    assert start(launch, work) == 0

    assert "it's $(touch hacked); `x`" in launch.reports[0].read_text()
    assert not (work / "hacked").exists()
    assert launch.env["CROSSWIND_SHARD_INDEX"] == "1"


@pytest.mark.parametrize("name", ["a'b", "$(touch hacked)", "{folder}", "{test}", "--list", "x;y|z", "é ü"])
def test_tests_given_as_arguments_stay_one_argument_each(name: str, work: Path, folder: Path) -> None:
    one = spec(selection={"each": ["--folder", "{test}"]})

    launch = run(ManifestAdapter(one), work, folder, (name, "b"))

    assert launch.argv[-4:] == ("--folder", name, "--folder", "b")


def test_joined_tests_are_escaped_for_the_tool_that_reads_patterns(work: Path, folder: Path) -> None:
    one = spec(selection={"args": ["--grep=^({tests})$"], "separator": "|", "escape": "regex"})

    launch = run(ManifestAdapter(one), work, folder, ("adds (1+1)", "b"))

    assert launch.argv[-1] == r"--grep=^(adds \(1\+1\)|b)$"


def test_what_failed_runs_again_by_what_the_report_says(work: Path, folder: Path) -> None:
    adapter = ManifestAdapter(spec())
    start(run(adapter, work, folder, IDS), work)

    assert adapter.again(folder, selection=IDS, work=work) == ("order.py::pays",)


def test_of_groups_the_one_with_the_failed_test_runs_again(work: Path, folder: Path) -> None:
    grouped = spec(identity={"parts": ["class", "name"], "separator": "::", "unit": "group"})
    adapter = ManifestAdapter(grouped)
    start(run(adapter, work, folder, None), work)

    assert adapter.again(folder, selection=("cart.py", "order.py"), work=work) == ("order.py",)


@pytest.mark.parametrize("report", [None, "<testsuite><testcase name='a'"])
def test_without_a_report_that_can_be_read_everything_runs_again(
    report: str | None, work: Path, folder: Path
) -> None:
    if report is not None:
        (folder / "report.xml").write_text(report)

    assert ManifestAdapter(spec()).again(folder, selection=IDS, work=work) is None


def test_options_stand_before_the_authors_arguments_where_the_tool_wants_it(work: Path, folder: Path) -> None:
    launch = ManifestAdapter(spec(options_first=True)).run(
        invocation(work, "tests/"), folder=folder, selection=None, shard_index=0, shard_count=1
    )

    assert launch.argv[-3:] == ("--report", f"{folder}/report.xml", "tests/")


def test_files_are_found_without_a_command_and_dependencies_are_passed_over(work: Path, folder: Path) -> None:
    for name in ("e2e/b.cy.js", "e2e/a.cy.js", "e2e/node_modules/x.cy.js", "e2e/.cache/y.cy.js"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).touch()
    adapter = ManifestAdapter(spec(discovery={"read": "files", "files": ["e2e/**/*.cy.js"], "strip": "e2e/"}))

    assert adapter.discovery(invocation(work), folder=folder) is None
    assert adapter.collected(folder, work=work, end=0) == Collected(test_ids=("a.cy.js", "b.cy.js"))


def test_whole_paths_of_a_listing_are_told_below_the_working_directory(work: Path, folder: Path) -> None:
    (folder / "listing.out").write_text(
        f'[{{"file": "{work}/a.test.js"}}, {{"file": "{work}/a.test.js"}}, {{}}]'
    )
    adapter = ManifestAdapter(spec(discovery={"read": "json", "stdout": True, "path": "$[*].file"}))

    assert adapter.collected(folder, work=work, end=0) == Collected(test_ids=("a.test.js",))


def test_a_report_is_a_listing_by_the_names_that_the_run_will_report(work: Path, folder: Path) -> None:
    (folder / "listing.out").write_text(
        "<testsuite><testcase classname='a' name='x'/><testcase classname='a' name='y'/></testsuite>"
    )
    adapter = ManifestAdapter(spec(discovery={"read": "report", "args": ["{listing}"]}))

    assert adapter.collected(folder, work=work, end=0) == Collected(test_ids=("a::x", "a::y"))


@pytest.mark.parametrize(
    ("listing", "end"), [(None, 0), ("[]", 1), ("[]", None)], ids=["none", "failed", "killed"]
)
def test_a_listing_that_failed_is_none(
    listing: str | None, end: int | None, work: Path, folder: Path
) -> None:
    if listing is not None:
        (folder / "listing.out").write_text(listing)
    adapter = ManifestAdapter(spec(discovery={"read": "json", "stdout": True, "path": "$[*]"}))

    assert adapter.collected(folder, work=work, end=end) is None


@pytest.mark.parametrize("listing", ["[", "[" * 100_000, "no json"], ids=["half", "deep", "text"])
def test_a_listing_that_cannot_be_read_is_an_error_of_the_suite(
    listing: str, work: Path, folder: Path
) -> None:
    (folder / "listing.out").write_text(listing)
    adapter = ManifestAdapter(spec(discovery={"read": "json", "stdout": True, "path": "$[*]"}))

    found = adapter.collected(folder, work=work, end=0)

    assert found is not None
    assert found.test_ids is None
    assert "cannot be read" in found.errors[0]


def test_a_pattern_that_never_ends_is_cut_short(work: Path, folder: Path) -> None:
    (folder / "listing.out").write_text("a" * 60 + "!")
    adapter = ManifestAdapter(
        spec(discovery={"read": "lines", "stdout": True, "pattern": "^(a|aa|a+)+$"}), match_seconds=0.1
    )

    found = adapter.collected(folder, work=work, end=0)

    assert found is not None
    assert found.errors


def test_a_tool_that_lists_nothing_runs_whole(work: Path, folder: Path) -> None:
    adapter = ManifestAdapter(spec(discovery=None, selection=None))

    assert adapter.discovery(invocation(work), folder=folder) is None
    assert adapter.collected(folder, work=work, end=0) == Collected(test_ids=None)
    assert adapter.again(folder, selection=None, work=work) is None
