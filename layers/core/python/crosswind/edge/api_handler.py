"""The edge of an API function: a gateway event becomes a checked call, an answer or an error becomes a response.

A handler gets an `ApiCall` and returns a wire model, None, or an `Answer` where it decides the status. Errors become
RFC 9457 problems; what nobody foresaw becomes a 500 that says nothing of the inside, and is logged.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import wraps
from typing import Any, TypeVar

from pydantic import ValidationError

from crosswind.contracts.actors import Actor
from crosswind.contracts.api import ROUTES, Query, Route
from crosswind.contracts.base import WireModel
from crosswind.contracts.faults import field_errors
from crosswind.contracts.problems import PROBLEM_MEDIA_TYPE, PROBLEM_TYPE_BASE, FieldProblem, Problem
from crosswind.contracts.suites import MAX_SPEC_BYTES
from crosswind.edge import telemetry
from crosswind.kernel.errors import (
    FieldError,
    InvalidInputError,
    NotFoundError,
    QueueFullError,
    RetryableError,
    TerminalError,
    TooLargeError,
    UnauthenticatedError,
)

MAX_BODY_BYTES = MAX_SPEC_BYTES
DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_PATH_CHARACTERS = 128  # of a run's id or a suite's name in the address; both are half as long at most
_MAX_INTEGER_DIGITS = 15
_SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
M = TypeVar("M", bound=WireModel)
E = TypeVar("E", bound=StrEnum)


class MalformedRequestError(InvalidInputError):
    """The request itself cannot be read: no JSON, an unknown parameter, a number that is none."""

    status = 400
    slug = "malformed-request"
    title = "The request cannot be read"


@dataclass(frozen=True)
class Answer:
    """An answer whose status or text is not the route's usual one. `text` is JSON that was made before."""

    body: WireModel | None = None
    status: int | None = None
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ApiCall:
    """A checked call of one route."""

    route: Route
    who: Actor | None
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    stage: str = ""

    @property
    def actor(self) -> Actor:
        """Who calls. Raises UnauthenticatedError where the gateway let nobody's call through."""
        if self.who is None:
            raise UnauthenticatedError("the call has no identity")
        return self.who

    @property
    def limit(self) -> int:
        """Items per page."""
        limit = self.integer("limit", default=DEFAULT_LIMIT)
        if not 1 <= limit <= MAX_LIMIT:
            raise _malformed("limit", "is out of bounds", f"1 to {MAX_LIMIT}")
        return limit

    @property
    def cursor(self) -> str | None:
        """Where the page before ended."""
        return self.query.get("cursor")

    def integer(self, name: str, *, default: int) -> int:
        """A query parameter that is a whole number from 0 on."""
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_INTEGER_DIGITS):
            raise _malformed(name, "is no whole number", "a number from 0 on")
        return int(text)

    def boolean(self, name: str) -> bool:
        """A query parameter that is true or false; false unless told."""
        text = self.query.get(name, "false")
        if text not in {"true", "false"}:
            raise _malformed(name, "is neither true nor false", "true or false")
        return text == "true"

    def choice(self, name: str, kind: type[E]) -> E | None:
        """A query parameter that is one of an enumeration's values."""
        text = self.query.get(name)
        if text is None:
            return None
        try:
            return kind(text)
        except ValueError:
            raise _malformed(name, "is not one of the values", ", ".join(kind)) from None

    def required(self, name: str) -> str:
        """A query parameter that has to be there."""
        text = self.query.get(name)
        if not text:
            raise _malformed(name, "is required", None)
        return text

    def request(self, model: type[M]) -> M:
        """The JSON body as a model. Raises MalformedRequestError for no JSON, InvalidInputError for wrong fields."""
        document = _parse_json(self.body)
        try:
            return model.model_validate(document, by_alias=True, by_name=False)
        except ValidationError as error:
            faults = tuple(field_errors(error, document).values())
            raise InvalidInputError("the request has faults", faults) from error


Handler = Callable[[ApiCall], WireModel | Answer | None]


def api_handler(function: str) -> Callable[[Handler], Callable[[Any, Any], dict[str, Any]]]:
    """Make `def handler(call: ApiCall)` the Lambda of the route that names `function`."""
    route = next(route for route in ROUTES if route.function == function)

    def decorate(handler: Handler) -> Callable[[Any, Any], dict[str, Any]]:
        @wraps(handler)
        def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
            telemetry.bind(context, run_id=(event.get("pathParameters") or {}).get("id"))
            try:
                call = _read_call(route, event)
                telemetry.add(actor=call.who.subject if call.who else None)
                return _respond(route, handler(call))
            except TerminalError as error:
                return _problem(event, context, error)
            except RetryableError as error:
                telemetry.logger().warning("a dependency failed: %s", error, exc_info=True)
                return _plain_problem(
                    event,
                    context,
                    503,
                    "unavailable",
                    "Try again",
                    "A part behind the API did not answer in time.",
                )
            except Exception:  # noqa: BLE001  # the last barrier: nothing of the inside goes out
                telemetry.logger().exception("unforeseen fault")
                return _plain_problem(
                    event,
                    context,
                    500,
                    "internal",
                    "Internal error",
                    "Something went wrong on our side; it was logged.",
                )

        return handle

    return decorate


