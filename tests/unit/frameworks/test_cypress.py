"""Cypress by its manifest, up to the command: its binary cannot be had everywhere. A stand-in takes its place and writes the
report that mocha-junit-reporter, which Cypress brings, writes for a spec file.
"""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

from crosswind.adapters.frameworks.base import Invocation
from crosswind.adapters.frameworks.manifest import ManifestAdapter
from crosswind.adapters.reports.anyformat import AnyReportReader
from crosswind.contracts.frameworks import FrameworkSpec
from crosswind.runs.frameworks.catalogue import builtin
from crosswind.runs.frameworks.groups import group_of
from crosswind.runs.identity import name_of
from crosswind.runs.reports import ReportedCase

PROJECT = Path(__file__).parents[3] / "examples/shop/frameworks/cypress"
SPECS = ("cypress/e2e/catalogue.cy.js", "cypress/e2e/ordering.cy.js")
STAND_IN = """\
import sys
args = dict(zip(sys.argv[2::2], sys.argv[3::2]))
options = dict(each.partition("=")[::2] for each in args["--reporter-options"].split(","))
assert sys.argv[1] == "run" and args["--reporter"] == "junit"
for number, spec in enumerate(args["--spec"].split(",")):
    open(options["mochaFile"].replace("[hash]", str(number)), "w").write(
        f'<testsuites name="Mocha Tests" tests="1" failures="1"><testsuite name="Root Suite" tests="0" file="{spec}"></testsuite>'
        '<testsuite name="the shop" tests="1" failures="1"><testcase name="the shop takes the money" classname="takes the money">'
        '<failure message="no"/></testcase></testsuite></testsuites>'
    )
sys.exit(1)
"""


@pytest.fixture
def spec() -> FrameworkSpec:
    found = builtin("cypress")
    assert found is not None
    return found


def test_spec_files_are_found_without_starting_cypress(spec: FrameworkSpec, tmp_path: Path) -> None:
    adapter = ManifestAdapter(spec)

    assert adapter.discovery(Invocation(None, (), {}, PROJECT), folder=tmp_path) is None
    found = adapter.collected(tmp_path, work=PROJECT, end=0)

    assert found is not None
    assert found.test_ids == SPECS


def test_the_command_selects_spec_files_and_keeps_a_report_of_each(
    spec: FrameworkSpec, tmp_path: Path
) -> None:
    launch = ManifestAdapter(spec).run(
        Invocation(None, ("--browser", "chromium"), {}, PROJECT),
        folder=tmp_path,
        selection=SPECS,
        shard_index=0,
        shard_count=2,
    )

    assert launch.argv[:3] == ("sh", "-c", 'npx --no-install cypress run "$@"')
    assert launch.argv[4:] == (
        *("--browser", "chromium", "--reporter", "junit"),
        *("--reporter-options", f"mochaFile={tmp_path}/cypress-[hash].xml,toConsole=false"),
        *("--spec", ",".join(SPECS)),
    )
    assert [path.name for path in launch.reports] == ["cypress-*.xml"]


def test_what_it_reports_belongs_to_the_planned_spec_files_and_runs_again_by_them(
    spec: FrameworkSpec, tmp_path: Path
) -> None:
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    adapter = ManifestAdapter(spec)
    launch = adapter.run(
        Invocation(f"{sys.executable} {tmp_path}/stand_in.py run", (), {}, tmp_path),
        folder=tmp_path,
        selection=SPECS,
        shard_index=0,
        shard_count=1,
    )

    ended = subprocess.run(launch.argv, cwd=tmp_path, check=False, timeout=30)

    assert ended.returncode == 1
    names = []
    for path in sorted(tmp_path.glob("cypress-*.xml")):
        items = AnyReportReader().read(BytesIO(path.read_bytes()), name=path.name)
        names += [name_of(item, spec.identity) for item in items if isinstance(item, ReportedCase)]
    assert [group_of(name, SPECS, " > ") for name in names] == list(SPECS)
    assert adapter.again(tmp_path, selection=SPECS, work=tmp_path) == SPECS
