"""The part of the CTRF JSON schema that our reports use: its required fields, types and closed objects."""

from typing import Any

_STATUS = {"enum": ["passed", "failed", "skipped", "pending", "other"]}
_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
_OPEN = {"type": "object"}


def _closed(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**properties, "extra": _OPEN},
        "additionalProperties": False,
    }


_FIGURES = ("tests", "passed", "failed", "skipped", "pending", "other", "start", "stop")
_ATTACHMENT = _closed(("name", "contentType", "path"), name=_TEXT, contentType=_TEXT, path=_TEXT)
_TEST = _closed(
    ("name", "status", "duration"),
    id={"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
    name={"type": "string", "minLength": 1},
    status=_STATUS,
    duration=_NUMBER,
    suite={"type": "array", "minItems": 1, "items": _TEXT},
    message=_TEXT,
    trace=_TEXT,
    rawStatus=_TEXT,
    retries=_NUMBER,
    flaky={"type": "boolean"},
    threadId=_TEXT,
    attachments={"type": "array", "items": _ATTACHMENT},
)
CTRF = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    **_closed(
        ("results", "reportFormat", "specVersion"),
        reportFormat={"const": "CTRF"},
        specVersion={"type": "string", "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$"},
        timestamp=_TEXT,
        generatedBy=_TEXT,
        results=_closed(
            ("tool", "summary", "tests"),
            tool=_closed(("name",), name={"type": "string", "minLength": 1}, version=_TEXT),
            summary=_closed(_FIGURES, **dict.fromkeys((*_FIGURES, "flaky", "duration"), _NUMBER)),
            tests={"type": "array", "items": _TEST},
            environment=_closed((), reportName=_TEXT, buildId=_TEXT, commit=_TEXT, branchName=_TEXT),
        ),
    ),
}
