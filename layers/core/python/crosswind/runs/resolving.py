"""From a valid suite and its parameters to jobs with nothing left to substitute: typed parameters, expanded matrix."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod

from crosswind.contracts.expressions import MATRIX, PARAMETERS, as_text, length, substitute
from crosswind.contracts.frameworks import FrameworkSpec
from crosswind.contracts.parameters import bind
from crosswind.contracts.resolved import ResolvedChaos, ResolvedStage, ResolvedSuite, ResolvedTest
from crosswind.contracts.suites import (
    GitSourceSpec,
    ParameterType,
    Scalar,
    StageChaosSpec,
    TestSpec,
    TestSuite,
    duration_seconds,
)
from crosswind.contracts.work import (
    ArchiveRef,
    ArchiveSource,
    GitSource,
    OrderRef,
    PrepareOrder,
    Source,
    Ticket,
    WorkKind,
)
from crosswind.kernel import json
from crosswind.kernel.errors import FieldError, InvalidInputError
from crosswind.runs import formulas, layout
from crosswind.runs.frameworks.catalogue import spec_of
from crosswind.runs.preparing import base_key
from crosswind.runs.spec_rules import MAX_JOBS, safe_ref

MAX_PREPARE_SECONDS = 3600
MAX_PARAMETERS_BYTES = 64 * 1024  # as JSON: they stand in the run's record, which is one item of 400 KB
MAX_EXPANDED_CHARACTERS = 8 * 1024 * 1024  # of all jobs: matrix and values multiply what a suite says
_MIB = {"Mi": 1, "Gi": 1024}
_STAND_IN: dict[ParameterType, Scalar] = {
    ParameterType.STRING: "x",
    ParameterType.INTEGER: 0,
    ParameterType.NUMBER: 0,
    ParameterType.BOOLEAN: False,
}


@dataclass(frozen=True, slots=True)
class Job:
    """One test job: a test of the suite with one combination of its matrix."""

    place: str  # of the test in the suite, for faults
    stage: int
    spec: TestSpec
    variant: str
    matrix_index: int = 0  # of its combination among those of the test
    matrix_count: int = 1
    manifest: FrameworkSpec | None = None  # of a framework that is not built in

    @property
    def framework(self) -> FrameworkSpec:
        """What is known of its framework."""
        return spec_of(self.spec.framework, self.manifest)

    @property
    def archive(self) -> str | None:
        """The digest of its archive, where that is its source."""
        return self.spec.source.archive.digest if self.spec.source.archive else None


@dataclass(frozen=True, slots=True)
class Preparation:
    """One preparation for all jobs that would make the same one."""

    order: PrepareOrder
    job: Job  # the first of them
    infrastructure_retries: int


def bind_parameters(suite: TestSuite, given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The value of every parameter. Raises InvalidInputError with every fault."""
    values, faults = bind(suite.spec.parameters, given, noun="suite")
    if not faults and (size := len(json.canonical(values).encode())) > MAX_PARAMETERS_BYTES:
        most = f"at most {MAX_PARAMETERS_BYTES} bytes"
        faults.append(FieldError("parameters", f"have {size} bytes together, defaults included", most))
    if faults:
        raise InvalidInputError("the parameters do not fit the suite", faults)
    return values


def stand_ins(suite: TestSuite) -> dict[str, Scalar]:
    """Values for the parameters that have no default, to check a suite without a run."""
    return {
        name: parameter.enum[0] if parameter.enum else _STAND_IN[parameter.type]
        for name, parameter in suite.spec.parameters.items()
        if parameter.default is None
    }


def expand(
    suite: TestSuite, parameters: Mapping[str, Scalar], *, guessed: Collection[str] = ()
) -> tuple[Job, ...]:
    """Every job, in the order of the suite. Raises InvalidInputError when a value makes no usable text or matrix.

    `guessed` names parameters whose values are stand-ins: a formula that cannot use one is not at fault.
    """
    faults: list[FieldError] = []
    jobs: list[Job] = []
    room = MAX_EXPANDED_CHARACTERS
    for s, stage in enumerate(suite.spec.stages):
        for t, test in enumerate(stage.tests):
            place = f"spec.stages[{s}].tests[{t}]"
            matrix = _matrix(test, place, parameters, guessed, faults)
            count = prod(len(listed) for listed in matrix.values())
            if len(jobs) + count > MAX_JOBS:
                raise _too_many_jobs(place, len(jobs) + count)
            for index, combination in enumerate(_combinations(matrix)):
                values: Mapping[str, Mapping[str, Scalar]] = {PARAMETERS: parameters, MATRIX: combination}
                room -= sum(length(text, values) for text in _texts(test))
                if room < 0:
                    raise _too_much_text(place)
                spec = _substituted(test, values)
                jobs.append(Job(place, s, spec, _variant(combination), index, count))
                if spec.source.git and not safe_ref(spec.source.git.ref):
                    found = f"{spec.source.git.ref!r} is no name of a branch, tag or commit"
                    faults.append(FieldError(f"{place}.source.git.ref", found))
    if faults:
        raise InvalidInputError("the parameters make no usable suite", faults)
    return tuple(jobs)


