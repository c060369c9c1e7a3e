"""The manifest of a test framework: `apiVersion: crosswind.dev/v1`, `kind: Framework`.

A framework is declared, not coded: how its tests are listed, how some of them are selected, what a run leaves. What a
manifest cannot say, a Python adapter does: the manifest then names it in `adapter`.

Every argument is a text of its own, handed to the command without a shell reading it, so that no test's name can become a
command. In arguments and in `env` these words stand for what a shard has:

    {listing}      the file that a discovery writes
    {folder}       a private folder for reports and whatever else one process leaves
    {selection}    a file with one selected test a line
    {tests}        the selected tests, joined by `separator`
    {test}         one selected test, in `each` and `line`
    {shard}        the shard's number from 1 on; {index} from 0 on
    {shards}       how many there are
"""

import re
from enum import StrEnum
from typing import Annotated, Literal

from annotated_types import Len
from pydantic import Field, StringConstraints

from crosswind.contracts.base import WireModel
from crosswind.contracts.suites import EnvName, Glob, Name, Team

MAX_MANIFEST_BYTES = 64 * 1024
MANIFEST_ADAPTER = "manifest"
PYTEST = "pytest"
COMMAND = "command"
K6 = "k6"
JMETER = "jmeter"

Argument = Annotated[str, StringConstraints(max_length=4096)]
Environment = Annotated[dict[EnvName, Annotated[str, StringConstraints(max_length=4096)]], Len(0, 50)]
PLACEHOLDER = re.compile(r"\{([a-z]+)\}")


class Listing(StrEnum):
    """How the listing of a discovery is read."""

    REPORT = "report"  # a report in any known format: the names of its tests, whatever became of them
    LINES = "lines"  # one test a line
    JSON = "json"  # the texts that `path` finds
    FILES = "files"  # no command: files of the working directory that `files` names


class DiscoverySpec(WireModel):
    """How the tests are listed before any of them runs."""

    read: Listing
    command: str | None = Field(
        default=None,
        min_length=1,
        max_length=8192,
        description="A shell line, instead of the one that runs tests; the author's arguments are not for it.",
    )
    args: tuple[Argument, ...] = Field(default=(), max_length=100)
    env: Environment = Field(default={})
    stdout: bool = Field(default=False, description="The listing is what the command prints, not a file.")
    pattern: str | None = Field(
        default=None,
        max_length=500,
        description="With `lines`: only lines that match; the group `test` is the test, or the whole match.",
    )
    path: str | None = Field(
        default=None, max_length=500, description="With `json`: a JSONPath (RFC 9535) of texts."
    )
    files: tuple[Glob, ...] = Field(default=(), max_length=50, description="With `files`: globs.")
    strip: str = Field(
        default="",
        max_length=200,
        description="Taken off the begin of each test, such as a folder that reports leave out.",
    )
    exits: tuple[Annotated[int, Field(ge=0, le=255)], ...] = Field(
        default=(0,), max_length=20, description="Exit statuses of a listing that succeeded."
    )


class Escape(StrEnum):
    """What is done to a test's name before the framework reads it."""

    NONE = "none"
    REGEX = "regex"  # for tools that take a regular expression
    GLOB = "glob"  # for tools that take a glob pattern


class SelectionSpec(WireModel):
    """How a run is told which tests to run."""

    args: tuple[Argument, ...] = Field(default=(), max_length=50, description="Given once.")
    each: tuple[Argument, ...] = Field(
        default=(), max_length=10, description="Given for each test, with {test}."
    )
    env: Environment = Field(default={})
    separator: str = Field(default=",", max_length=10, description="Between the tests of {tests}.")
    line: str = Field(default="{test}", max_length=200, description="A line of the file {selection}.")
    escape: Escape = Escape.NONE


class Part(StrEnum):
    """Of a reported case, what its name is made of."""

    FILE = "file"
    SUITE = "suite"  # the outermost suite
    SUITES = "suites"  # every suite around it, outermost first
    CLASS = "class"
    NAME = "name"


class Unit(StrEnum):
    """What is listed, selected and planned."""

    TEST = "test"
    GROUP = "group"  # a file, a folder, a class: a record counts to the unit that its name begins with


class IdentitySpec(WireModel):
    """Who a test is: the parts of its name, in the listing and in every report alike."""

    parts: tuple[Part, ...] = Field(
        default=(Part.SUITES, Part.CLASS, Part.NAME),
        min_length=1,
        max_length=5,
        description="Empty ones are left out, and one that repeats the one before.",
    )
    separator: str = Field(default=" / ", min_length=1, max_length=10)
    unit: Unit = Unit.TEST


class RunSpec(WireModel):
    """What is added to the author's command when it runs."""

    args: tuple[Argument, ...] = Field(default=(), max_length=100)
    env: Environment = Field(default={})
    reports: tuple[Glob, ...] = Field(
        default=(), max_length=20, description="Report files in {folder}, by name or glob."
    )


LineText = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Lines = Annotated[tuple[LineText, ...], Field(max_length=10)]


class ProgressSpec(WireModel):
    """How the lines look that the framework prints while it runs: who watches sees tests begin and end.

    `{name}` stands for the test, `{n}` for digits, `{}` for anything; white space counts as one space. It decides nothing.
    """

    started: Lines = ()
    passed: Lines = ()
    failed: Lines = ()
    skipped: Lines = ()
    ends: Lines = Field(
        default=(), description="A line that begins so is the last of interest, such as a summary's title."
    )
    planned_only: bool = Field(
        default=False, description="Only lines that name a planned test count; others look alike."
    )


class FrameworkSpec(WireModel):
    """What a runner and the planner must know of a framework."""

    description: str = Field(default="", max_length=1000)
    adapter: Name = Field(
        default=MANIFEST_ADAPTER,
        description="What runs it: this manifest, or a Python adapter by its name (entry point `crosswind.frameworks`).",
    )
    image: str | None = Field(
        default=None, max_length=512, description="Container image with the framework and the runner."
    )
    command: str | None = Field(
        default=None,
        max_length=8192,
        description="The shell line that runs tests, unless a suite gives its own.",
    )
    options_first: bool = Field(
        default=False,
        description="What the manifest adds stands before the author's arguments: for tools that take no option behind a path.",
    )
    env: Environment = Field(default={})
    discovery: DiscoverySpec | None = Field(
        default=None, description="None: its tests cannot be listed, and each shard chooses its part itself."
    )
    selection: SelectionSpec | None = Field(
        default=None, description="None: no part of the tests can be run; needed with `discovery`."
    )
    identity: IdentitySpec = IdentitySpec()
    run: RunSpec = RunSpec()
    progress: ProgressSpec | None = None
    reports: tuple[Glob, ...] = Field(
        default=(), max_length=50, description="Report files in the working directory, beside a suite's own."
    )
    artifacts: tuple[Glob, ...] = Field(
        default=(), max_length=50, description="Files to keep, beside a suite's own."
    )
    exits: dict[
        Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}$")],
        Annotated[str, StringConstraints(max_length=200)],
    ] = Field(default={}, max_length=50, description="What its exit statuses mean, for people.")


class FrameworkMetadata(WireModel):
    """Whose framework it is."""

    name: Name = Field(description="What a suite's `framework` says.")
    team: Team | None = Field(default=None, description="The team whose suites may use it.")


class FrameworkManifest(WireModel):
    """A test framework."""

    api_version: Literal["crosswind.dev/v1"]
    kind: Literal["Framework"]
    metadata: FrameworkMetadata
    spec: FrameworkSpec
