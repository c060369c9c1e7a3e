"""Rules of a suite that its model cannot say, over the raw document; each fault is (path, message, expected)."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from crosswind.contracts import expressions
from crosswind.contracts.expressions import MATRIX, PARAMETERS
from crosswind.contracts.faults import Path
from crosswind.contracts.frameworks import COMMAND, FrameworkSpec
from crosswind.contracts.parameters import declaration_faults
from crosswind.contracts.suites import (
    DEFAULT_CONCURRENCY,
    NOT_BUILT,
    BudgetMetric,
    Distribution,
    StageCondition,
    duration_seconds,
)
from crosswind.runs import formulas
from crosswind.runs.frameworks.catalogue import builtin, builtin_names, pulls, selects
from crosswind.runs.spec_rules_load import load_faults

MAX_JOBS = 1000
MAX_SHARDS = 1000
MAX_RUN_SECONDS = 24 * 3600
MAX_TEST_SECONDS = 12 * 3600
RESERVED_ENV = ("AWS_", "CROSSWIND_")

Fault = tuple[Path, str, str | None]


@dataclass(frozen=True, slots=True)
class Rules:
    """What depends on where the suite is read. `local` is the stage on one's own machine: it may clone file://."""

    local: bool = False
    directories: bool = False  # only the CLI, beside the folder, can pack one
    team_framework: Callable[[str, str], FrameworkSpec | None] | None = None
    """A team's own framework by name. None: they are not known here, and a suite that uses one is told so."""

    def framework(self, team: object, name: object) -> FrameworkSpec | None:
        """A framework that suites of a team may use."""
        if not isinstance(name, str):
            return None
        found = builtin(name)
        if found is None and self.team_framework is not None and isinstance(team, str):
            found = self.team_framework(team, name)
        return found


def find_faults(document: object, rules: Rules) -> Iterator[Fault]:
    """Every fault that a rule finds. Parts of a wrong type are passed over: the model tells of them."""
    spec = _mapping(_mapping(document).get("spec"))
    yield from _duration(spec.get("timeout"), ("spec", "timeout"), most=MAX_RUN_SECONDS)
    yield from _not_built(spec, ("spec",), "notify")
    parameters = _mapping(spec.get("parameters"))
    for name, parameter in parameters.items():
        yield from declaration_faults(_mapping(parameter), ("spec", "parameters", name))
    jobs = list(_jobs(spec))
    yield from _names(spec, jobs)
    yield from _stages(spec, parameters.keys())
    yield from _budgets(spec, jobs)
    team = _mapping(_mapping(document).get("metadata")).get("team")
    known = cache(lambda name: rules.framework(team, name))
    at_once = _at_once(spec)
    for path, job in jobs:
        name = job.get("framework")
        framework = known(name) if isinstance(name, str) else None
        if isinstance(name, str) and framework is None:
            yield (*path, "framework"), *_unknown(team, rules)
        yield from _job(job, path, parameters.keys(), rules, framework)
        yield from load_faults(job, path, framework, concurrency=at_once)
    count = sum(_combinations(job) for _, job in jobs)
    if count > MAX_JOBS:
        yield (
            ("spec", "stages"),
            f"there are {count} test jobs after the matrix is expanded",
            f"at most {MAX_JOBS}",
        )