def _read_call(route: Route, event: Mapping[str, Any]) -> ApiCall:
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    actor = authorizer.get("actor")
    if actor is None and not route.public:
        raise UnauthenticatedError("the call has no identity")
    path = event.get("pathParameters") or {}
    if any(len(value) > MAX_PATH_CHARACTERS for value in path.values()):
        raise NotFoundError("there is nothing at this address")
    return ApiCall(
        route=route,
        who=Actor.model_validate_json(actor) if actor and not route.public else None,
        path=path,
        query=_read_query(route.query, event),
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        body=_read_body(event),
        stage=str(authorizer.get("stage", "")),
    )


def _read_query(known: tuple[Query, ...], event: Mapping[str, Any]) -> dict[str, str]:
    names = {each.name for each in known}
    single = event.get("queryStringParameters") or {}
    many = event.get("multiValueQueryStringParameters") or {}
    faults = []
    for name in dict.fromkeys((*single, *many)):
        if name not in names:
            expected = f"one of: {', '.join(sorted(names))}" if names else "none"
            faults.append(FieldError(str(name)[:60], "there is no such query parameter", expected))
        elif len(many.get(name) or ()) > 1:
            faults.append(FieldError(name, "is given more than once"))
    if faults:
        raise MalformedRequestError("the query cannot be read", faults)
    return {name: str(value) for name, value in single.items()}


def _read_body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    try:
        data = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except (binascii.Error, UnicodeError):
        raise MalformedRequestError("the body cannot be decoded") from None
    if len(data) > MAX_BODY_BYTES:
        raise TooLargeError(f"the body has {len(data)} bytes; at most {MAX_BODY_BYTES} are taken")
    return data


def _parse_json(body: bytes) -> Any:
    if not body:
        raise MalformedRequestError("the body is empty; JSON was expected")
    try:
        document = json.loads(body.decode(), parse_constant=_no_constant, object_pairs_hook=_unique)
        # What JSON can spell and nobody can pass on: half a surrogate pair, a number beyond all floats.
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise MalformedRequestError(
            "the body holds half of a surrogate pair, which is no character"
        ) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        fault = FieldError("", f"{error.msg} at {where}", expected="JSON", line=error.lineno)
        raise MalformedRequestError(f"the body is no JSON: {error.msg} at {where}", [fault]) from None
    except RecursionError:
        raise MalformedRequestError("the body is nested too deep") from None
    except ValueError as error:
        raise MalformedRequestError(f"the body is no JSON: {error}") from None
    return document


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has a key twice")
    return made


def _malformed(name: str, message: str, expected: str | None) -> MalformedRequestError:
    return MalformedRequestError(f"`{name}` {message}", [FieldError(name, message, expected)])


def _respond(route: Route, result: WireModel | Answer | None) -> dict[str, Any]:
    answer = result if isinstance(result, Answer) else Answer(body=result)
    text = answer.text if answer.text is not None else answer.body.to_wire() if answer.body else ""
    return _response(answer.status or route.status, text, "application/json", answer.headers)


def _problem(event: Mapping[str, Any], context: Any, error: TerminalError) -> dict[str, Any]:
    faults = error.errors if isinstance(error, InvalidInputError) else ()
    telemetry.logger().info("refused with %s: %s", error.status, error)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == UnauthenticatedError.status else {}
    if isinstance(error, QueueFullError):
        headers["Retry-After"] = str(error.retry_after_seconds)
    problem = Problem(
        type=f"{PROBLEM_TYPE_BASE}{error.slug}",
        title=error.title,
        status=error.status,
        detail=str(error) or error.title,
        instance=event.get("path"),
        request_id=_request_id(event, context),
        errors=tuple(
            FieldProblem(path=each.path, message=each.message, expected=each.expected, line=each.line)
            for each in faults
        )
        or None,
    )
    return _response(error.status, problem.to_wire(), PROBLEM_MEDIA_TYPE, headers)


def _plain_problem(
    event: Mapping[str, Any], context: Any, status: int, slug: str, title: str, detail: str
) -> dict[str, Any]:
    problem = Problem(
        type=f"{PROBLEM_TYPE_BASE}{slug}",
        title=title,
        status=status,
        detail=detail,
        instance=event.get("path"),
        request_id=_request_id(event, context),
    )
    headers = {"Retry-After": "1"} if slug == "unavailable" else {}
    return _response(status, problem.to_wire(), PROBLEM_MEDIA_TYPE, headers)


def _request_id(event: Mapping[str, Any], context: Any) -> str | None:
    known = (event.get("requestContext") or {}).get("requestId") or getattr(context, "aws_request_id", None)
    return str(known) if known else None


def _response(status: int, text: str, media_type: str, headers: Mapping[str, str]) -> dict[str, Any]:
    kind = {"Content-Type": media_type} if text else {}
    return {
        "statusCode": status,
        "headers": {**_SECURITY_HEADERS, **kind, **headers},
        "body": text,
        "isBase64Encoded": False,
    }
