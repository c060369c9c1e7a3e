"""Documents that the API serves, written by crosswind.edge.openapi at build time."""

from pathlib import Path

FOLDER = Path(__file__).parent
OPENAPI = "openapi.json"
SUITE_SCHEMA = "test-suite.schema.json"
FRAMEWORK_SCHEMA = "framework.schema.json"
EXPERIMENT_SCHEMA = "chaos-experiment.schema.json"


def stored(name: str) -> str:
    """A document's text."""
    return (FOLDER / name).read_text(encoding="utf-8")
