"""From a suite's text to a TestSuite, or to every fault at once: path, line, what was expected.

The model finds faults of form; the rules here find what no model can say, over the raw document, so that both kinds are
told together. What a rule needs and does not find, it leaves to the model.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from crosswind.contracts import spec_text
from crosswind.contracts.faults import Path, field_errors, field_names, path_text, with_suggestions
from crosswind.contracts.spec_text import Document
from crosswind.contracts.suites import TestSuite
from crosswind.kernel.errors import FieldError, InvalidInputError
from crosswind.runs.spec_rules import Rules, find_faults

SERVER = Rules()
_MOST_FAULTS = 200


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
    made: dict[str, Any] = suite.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    return made


def _parse(document: Document, rules: Rules) -> TestSuite:
    found: dict[Path, FieldError] = {}
    suite = None
    try:
        suite = TestSuite.model_validate(document.value, by_alias=True, by_name=False)
    except ValidationError as error:
        found = field_errors(error, document.value)
        with_suggestions(
            found, {path[:-1]: field_names(TestSuite, path[:-1], document.value) for path in found if path}
        )
    ruled = [
        (path, FieldError(path_text(path), message, expected))
        for path, message, expected in find_faults(document.value, rules)
        if path not in found
    ]
    if suite is None or found or ruled:
        faults = [replace(fault, line=document.line(path)) for path, fault in (*found.items(), *ruled)]
        faults.sort(key=lambda fault: fault.line or 0)
        raise InvalidInputError(_sentence(len(faults)), faults[:_MOST_FAULTS])
    return suite


def _sentence(count: int) -> str:
    return "the suite has a fault" if count == 1 else f"the suite has {count} faults"
