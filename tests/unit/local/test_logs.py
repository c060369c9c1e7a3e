"""The embedded cloud's logs: every process's, or those of one component."""

from pathlib import Path

import pytest

from crosswind.local.home import Home, LocalError
from crosswind.local.logs import names_function, read_logs


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    for name in ("emulator", "gateway", "pool", "runner-1"):
        (home.logs / f"{name}.log").write_text(f"{name} says\nhello\n")
    return home


def lines(home: Home, component: str | None) -> list[tuple[str, str]]:
    return [(line.component, line.text) for line in read_logs(home, component=component, follow=False)]


@pytest.mark.parametrize("component", ["emulator", "gateway", "pool", "runner-1"])
def test_a_component_has_its_own_log(home: Home, component: str) -> None:
    assert lines(home, component) == [(component, f"{component} says"), (component, "hello")]


def test_without_a_component_every_process_is_read(home: Home) -> None:
    assert {component for component, _ in lines(home, None)} == {"emulator", "gateway", "pool", "runner-1"}


def test_a_component_that_does_not_exist_is_told_with_those_that_do(home: Home) -> None:
    with pytest.raises(LocalError, match=r"no log of runner-7; there are: emulator, gateway, pool, runner-1"):
        lines(home, "runner-7")


@pytest.mark.parametrize("component", ["PlanRun", "plan_run", "planrun"])
def test_a_function_is_named_as_its_module_or_as_in_the_stack(component: str) -> None:
    assert names_function("PlanRunLogs1234", component)
    assert not names_function("FoldRunLogs1234", component)
