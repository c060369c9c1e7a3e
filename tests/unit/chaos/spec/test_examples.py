"""The experiments that users are given to begin with."""

from pathlib import Path

import pytest

from crosswind.chaos.specs import parse_experiment
from crosswind.cli.demo_chaos import scenes
from tests.unit.chaos.spec.samples import SERVER

FOLDER = Path(__file__).parents[4] / "examples" / "experiments"


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_example_is_taken_as_it_is_and_named_by_its_file(file: Path) -> None:
    experiment = parse_experiment(file.read_text(encoding="utf-8"), rules=SERVER)
    assert experiment.metadata.name == file.stem


def test_the_demo_plays_examples_that_are_there_with_and_without_toxiproxy() -> None:
    played = {scene.experiment for there in (True, False) for scene in scenes(toxiproxy=there)}
    assert played == {file.stem for file in FOLDER.glob("*.yaml")}
