"""`crosswind demo`: the main job end to end on this machine, checked as it goes; `make demo` calls it."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from crosswind.cli import demo_chaos, render
from crosswind.cli.account import sign_in_local, store_profile
from crosswind.cli.demo_steps import Steps, own_profile, start_cloud, without_overrides
from crosswind.cli.errors import ExitStatus
from crosswind.cli.logs import tail
from crosswind.cli.session import JsonOption, Session, session_in
from crosswind.cli.submitting import Finished, submit, wait_for
from crosswind.cli.surroundings import surroundings_of
from crosswind.contracts.requests import CaseView, RunView, VerdictKind
from crosswind.local.home import source_root

DEMO_USER = "editor"
EXPECTED_FAILURE = "test_a_declined_card_gives_the_stock_back"
THIRD_PARTY_PASSED, THIRD_PARTY_SKIPPED = 695, 1  # what pytest alone reports of more-itertools 10.8.0
SHOP_PASSED, SHOP_FAILED = 28, 1
_LOG_LINES = 20
_TRACE_LINES = 30


def demo(
    ctx: typer.Context,
    port: Annotated[int | None, typer.Option("--port", help="Port of the local endpoint.")] = None,
    emulator_port: Annotated[
        int | None, typer.Option("--emulator-port", help="Port of the emulator.")
    ] = None,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Break the example shop on purpose instead of testing it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Start the embedded cloud, run both example suites, and show a failure. Exit status 0: all was as expected."""
    around = surroundings_of(ctx)
    if chaos:
        demo_chaos.run_chaos_demo(around, port=port, emulator_port=emulator_port, as_json=as_json)
    steps = Steps(monotonic=around.monotonic)
    started = around.monotonic()
    with steps.step("up") as note:
        endpoint = start_cloud(around, port=port, emulator_port=emulator_port)
        note(endpoint)
    own = replace(around, environ=without_overrides(around))
    name = own_profile(own)
    with steps.step("sign in") as note:
        me = store_profile(own, name=name, profile=sign_in_local(own, endpoint=endpoint, user=DEMO_USER))
        note(f"{me.actor.subject}, profile {name}")
    with session_in(own, endpoint=endpoint, profile=name, as_json=as_json) as session:
        third_party, shop = run_examples(session, steps, examples=source_root() / "examples")
        faults = [*third_party_faults(third_party.run), *shop_faults(shop)]
        seconds = around.monotonic() - started
        if as_json:
            session.emit(_document(steps, (third_party.run, shop.run), faults, seconds))
        _print_end(session, steps, shop, faults, seconds)
    raise typer.Exit(ExitStatus.TROUBLE if faults else ExitStatus.OK)


def run_examples(session: Session, steps: Steps, *, examples: Path) -> tuple[Finished, Finished]:
    """Run the third-party suite and the shop's, and show the shop's failure with its trace and log."""
    third_party = _run(session, steps, "more-itertools", examples / "third-party" / "suite.yaml", {})
    shop = _run(session, steps, "shop", examples / "shop" / "suite.yaml", {"demo-failure": "1"})
    for case in (case for case in shop.worst.items if case.status in render.BAD):
        _show_failure(session, shop.run, case)
    return third_party, shop


def third_party_faults(run: RunView) -> list[str]:
    """What differs from what pytest alone reports."""
    tests = run.tests
    expected = (VerdictKind.PASSED, THIRD_PARTY_PASSED, THIRD_PARTY_SKIPPED)
    if (run.verdict and run.verdict.kind, tests.passed, tests.skipped) == expected and (
        tests.total == THIRD_PARTY_PASSED + THIRD_PARTY_SKIPPED
    ):
        return []
    totals = f"{THIRD_PARTY_PASSED} passed and {THIRD_PARTY_SKIPPED} skipped"
    return [f"more-itertools should pass with {totals}; it is {_words(run)}"]


def shop_faults(shop: Finished) -> list[str]:
    """What differs from the one failure that the demo asks for."""
    run = shop.run
    bad = [case.name for case in shop.worst.items if case.status in render.BAD]
    as_meant = (
        run.verdict is not None
        and run.verdict.kind is VerdictKind.FAILED
        and (run.tests.passed, run.tests.failed, run.tests.total)
        == (SHOP_PASSED, SHOP_FAILED, SHOP_PASSED + SHOP_FAILED)
        and len(bad) == 1
        and EXPECTED_FAILURE in bad[0]
    )
    if as_meant:
        return []
    return [
        f"shop should fail in {EXPECTED_FAILURE} alone; it is {_words(run)}, bad: {', '.join(bad) or 'none'}"
    ]


def _run(session: Session, steps: Steps, name: str, file: Path, parameters: dict[str, str]) -> Finished:
    given = "".join(f" --param {key}={value}" for key, value in parameters.items())
    session.say()
    session.say(Text(f"$ {session.command(f'run -f {_short(file)}{given} --wait')}", style="bold"))
    with steps.step(name) as note:
        accepted = submit(session, suite=None, file=file, parameters=parameters)
        ended = wait_for(session, accepted.execution_id)
        note(_words(ended.run))
    now = session.surroundings.now()
    for line in render.summary(ended.run, ended.worst.items, now=now, command=session.command):
        session.say(line)
    return ended


def _show_failure(session: Session, run: RunView, case: CaseView) -> None:
    session.say()
    session.say(Text(f"The failure of {render.case_name(case)}", style="bold"))
    for line in render.clean(case.details or case.message or "no details").splitlines()[-_TRACE_LINES:]:
        session.say(f"  {line}")
    session.say()
    session.say(Text(f"The end of the log of {case.work_id}", style="bold"))
    for line in tail(session, run.execution_id, work_id=case.work_id, lines=_LOG_LINES):
        session.say(f"  {render.clean(line)}")


def _print_end(session: Session, steps: Steps, shop: Finished, faults: list[str], seconds: float) -> None:
    session.say()
    session.say(Text("Demo", style="bold"))
    for line in steps.table(total=seconds):
        session.say(line)
    session.say()
    if faults:
        for fault in faults:
            session.say(Text.assemble(render.coloured("failed", bold=True), f"  {fault}"))
        return
    session.say(
        "All as expected. The shop's failure is deliberate: --param demo-failure=1 swaps in a stock that"
    )
    session.say("loses goods, and one test notices. Without the parameter the suite passes.")
    session.say()
    session.say(Text("Next", style="bold"))
    for step in (
        f"results {shop.run.execution_id} --status failed --details",
        "run -f examples/shop/suite.yaml --wait",
        "list",
    ):
        session.say(f"  {session.command(step)}")
    session.say(f"  {session.surroundings.program} status")
    session.say(f"  {session.surroundings.program} down")


def _document(
    steps: Steps, runs: tuple[RunView, ...], faults: list[str], seconds: float
) -> dict[str, object]:
    return {
        "asExpected": not faults,
        "faults": faults,
        "seconds": round(seconds, 1),
        "steps": steps.document(),
        "runs": [run.model_dump(mode="json", exclude_none=True) for run in runs],
    }


def _words(run: RunView) -> str:
    verdict = run.verdict.kind.value if run.verdict else run.state.value
    tests = run.tests
    named = {"passed": tests.passed, "failed": tests.failed, "error": tests.error, "skipped": tests.skipped}
    counts = ", ".join(f"{count} {name}" for name, count in named.items() if count)
    return f"{verdict}: {counts or 'no tests'} in {run.shards.total} shards"


def _short(file: Path) -> str:
    try:
        return str(file.relative_to(Path.cwd()))
    except ValueError:
        return str(file)
