"""Whatever strikes a run in whatever state: the provider has nothing left, or the run says so and somebody was told."""

from pathlib import Path

import pytest

from crosswind.contracts.chaos.lifecycle import RunState
from tests.unit.chaos.engine import matrix
from tests.unit.chaos.engine.matrix import FAULTS, ROADS, Fault

DOCS = Path(__file__).parents[4] / "docs" / "chaos-matrix.md"

pytestmark = pytest.mark.xdist_group("chaos-matrix")  # the document is made of what the other tests found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("state", ROADS, ids=lambda state: state.value)
def test_nothing_is_left_at_the_provider_or_the_run_says_so_and_somebody_was_told(
    state: RunState, fault: Fault
) -> None:
    endings = matrix.cell(state, fault)
    assert endings
    assert [(each.place, each.wrong) for each in endings if each.wrong] == []


def test_every_state_is_struck_but_the_one_after_which_nothing_is_in() -> None:
    assert {*ROADS} == {*RunState} - {RunState.ANALYZED}


def test_the_docs_show_the_matrix_as_it_is() -> None:
    assert DOCS.read_text(encoding="utf-8") == matrix.render(), "write it anew: make docs"
