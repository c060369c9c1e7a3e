"""The local endpoint: what it passes on, what it keeps, and what it says when the emulator is away."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import jwt
import pytest
from starlette.applications import Starlette

from crosswind.local.gateway import MAX_BODY_BYTES, build_app
from crosswind.local.home import Home, LocalState, write_private
from crosswind.local.issuer import ensure_issuer

STATE = LocalState(port=8080, emulator_port=4566, runners=1, outputs={"ApiId": "abc", "ApiStage": "local"})


class Caller:
    """Calls the application in this process, without a server."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
                return await client.request(method, path, **options)

        return asyncio.run(call())

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)


async def chunks() -> AsyncIterator[bytes]:
    yield b'{"ok":'
    yield b" true}"


@cache
def issuer_files() -> dict[str, str]:
    """A key and users, made once: an RSA key takes a while."""
    with tempfile.TemporaryDirectory() as folder:
        ensure_issuer(Path(folder))
        return {path.name: path.read_text() for path in Path(folder).iterdir()}


def home_with(path: Path, state: LocalState | None = STATE) -> Home:
    home = Home(path)
    home.create()
    for name, text in issuer_files().items():
        write_private(home.issuer / name, text)
    if state is not None:
        home.save(state)
    return home


def sign_in(
    client: Caller, home: Home, *, user: str = "editor", password: str | None = None
) -> httpx.Response:
    users = json.loads((home.issuer / "users.json").read_text())
    form = {"grant_type": "password", "username": user, "password": password or users[user]["password"]}
    return client.post("/oidc/token", data=form)


def test_a_request_goes_to_the_rest_api_with_path_and_query_as_they_came(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []

    def emulator(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        headers = {"content-type": "application/json", "x-answer": "1", "connection": "close"}
        return httpx.Response(202, content=chunks(), headers=headers)

    app = build_app(home_with(tmp_path), transport=httpx.MockTransport(emulator))
    client = Caller(app)
    answer = client.post(
        "/api/v1/tests?a=%20b", content=b"{}", headers={"authorization": "Bearer t", "te": "trailers"}
    )
    assert answer.status_code == 202
    assert answer.json() == {"ok": True}
    assert answer.headers["x-answer"] == "1"
    assert "connection" not in answer.headers
    assert str(seen[0].url) == "http://127.0.0.1:4566/restapis/abc/local/_user_request_/api/v1/tests?a=%20b"
    assert seen[0].headers["authorization"] == "Bearer t"
    assert "te" not in seen[0].headers


@pytest.mark.parametrize(
    "path", [b"/api/v1/../../../../_ministack/reset", b"/api/v1/%2e%2e/tests", b"/api/a%3F/../tests"]
)
def test_a_path_that_leads_up_goes_nowhere(tmp_path: Path, path: bytes) -> None:
    def emulator(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    app = build_app(home_with(tmp_path), transport=httpx.MockTransport(emulator))
    sent: list[Any] = []

    async def call() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": unquote(path.decode()), "raw_path": path}
        await app({**scope, "query_string": b"", "headers": [(b"host", b"127.0.0.1:8080")]}, receive, send)

    asyncio.run(call())
    assert sent[0]["status"] == 404


@pytest.mark.parametrize(
    ("error", "status"),
    [(httpx.ConnectError("refused"), 502), (httpx.ReadTimeout("slow"), 504)],
)
def test_an_emulator_that_does_not_answer_gives_a_problem(
    tmp_path: Path, error: httpx.TransportError, status: int
) -> None:
    def emulator(_: httpx.Request) -> httpx.Response:
        raise error

    app = build_app(home_with(tmp_path), transport=httpx.MockTransport(emulator))
    client = Caller(app)
    answer = client.get("/api/v1/tests")
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["status"] == status


def test_a_body_over_the_limit_is_refused_and_not_passed_on(tmp_path: Path) -> None:
    def emulator(_: httpx.Request) -> httpx.Response:
        raise AssertionError("it was passed on")

    app = build_app(home_with(tmp_path), transport=httpx.MockTransport(emulator))
    client = Caller(app)
    assert client.post("/api/v1/tests", content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413


def test_before_the_first_deployment_the_api_says_so(tmp_path: Path) -> None:
    client = Caller(build_app(home_with(tmp_path, None)))
    answer = client.get("/api/v1/tests")
    assert answer.status_code == 502
    assert "crosswind up" in answer.json()["detail"]


def test_a_local_user_gets_a_token_that_the_published_key_proves(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    client = Caller(build_app(home))
    token = sign_in(client, home).json()["access_token"]
    document = client.get("/oidc/.well-known/openid-configuration").json()
    (key,) = client.get("/oidc/jwks.json").json()["keys"]
    claims = jwt.decode(
        token, jwt.PyJWK(key), algorithms=["RS256"], audience="crosswind", issuer=document["issuer"]
    )
    assert claims["sub"] == "editor"
    assert claims["crosswind_teams"] == ["demo"]
    assert claims["crosswind_roles"] == ["editor"]


@pytest.mark.parametrize("user", ["editor", "nobody"])
def test_a_wrong_password_and_an_unknown_user_look_the_same(tmp_path: Path, user: str) -> None:
    home = home_with(tmp_path)
    client = Caller(build_app(home))
    answer = sign_in(client, home, user=user, password="wrong")
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_grant"


def test_guessing_is_slowed_down(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    client = Caller(build_app(home))
    statuses = [sign_in(client, home, password="wrong").status_code for _ in range(11)]
    assert statuses == [400] * 10 + [429]


def test_key_and_users_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    for name in ("key.pem", "users.json"):
        (home.issuer / name).unlink()
    ensure_issuer(home.issuer)
    files = [home.issuer / "key.pem", home.issuer / "users.json", home.path / "state.json"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


@pytest.mark.parametrize("deployed", [True, False])
def test_a_socket_that_cannot_be_had_is_refused_in_the_handshake(tmp_path: Path, *, deployed: bool) -> None:
    outputs = {"SocketApiId": "abc", "SocketStage": "live"} if deployed else {}
    home = home_with(tmp_path, replace(STATE, emulator_port=1, outputs=outputs))
    app = build_app(home)
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "websocket",
        "path": "/live",
        "raw_path": b"/live",
        "root_path": "",
        "scheme": "ws",
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer t")],
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    assert [message["type"] for message in sent][:1] == ["websocket.http.response.start"]
    assert sent[0]["status"] == 502
    assert b"crosswind up" in sent[1]["body"]