def prepare_order(job: Job, *, team: str, archive_size: int, run_seconds: int) -> PrepareOrder:
    """The order of the preparation that a job needs."""
    spec = job.spec
    order = PrepareOrder(
        team=team,
        preparation="",
        source=_source(spec, team=team, archive_size=archive_size),
        setup=spec.setup,
        framework=spec.framework,
        manifest=job.manifest,
        working_directory=spec.working_directory,
        command=spec.command,
        args=spec.args,
        env=job.framework.env | spec.env,
        image=spec.image,
        timeout_seconds=min(run_seconds, MAX_PREPARE_SECONDS),
    )
    return order.model_copy(update={"preparation": base_key(order)})


def unique(orders: Iterable[tuple[Job, PrepareOrder]]) -> tuple[Preparation, ...]:
    """One preparation for equal orders, with the largest budget of its jobs."""
    found: dict[str, Preparation] = {}
    for job, order in orders:
        known = found.get(order.preparation)
        retries = job.spec.retries.infrastructure
        if known is None:
            found[order.preparation] = Preparation(order, job, retries)
        elif retries > known.infrastructure_retries:
            found[order.preparation] = Preparation(known.order, known.job, retries)
    return tuple(found.values())


def write_preparations(
    suite: TestSuite, preparations: tuple[Preparation, ...], *, run_id: str, cluster: str | None = None
) -> tuple[bytes, tuple[Ticket, ...]]:
    """The orders as JSON lines, and a ticket for each that points at its line."""
    key = layout.preparation_orders_key(run_id)
    lines = bytearray()
    tickets = []
    for index, preparation in enumerate(preparations):
        line = preparation.order.to_wire().encode()
        tickets.append(
            Ticket(
                run_id=run_id,
                work_id=layout.preparation_work_id(index),
                kind=WorkKind.PREPARE,
                team=suite.metadata.team,
                suite=suite.metadata.name,
                test=preparation.job.spec.name,
                priority=suite.spec.priority,
                stage=0,
                concurrency=suite.spec.concurrency,
                infrastructure_retries=preparation.infrastructure_retries,
                queue_seconds=duration_seconds(suite.spec.timeout),
                cluster=cluster,
                order=OrderRef(key=key, offset=len(lines), length=len(line)),
            )
        )
        lines += line + b"\n"
    return bytes(lines), tuple(tickets)


def resolved_suite(
    suite: TestSuite,
    tests: tuple[ResolvedTest, ...],
    *,
    parameters: Mapping[str, Scalar],
    run_id: str,
    cluster: str | None = None,
) -> ResolvedSuite:
    """The document of a run's suite. Raises InvalidInputError where a stage's condition cannot be decided."""
    return ResolvedSuite(
        run_id=run_id,
        team=suite.metadata.team,
        suite=suite.metadata.name,
        priority=suite.spec.priority,
        timeout_seconds=duration_seconds(suite.spec.timeout),
        concurrency=suite.spec.concurrency,
        suite_concurrency=suite.spec.suite_concurrency,
        cluster=cluster,
        stage_names=tuple(stage.name for stage in suite.spec.stages),
        stages=tuple(
            ResolvedStage(
                name=stage.name,
                when=stage.when,
                fail_fast=stage.fail_fast,
                left_out=why,
                chaos=_chaos(stage.chaos),
            )
            for stage, why in zip(suite.spec.stages, left_out(suite, parameters), strict=True)
        ),
        gates=suite.spec.gates,
        tests=tests,
    )


def _chaos(given: StageChaosSpec | None) -> ResolvedChaos | None:
    if given is None:
        return None
    return ResolvedChaos(
        experiment=given.experiment,
        after_seconds=duration_seconds(given.after) if given.after else 0,
        required=given.required,
        parameters=given.parameters,
    )


def resolved_test(job: Job, *, prepare_work_id: str | None, discovery_key: str | None) -> ResolvedTest:
    """A job as the plan reads it; it has a preparation of this run, or what an earlier one left."""
    spec = job.spec
    return ResolvedTest(
        name=spec.name,
        variant=job.variant,
        stage=job.stage,
        prepare_work_id=prepare_work_id,
        discovery_key=discovery_key,
        framework=spec.framework,
        manifest=job.manifest,
        working_directory=spec.working_directory,
        command=spec.command,
        args=spec.args,
        env=job.framework.env | spec.env,
        secret_refs=spec.secret_refs,
        shards=spec.shards.count if spec.load is None else spec.load.workers,
        target_seconds=duration_seconds(spec.shards.target_time) if spec.shards.target_time else None,
        max_parallel=spec.shards.max_parallel,
        distribution=spec.shards.distribution,
        cpu_millis=_millis(spec.resources.cpu),
        image=spec.image,
        interruptible=spec.interruptible and spec.load is None,
        services=spec.services,
        anti_affinity=spec.anti_affinity,
        load=spec.load,
        fail_fast=spec.fail_fast,
        matrix_index=job.matrix_index,
        matrix_count=job.matrix_count,
        test_retries=spec.retries.tests,
        infrastructure_retries=spec.retries.infrastructure,
        timeout_seconds=duration_seconds(spec.timeout),
        memory_mib=_mebibytes(spec.resources.memory),
        reports=tuple(dict.fromkeys((*spec.reports, *job.framework.reports))),
        artifacts=tuple(dict.fromkeys((*spec.artifacts, *job.framework.artifacts))),
    )


