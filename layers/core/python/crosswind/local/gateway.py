"""The one local endpoint: forwards /api/** to the emulator's REST API and /live to its WebSocket API, and is the local OIDC issuer under /oidc.

A process of its own: `python -m crosswind.local.gateway DATA_DIRECTORY`. It reads state.json again whenever it changes,
so that a new deployment needs no restart.
"""

import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from crosswind.contracts.problems import PROBLEM_MEDIA_TYPE, PROBLEM_TYPE_BASE, Problem
from crosswind.local.home import LOOPBACK, Home, LocalError, LocalState
from crosswind.local.issuer import Issuer, SignInError
from crosswind.local.socket_door import PATH, SocketDoor

MAX_BODY_BYTES = 10 * 1024 * 1024  # as API Gateway has it
FORM_LIMIT_BYTES = 16 * 1024
UPSTREAM_SECONDS = 30.0  # API Gateway gives a Lambda 29
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade", "host", "content-length", "expect", "date", "server"),
    )
)


@dataclass
class StateReader:
    """state.json as it is now, parsed again only when the file changed."""

    home: Home
    _stamp: int = 0
    _state: LocalState | None = None

    def __call__(self) -> LocalState | None:
        try:
            stamp = (self.home.path / "state.json").stat().st_mtime_ns
            if stamp != self._stamp:
                self._state, self._stamp = self.home.load(), stamp
        except (FileNotFoundError, LocalError):
            return None
        return self._state


class _BodyTooLargeError(Exception):
    """The request's body is over the limit."""


class Forwarder:
    """Passes requests on to the emulator's REST API and answers back, as they come."""

    def __init__(self, state: StateReader, client: httpx.AsyncClient) -> None:
        self._state = state
        self._client = client

    async def __call__(self, request: Request) -> Response:
        state = self._state()
        if _climbs(request):
            return problem(request, status=404, detail="a path may not hold `.` or `..`")
        if state is None or "ApiId" not in state.outputs:
            return problem(request, status=502, detail="no API is deployed yet; `crosswind up` deploys it")
        try:
            body = await _read(request, MAX_BODY_BYTES)
            headers = _end_to_end(request.headers.raw)
            upstream = self._client.build_request(
                request.method, _target(state, request), headers=headers, content=body
            )
            answer = await self._client.send(upstream, stream=True)
        except _BodyTooLargeError:
            return problem(request, status=413, detail=f"a request holds at most {MAX_BODY_BYTES} bytes")
        except httpx.TimeoutException:
            return problem(request, status=504, detail="the API did not answer in time")
        except httpx.TransportError:
            return problem(
                request, status=502, detail="the embedded cloud does not answer; `crosswind up` starts it"
            )
        response = StreamingResponse(
            answer.aiter_raw(), status_code=answer.status_code, background=BackgroundTask(answer.aclose)
        )
        response.raw_headers = _end_to_end(answer.headers.raw)
        return response


class IssuerEndpoints:
    """The issuer's documents and its token endpoint."""

    def __init__(self, state: StateReader, issuer: Issuer) -> None:
        self._state = state
        self._issuer = issuer

    async def discovery(self, request: Request) -> Response:
        """Where the issuer's keys and tokens are."""
        state = self._state()
        if state is None:
            return problem(request, status=502, detail="the embedded cloud is not up")
        return JSONResponse(self._issuer.discovery(state.issuer))

    async def key_set(self, _: Request) -> Response:
        """The keys that prove its tokens."""
        return JSONResponse(self._issuer.key_set(), headers={"cache-control": "max-age=300"})

    async def token(self, request: Request) -> Response:
        """A token for a local user's password."""
        state = self._state()
        if state is None:
            return problem(request, status=502, detail="the embedded cloud is not up")
        try:
            form = parse_qs((await _read(request, FORM_LIMIT_BYTES)).decode("utf-8", errors="replace"))
            answer = self._issuer.sign_in(
                issuer=state.issuer,
                grant=form.get("grant_type", [""])[0],
                user=form.get("username", [""])[0],
                password=form.get("password", [""])[0],
            )
        except _BodyTooLargeError:
            return problem(request, status=413, detail=f"a form holds at most {FORM_LIMIT_BYTES} bytes")
        except SignInError as error:
            return JSONResponse(
                {"error": error.error, "error_description": str(error)}, status_code=error.status
            )
        return JSONResponse(answer, headers={"cache-control": "no-store"})