def _jobs(spec: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for s, stage in enumerate(_list(spec.get("stages"))):
        for t, test in enumerate(_list(_mapping(stage).get("tests"))):
            if isinstance(test, Mapping):
                yield ("spec", "stages", s, "tests", t), test


def _names(spec: Mapping[str, Any], jobs: list[tuple[Path, Mapping[str, Any]]]) -> Iterator[Fault]:
    stages = [(("spec", "stages", s), _mapping(stage)) for s, stage in enumerate(_list(spec.get("stages")))]
    for kind, named in (("stage", stages), ("test", jobs)):
        seen: set[str] = set()
        for path, item in named:
            name = item.get("name")
            if isinstance(name, str):
                if name in seen:
                    yield (
                        (*path, "name"),
                        f"another {kind} is called `{name}` too",
                        "a name that is unique in the suite",
                    )
                seen.add(name)


def _stages(spec: Mapping[str, Any], parameters: Collection[str]) -> Iterator[Fault]:
    for s, stage in enumerate(_list(spec.get("stages"))):
        path: Path = ("spec", "stages", s)
        formula = _mapping(stage).get("condition")
        if isinstance(formula, str):
            for fault in formulas.faults(formula, parameters):
                yield (*path, "condition"), fault, "such as `${{ parameters.full == true }}`"
        yield from _chaos(_mapping(_mapping(stage).get("chaos")), (*path, "chaos"))
        if s == 0 and _mapping(stage).get("when") == StageCondition.FAILED:
            yield (*path, "when"), "no stage is before the first, so it would never run", "passed or always"


def _chaos(chaos: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    yield from _duration(chaos.get("after"), (*path, "after"), most=MAX_RUN_SECONDS)
    for name, value in _mapping(chaos.get("parameters")).items():
        if isinstance(value, str) and expressions.has_expression(value):
            yield (*path, "parameters", name), "nothing is substituted here", "a fixed value"


def _budgets(spec: Mapping[str, Any], jobs: list[tuple[Path, Mapping[str, Any]]]) -> Iterator[Fault]:
    names = [job.get("name") for _, job in jobs]
    for index, budget in enumerate(_list(_mapping(spec.get("gates")).get("budgets"))):
        path: Path = ("spec", "gates", "budgets", index)
        yield from _duration(_mapping(budget).get("max"), (*path, "max"), most=MAX_RUN_SECONDS)
        test = _mapping(budget).get("test")
        if isinstance(test, str) and test not in names:
            yield (
                (*path, "test"),
                f"there is no test job `{test}`",
                "the name of one of the suite's test jobs",
            )
        if test is not None and _mapping(budget).get("metric") == BudgetMetric.RUN_DURATION:
            yield (*path, "test"), "run.duration is of the whole run", "leave it out"


def _unknown(team: object, rules: Rules) -> tuple[str, str]:
    if rules.team_framework is None:
        return "is not built in, and a team's own are known to the API alone", ", ".join(builtin_names())
    return (
        f"team {team} has no framework of this name",
        f"{', '.join(builtin_names())}, or one of the team's own: `crosswind frameworks apply`",
    )


def _job(
    job: Mapping[str, Any],
    path: Path,
    parameters: Collection[str],
    rules: Rules,
    framework: FrameworkSpec | None,
) -> Iterator[Fault]:
    yield from _duration(job.get("timeout"), (*path, "timeout"), most=MAX_TEST_SECONDS)
    yield from _source(_mapping(job.get("source")), (*path, "source"), rules)
    if framework is not None:
        yield from _framework(job, path, framework)
    yield from _environment(job, path)
    yield from _shards(job, path, framework)
    yield from _matrix(job, path, parameters)
    for name in ("reports", "artifacts"):
        for index, glob in enumerate(_list(job.get(name))):
            yield from _relative(glob, (*path, name, index))
    yield from _relative(job.get("workingDirectory"), (*path, "workingDirectory"))
    known = {PARAMETERS: parameters, MATRIX: _mapping(job.get("matrix")).keys()}
    yield from _expressions(job, path, known)


def _framework(job: Mapping[str, Any], path: Path, framework: FrameworkSpec) -> Iterator[Fault]:
    name, command = job["framework"], job.get("command")
    if framework.command is None and not command:
        yield (*path, "command"), f"is required by framework `{name}`", "the command line to run"
    elif isinstance(command, str) and not command.strip():
        expected = f"the start of the command line; without it `{framework.command}`"
        yield (*path, "command"), "is empty", expected
    if framework.adapter == COMMAND and not job.get("reports") and not framework.reports:
        yield (
            (*path, "reports"),
            f"is required by framework `{name}`: what leaves no report cannot pass",
            "at least one glob of report files",
        )
    retries = _mapping(job.get("retries")).get("tests")
    if isinstance(retries, int) and retries > 0 and not selects(framework):
        yield (*path, "retries", "tests"), f"framework `{name}` cannot run single tests again", "0"


def _environment(job: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    env, secrets = _mapping(job.get("env")), _mapping(job.get("secretRefs"))
    for field, names in (("env", env), ("secretRefs", secrets)):
        for name in names:
            if isinstance(name, str) and name.upper().startswith(RESERVED_ENV):
                reserved = " and ".join(RESERVED_ENV)
                yield (*path, field, name), f"names that start with {reserved} are Crosswind's own", None
    for name in secrets:
        if name in env:
            yield (*path, "secretRefs", name), "the same name stands in `env`", "one of the two"


def _shards(job: Mapping[str, Any], path: Path, framework: FrameworkSpec | None) -> Iterator[Fault]:
    shards = _mapping(job.get("shards"))
    count = shards.get("count")
    if isinstance(count, int) and not isinstance(count, bool):
        if not 1 <= count <= MAX_SHARDS:
            yield (
                (*path, "shards", "count"),
                "is out of bounds",
                f"a number from 1 to {MAX_SHARDS}, or `auto`",
            )
        for name in ("targetTime", "maxParallel"):
            if shards.get(name) is not None:
                yield (*path, "shards", name), "chooses the count, and a fixed count is given", "count `auto`"
    yield from _duration(shards.get("targetTime"), (*path, "shards", "targetTime"), most=MAX_RUN_SECONDS)
    if shards.get("distribution") == Distribution.PULL and framework is not None and not pulls(framework):
        message = f"framework `{job['framework']}` cannot take batches from a list"
        yield (*path, "shards", "distribution"), message, "auto or static"


def _matrix(job: Mapping[str, Any], path: Path, parameters: Collection[str]) -> Iterator[Fault]:
    for name, values in _mapping(job.get("matrix")).items():
        if isinstance(values, str):
            for fault in formulas.faults(values, parameters):
                yield (*path, "matrix", name), fault, "such as `${{ split(parameters.browsers) }}`"
        seen: set[str] = set()
        for index, value in enumerate(_list(values)):
            if not isinstance(value, str | int | float):
                continue
            text = expressions.as_text(value)
            if text in seen:
                yield (*path, "matrix", name, index), f"the value `{text[:60]}` stands here twice", None
            seen.add(text)


def _source(source: Mapping[str, Any], path: Path, rules: Rules) -> Iterator[Fault]:
    given = [kind for kind in ("git", "archive", "directory") if source.get(kind) is not None]
    if len(given) != 1:
        message = f"has {' and '.join(given)}" if given else "names no source"
        yield path, message, "exactly one of git, archive, directory"
    if given == ["directory"]:
        if not rules.directories:
            yield (
                (*path, "directory"),
                "a directory can only be packed where it is",
                "an archive: `crosswind run -f` and `crosswind suites apply -f` make one of the directory",
            )
        return
    git = _mapping(source.get("git"))
    yield from _git_address(git.get("uri"), (*path, "git", "uri"), rules)
    ref = git.get("ref")
    if isinstance(ref, str) and not safe_ref(ref):
        yield (*path, "git", "ref"), "is no name of a branch, tag or commit", "such as `main` or `v1.2.0`"
    for index, folder in enumerate(_list(git.get("paths"))):
        yield from _relative(folder, (*path, "git", "paths", index))


def safe_ref(ref: str) -> bool:
    """Whether git takes it for a ref and for nothing else, such as an option. Expressions are judged once more later."""
    plain = ref if not expressions.has_expression(ref) else ref.replace(" ", "")
    forbidden = any(each.isspace() or not each.isprintable() or each in "~^:?*[\\" for each in plain)
    return bool(plain) and not plain.startswith("-") and ".." not in plain and not forbidden


def _git_address(uri: object, path: Path, rules: Rules) -> Iterator[Fault]:
    if not isinstance(uri, str) or not uri:
        return
    expected = "https://… or ssh://…" + (" or file:///…" if rules.local else "")
    try:
        parts = urlsplit(uri)
        host, password = parts.hostname, parts.password
    except ValueError:
        yield path, "is not an address", expected
        return
    schemes = {"https", "ssh", "file"} if rules.local else {"https", "ssh"}
    if parts.scheme not in schemes or any(each.isspace() or not each.isprintable() for each in uri):
        yield path, "is not an address that Crosswind fetches from", expected
    elif parts.scheme != "file" and (
        not host or host.startswith("-") or (parts.username or "").startswith("-")
    ):
        yield path, "names no host", expected
    elif password is not None:
        yield path, "holds a password, which would be stored and shown", "an address without one"


def _relative(value: object, path: Path) -> Iterator[Fault]:
    if not isinstance(value, str):
        return
    parts = value.split("/")
    if value.startswith(("/", "~")) or ".." in parts or "\\" in value or not value.isprintable():
        yield (
            path,
            "leaves the working directory",
            "a relative path with `/` between its parts and without `..`",
        )


def _duration(value: object, path: Path, *, most: int) -> Iterator[Fault]:
    if not isinstance(value, str):
        return
    seconds = duration_seconds(value)
    if not 1 <= seconds <= most:
        yield path, "is out of bounds", f"a duration from 1s to {most // 3600}h, such as `30m`"


def _not_built(parent: Mapping[str, Any], path: Path, name: str) -> Iterator[Fault]:
    if parent.get(name):
        yield (*path, name), f"has no effect yet: {NOT_BUILT[name]}", "leave it out"


def _expressions(job: Mapping[str, Any], path: Path, known: expressions.Names) -> Iterator[Fault]:
    for place, text in _texts(job, path):
        for fault in expressions.faults(text, known):
            yield place, fault, "`${{ parameters.NAME }}` or `${{ matrix.NAME }}`"
    for place, text in _fixed_texts(job, path):
        if expressions.has_expression(text):
            yield place, "nothing is substituted here", "a fixed text"


def _texts(job: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    """Texts in which expressions are substituted."""
    git = _mapping(_mapping(job.get("source")).get("git"))
    places = [
        ((*path, "command"), job.get("command")),
        ((*path, "source", "git", "ref"), git.get("ref")),
        *(((*path, "env", name), value) for name, value in _mapping(job.get("env")).items()),
        *(((*path, "args", index), value) for index, value in enumerate(_list(job.get("args")))),
        *(((*path, "setup", index), value) for index, value in enumerate(_list(job.get("setup")))),
    ]
    return ((place, text) for place, text in places if isinstance(text, str))


def _fixed_texts(job: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    """Texts in which a person could expect that something is substituted, and nothing is."""
    git = _mapping(_mapping(job.get("source")).get("git"))
    places = [
        ((*path, "source", "git", "uri"), git.get("uri")),
        *(((*path, "reports", index), value) for index, value in enumerate(_list(job.get("reports")))),
        *(((*path, "artifacts", index), value) for index, value in enumerate(_list(job.get("artifacts")))),
    ]
    return ((place, text) for place, text in places if isinstance(text, str))


def _combinations(job: Mapping[str, Any]) -> int:
    """How many there are at least: what a formula gives is known only with the parameters' values."""
    listed = _mapping(job.get("matrix")).values()
    return math.prod(1 if isinstance(values, str) else len(_list(values)) for values in listed)


def _at_once(spec: Mapping[str, Any]) -> int:
    """Shards that may run at once, as far as the suite says."""
    limits = (spec.get("concurrency"), spec.get("suiteConcurrency"))
    return min((limit for limit in limits if isinstance(limit, int)), default=DEFAULT_CONCURRENCY)


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
