"""From a suite's text to a TestSuite, or to every fault at once: path, line, what was expected."""

from collections.abc import Mapping
from typing import Any

from crosswind.contracts import spec_text
from crosswind.contracts.documents import document_of, model_of
from crosswind.contracts.spec_text import Document
from crosswind.contracts.suites import TestSuite
from crosswind.runs.spec_rules import Rules, find_faults

SERVER = Rules()


def parse_suite(text: str | bytes, *, rules: Rules = SERVER) -> TestSuite:
    """Parse YAML or JSON text.

    Raises:
        InvalidInputError: With every fault.
        TooLargeError: The text is over 1 MiB.
    """
    return _parse(spec_text.read_text(text), rules)


def parse_document(document: Mapping[str, Any], *, rules: Rules = SERVER) -> TestSuite:
    """The same for a document that was parsed already; faults then have no lines."""
    value = dict(document)
    spec_text.check_value(value)
    return _parse(Document(value), rules)


def to_document(suite: TestSuite) -> dict[str, Any]:
    """The suite as the document that `parse_document` reads."""
    return document_of(suite)


def _parse(document: Document, rules: Rules) -> TestSuite:
    return model_of(document, TestSuite, noun="suite", ruled=find_faults(document.value, rules))