def build_app(home: Home, *, transport: httpx.AsyncBaseTransport | None = None) -> Starlette:
    """The application; tests pass a transport in the emulator's place."""
    state = StateReader(home)
    trusted = _trusted(home)
    client = _client(trusted, transport)
    door = SocketDoor(trusted)
    endpoints = IssuerEndpoints(state, Issuer(home.issuer))
    forwarder = Forwarder(state, client)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    async def forward(request: Request) -> Response:
        return await forwarder(request)

    async def live(socket: WebSocket) -> None:
        await door(socket, state())

    async def health(_: Request) -> Response:
        current = state()
        return JSONResponse({"service": "crosswind-gateway", "deployed": bool(current and current.outputs)})

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/health", health),
            Route("/oidc/.well-known/openid-configuration", endpoints.discovery),
            Route("/oidc/.well-known/jwks.json", endpoints.key_set),
            Route("/oidc/jwks.json", endpoints.key_set),
            Route("/oidc/token", endpoints.token, methods=["POST"]),
            Route("/api/{path:path}", forward, methods=_METHODS),
            WebSocketRoute(PATH, live),
        ],
    )


def problem(request: Request, *, status: int, detail: str) -> Response:
    """An error of the gateway itself, in the API's one shape."""
    titles = {
        404: ("not-found", "Not found"),
        413: ("too-large", "Too large"),
        502: ("bad-gateway", "No answer"),
        504: ("timeout", "Too slow"),
    }
    slug, title = titles[status]
    content = Problem(
        type=f"{PROBLEM_TYPE_BASE}{slug}",
        title=title,
        status=status,
        detail=detail,
        instance=request.url.path,
    )
    return Response(
        content.model_dump_json(by_alias=True, exclude_none=True),
        status_code=status,
        media_type=PROBLEM_MEDIA_TYPE,
    )


def _trusted(home: Home) -> ssl.SSLContext:
    """What proves the emulator's own address."""
    authority = home.tls / "authority.pem"
    return ssl.create_default_context(cafile=str(authority) if authority.exists() else None)


def _client(verify: ssl.SSLContext, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=httpx.Timeout(UPSTREAM_SECONDS, connect=2.0),
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=20),
        transport=transport,
        verify=verify,
        trust_env=False,
        follow_redirects=False,
    )


def _climbs(request: Request) -> bool:
    """Whether the path leads up: the HTTP client would resolve it, past the API to the emulator's other services."""
    return any(part in (".", "..") for part in request.scope["path"].split("/"))


def _target(state: LocalState, request: Request) -> str:
    """The emulator's address of the REST API, with path and query exactly as they came."""
    raw_path = request.scope.get("raw_path") or request.url.path.encode()
    path = raw_path.decode("ascii").split("?", 1)[0]
    query = request.scope["query_string"].decode("ascii")
    base = (
        f"{state.emulator_url}/restapis/{state.outputs['ApiId']}/{state.outputs['ApiStage']}/_user_request_"
    )
    return f"{base}{path}?{query}" if query else f"{base}{path}"


def _end_to_end(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    named = {
        token.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for token in value.decode("latin-1").split(",")
    }
    dropped = _HOP_BY_HOP | named
    return [(name, value) for name, value in headers if name.decode("latin-1").lower() not in dropped]


async def _read(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _BodyTooLargeError
        parts.append(chunk)
    return b"".join(parts)


def main() -> None:
    """Serve on the port that state.json names, until SIGTERM."""
    home = Home(Path(sys.argv[1]))
    state = home.load()
    if state is None:
        raise LocalError(f"{home.path} holds no state.json; `crosswind up` writes it")
    uvicorn.run(
        build_app(home),
        host=LOOPBACK,
        port=state.port,
        log_level="info",
        access_log=False,
        timeout_graceful_shutdown=3,
        server_header=False,
        ws="websockets-sansio",
    )


if __name__ == "__main__":
    main()
