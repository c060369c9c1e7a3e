"""What .NET leaves: TRX (Visual Studio), NUnit 2 and 3, xUnit.net 2 and 3; and TestNG, which is written alike."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from crosswind.adapters.reports.numbers import count_of, seconds_of
from crosswind.adapters.reports.source import Source
from crosswind.adapters.reports.values import problem
from crosswind.adapters.reports.xml_stream import Start, events
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import ReportedCase, ReportedSuite, ReportItem

_PASSED, _FAILED, _ERROR, _SKIPPED = (
    CaseStatus.PASSED,
    CaseStatus.FAILED,
    CaseStatus.ERROR,
    CaseStatus.SKIPPED,
)
_TRX = {
    **dict.fromkeys(("passed", "passedbutrunaborted", "completed", "warning"), _PASSED),
    **dict.fromkeys(("notexecuted", "notrunnable", "inconclusive", "pending", "disconnected"), _SKIPPED),
    **dict.fromkeys(("failed",), _FAILED),
}
_NUNIT = {
    **dict.fromkeys(("passed", "success", "warning"), _PASSED),
    **dict.fromkeys(("skipped", "ignored", "notrunnable", "inconclusive", "notrun"), _SKIPPED),
    **dict.fromkeys(("failed", "failure"), _FAILED),
    **dict.fromkeys(("error", "cancelled"), _ERROR),
}
_XUNIT = {"pass": _PASSED, "fail": _FAILED, "skip": _SKIPPED, "notrun": _SKIPPED}
_TESTNG = {"pass": _PASSED, "fail": _FAILED, "skip": _SKIPPED, "success_percentage_failure": _PASSED}
_MOST_NAMED = 200_000


@dataclass(slots=True)
class _Open:
    """A test or a suite that is being read."""

    attributes: dict[str, str]
    message: str = ""
    trace: str = ""
    printed: str = ""


@dataclass(slots=True)
class _Names:
    """Tells tests of the same name apart: data rows often share it."""

    seen: dict[tuple[str, ...], int] = field(default_factory=dict)

    def unique(self, path: tuple[str, ...], name: str) -> str:
        key = (*path, name)
        if len(self.seen) < _MOST_NAMED:
            self.seen[key] = self.seen.get(key, 0) + 1
        number = self.seen.get(key, 1)
        return name if number == 1 else f"{name} ({number})"


def read_trx(source: Source) -> Iterator[ReportItem]:
    """Results in their order; those inside another one are its parts. Errors of the run itself come with them."""
    names = _Names()
    test: _Open | None = None
    depth = 0
    info: dict[str, str] = {}
    for event in events(source):
        if isinstance(event, Start):
            if event.tag == "UnitTestResult":
                depth += 1
                test = _Open(event.attributes) if depth == 1 else test
            elif event.tag == "RunInfo":
                info = event.attributes
        elif event.tag == "UnitTestResult":
            depth -= 1
            if depth == 0 and test is not None:
                yield _trx_case(test, names)
                test = None
        elif test is not None and event.tag in {"Message", "StackTrace", "StdOut"}:
            _note(
                test,
                {"Message": "message", "StackTrace": "trace", "StdOut": "printed"}[event.tag],
                event.text,
            )
        elif event.tag == "Text" and info.get("outcome") in {"Error", "Failed", "Aborted", "Timeout"}:
            yield ReportedSuite(path=("run",), line=0, problems=(problem("error", event.text.strip()),))
            info = {}


def _trx_case(test: _Open, names: _Names) -> ReportedCase:
    outcome = test.attributes.get("outcome", "")
    # The schema's default is Failed, but no runner leaves it out for that: without an outcome nothing was run.
    status = _TRX.get(outcome.lower(), _ERROR) if outcome else _SKIPPED
    hours, _, rest = test.attributes.get("duration", "").partition(":")
    minutes, _, left = rest.partition(":")
    elapsed = seconds_of(hours) * 3600 + seconds_of(minutes) * 60 + seconds_of(left)
    name = names.unique((), test.attributes.get("testName") or "(no name)")
    return _made(name, None, (), status, elapsed, test)


def read_nunit(source: Source) -> Iterator[ReportItem]:
    """Test cases; a fixture whose set-up or tear-down failed is told of itself."""
    names = _Names()
    path: list[_Open] = []
    case: _Open | None = None
    for event in events(source):
        if isinstance(event, Start):
            if event.tag == "test-suite":
                path.append(_Open(event.attributes))
            elif event.tag == "test-case":
                case = _Open(event.attributes)
        elif event.tag == "test-case" and case is not None:
            yield _nunit_case(case, names)
            case = None
        elif event.tag == "test-suite" and path:
            suite = path.pop()
            site = suite.attributes.get("site", "")
            red = suite.attributes.get("result", "").lower() in {"failed", "failure", "error"}
            if red and (
                site in {"SetUp", "TearDown"} or suite.attributes.get("label") in {"Invalid", "Error"}
            ):
                title = suite.attributes.get("fullname") or suite.attributes.get("name") or "suite"
                said = problem(
                    "error", suite.message.strip() or f"its {site or 'set-up'} failed", suite.trace
                )
                yield ReportedSuite(path=(title,), line=0, problems=(said,))
        elif event.tag in {"message", "stack-trace", "output"}:
            owner = case or (path[-1] if path else None)
            if owner is not None:
                _note(
                    owner,
                    {"message": "message", "stack-trace": "trace", "output": "printed"}[event.tag],
                    event.text,
                )


def _nunit_case(case: _Open, names: _Names) -> ReportedCase:
    given = case.attributes
    result = given.get("result", "").lower()
    status = _NUNIT.get(result, _ERROR)
    if not result:
        ran = given.get("executed", "true").lower() == "true"
        status = (_PASSED if given.get("success", "").lower() == "true" else _FAILED) if ran else _SKIPPED
    if status is _FAILED and given.get("label") in {"Error", "Cancelled", "Invalid"}:
        status = _ERROR
    class_name = given.get("classname") or None
    name = given.get("name") or given.get("fullname") or "(no name)"
    elapsed = seconds_of(given.get("duration") or given.get("time"))
    path = (class_name,) if class_name else ()
    return _made(names.unique(path, name), class_name, (), status, elapsed, case)


def read_xunit(source: Source) -> Iterator[ReportItem]:  # noqa: C901  # one branch an element
    """Tests; errors outside of tests are told of their assembly."""
    names = _Names()
    assembly = ""
    declared = told = 0
    test: _Open | None = None
    error: _Open | None = None
    for event in events(source):
        if isinstance(event, Start):
            if event.tag == "assembly":
                assembly = event.attributes.get("name", "").replace("\\", "/").rpartition("/")[2]
                declared += count_of(event.attributes.get("errors"))
            elif event.tag == "test":
                test = _Open(event.attributes)
            elif event.tag == "error":
                error = _Open(event.attributes)
        elif event.tag == "test" and test is not None:
            class_name = test.attributes.get("type") or None
            name = names.unique((class_name or "",), test.attributes.get("name") or "(no name)")
            status = _XUNIT.get(test.attributes.get("result", "").lower(), _ERROR)
            yield _made(name, class_name, (), status, seconds_of(test.attributes.get("time")), test)
            test = None
        elif event.tag == "error" and error is not None:
            told += 1
            said = problem("error", error.message or error.attributes.get("name", ""), error.trace)
            yield ReportedSuite(path=(assembly or "assembly",), line=0, problems=(said,))
            error = None
        elif event.tag in {"message", "stack-trace", "output", "reason"}:
            owner = test or error
            kind = {"stack-trace": "trace", "output": "printed"}.get(event.tag, "message")
            if owner is not None:
                _note(owner, kind, event.text)
    if declared > told:
        said = problem("error", f"{declared} errors outside of tests are declared")
        yield ReportedSuite(path=(assembly or "assembly",), line=0, problems=(said,))


def read_testng(source: Source) -> Iterator[ReportItem]:
    """Test methods; configuration methods that failed are told of their class."""
    names = _Names()
    suites: list[str] = []
    class_name = ""
    method: _Open | None = None
    for event in events(source):
        if isinstance(event, Start):
            if event.tag in {"suite", "test"}:
                suites.append(event.attributes.get("name", ""))
            elif event.tag == "class":
                class_name = event.attributes.get("name", "")
            elif event.tag == "test-method":
                method = _Open(event.attributes)
        elif event.tag in {"suite", "test"} and suites:
            suites.pop()
        elif event.tag == "test-method" and method is not None:
            yield from _testng(method, tuple(suites), class_name, names)
            method = None
        elif method is not None and event.tag in {"message", "full-stacktrace", "short-stacktrace"}:
            _note(method, "message" if event.tag == "message" else "trace", event.text)


def _testng(method: _Open, suites: tuple[str, ...], class_name: str, names: _Names) -> Iterator[ReportItem]:
    status = _TESTNG.get(method.attributes.get("status", "").lower(), _ERROR)
    name = method.attributes.get("name") or "(no name)"
    if method.attributes.get("is-config") == "true":
        if status in {_FAILED, _ERROR}:
            said = problem("failure", method.message.strip() or f"{name} failed", method.trace)
            yield ReportedSuite(path=(*suites, class_name, name), line=0, problems=(said,))
        return
    elapsed = seconds_of(method.attributes.get("duration-ms")) / 1000
    unique = names.unique((*suites, class_name), name)
    yield _made(unique, class_name or None, suites, status, elapsed, method)


def _note(owner: _Open, kind: str, text: str) -> None:
    if not getattr(owner, kind):
        setattr(owner, kind, text)


def _made(
    name: str,
    class_name: str | None,
    suites: tuple[str, ...],
    status: CaseStatus,
    elapsed: float,
    told: _Open,
) -> ReportedCase:
    kind = {_ERROR: "error", _SKIPPED: "skipped"}.get(status, "failure")
    said = told.message.strip()
    return ReportedCase(
        name=name,
        class_name=class_name,
        suites=tuple(suite for suite in suites if suite),
        status=status,
        duration_seconds=elapsed,
        line=0,
        problems=() if status is _PASSED else (problem(kind, said.partition("\n")[0], told.trace or said),),
        output=told.printed,
    )