def left_out(suite: TestSuite, parameters: Mapping[str, Scalar]) -> tuple[str | None, ...]:
    """Of each stage, why its condition leaves it out; None where it does not. Raises InvalidInputError."""
    found: list[str | None] = []
    faults = []
    for index, stage in enumerate(suite.spec.stages):
        try:
            holds = stage.condition is None or formulas.condition(stage.condition, parameters)
        except formulas.FormulaError as fault:
            faults.append(FieldError(f"spec.stages[{index}].condition", str(fault), expected="true or false"))
            holds = False
        found.append(None if holds else f"its condition {stage.condition} does not hold")
    if faults:
        raise InvalidInputError("the parameters do not fit the suite's conditions", faults)
    return tuple(found)


def _matrix(
    test: TestSpec,
    place: str,
    parameters: Mapping[str, Scalar],
    guessed: Collection[str],
    faults: list[FieldError],
) -> dict[str, tuple[Scalar, ...]]:
    """The values of each name; a formula that fails gives one stand-in and a fault."""
    matrix: dict[str, tuple[Scalar, ...]] = {}
    for name, given in test.matrix.items():
        if not isinstance(given, str):
            matrix[name] = given
            continue
        try:
            matrix[name] = formulas.values(given, parameters)
        except formulas.FormulaError as fault:
            matrix[name] = ("x",)
            if not guessed:
                expected = "a formula that gives 1 to 1000 values, each once"
                faults.append(FieldError(f"{place}.matrix.{name}", str(fault), expected))
    return matrix


def _combinations(matrix: Mapping[str, tuple[Scalar, ...]]) -> Iterator[dict[str, Scalar]]:
    names = tuple(matrix)
    for values in product(*matrix.values()):
        yield dict(zip(names, values, strict=True))


def _too_many_jobs(place: str, count: int) -> InvalidInputError:
    message = f"there are {count} test jobs or more once the matrix is expanded"
    return InvalidInputError(
        "the suite is too large to be expanded", [FieldError(place, message, f"at most {MAX_JOBS}")]
    )


def _variant(combination: Mapping[str, Scalar]) -> str:
    return ",".join(f"{name}={as_text(value)}" for name, value in sorted(combination.items()))


def _texts(test: TestSpec) -> Iterator[str]:
    """All that each job of a test has for itself and that may be long."""
    git = test.source.git
    yield test.command or ""
    yield from (*test.args, *test.setup, *test.reports, *test.artifacts, *(git.paths if git else ()))
    for names in (test.env, test.secret_refs):
        yield from (*names.keys(), *names.values())


def _too_much_text(place: str) -> InvalidInputError:
    expected = f"at most {MAX_EXPANDED_CHARACTERS} characters: a smaller matrix, or shorter texts and values"
    message = "has more text than a run may hold, once matrix and parameters are put in"
    return InvalidInputError("the suite is too large to be expanded", [FieldError(place, message, expected)])


def _substituted(test: TestSpec, values: Mapping[str, Mapping[str, Scalar]]) -> TestSpec:
    changes: dict[str, object] = {
        "command": None if test.command is None else substitute(test.command, values),
        "args": tuple(substitute(text, values) for text in test.args),
        "setup": tuple(substitute(text, values) for text in test.setup),
        "env": {name: substitute(text, values) for name, text in test.env.items()},
    }
    git = test.source.git
    if git is not None:
        source = git.model_copy(update={"ref": substitute(git.ref, values)})
        changes["source"] = test.source.model_copy(update={"git": source})
    return test.model_copy(update=changes)


def _source(spec: TestSpec, *, team: str, archive_size: int) -> Source:
    if spec.source.archive is not None:
        digest = spec.source.archive.digest
        return ArchiveSource(
            archive=ArchiveRef(key=layout.archive_key(team, digest), digest=digest, size=archive_size)
        )
    git = spec.source.git or GitSourceSpec(uri="")
    return GitSource(uri=git.uri, ref=git.ref, paths=git.paths)


def _millis(cpu: str | None) -> int | None:
    if cpu is None:
        return None
    return int(cpu[:-1]) if cpu.endswith("m") else int(cpu) * 1000


def _mebibytes(memory: str | None) -> int | None:
    return None if memory is None else int(memory[:-2]) * _MIB[memory[-2:]]
