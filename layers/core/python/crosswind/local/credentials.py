"""Gives the pool the short-lived credentials of the runners' role, the way a container on AWS gets those of its own.

Where IAM is enforced, the pool lets go of the account's root key and answers its runners on the loopback address. Every
AWS SDK asks there (AWS_CONTAINER_CREDENTIALS_FULL_URI) at its first call, and again before the credentials end.
"""

import json
import secrets
from collections.abc import Callable, Mapping, MutableMapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from crosswind.adapters.aws.sessions import SessionCredentials
from crosswind.bootstrap.deployment import role_sessions
from crosswind.kernel.errors import DependencyError
from crosswind.local.home import LOOPBACK

ROLE_ARN = "CROSSWIND_RUNNER_ROLE_ARN"
_PATH = "/credentials"
_ROOT_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_ANSWER_SECONDS = 5


class CredentialServer(ThreadingHTTPServer):
    """Answers who knows its token with a new session of the role. It ends with the process."""

    daemon_threads = True

    def __init__(self, open_session: Callable[[], SessionCredentials]) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.open_session = open_session
        self.token = secrets.token_urlsafe(32)

    def start(self) -> None:
        """Serve in the background."""
        Thread(target=self.serve_forever, daemon=True, name="credentials").start()

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to get credentials here."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{LOOPBACK}:{self.server_port}{_PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self.token,
        }


class _Handler(BaseHTTPRequestHandler):
    server: CredentialServer
    timeout = _ANSWER_SECONDS

    def do_GET(self) -> None:  # the name that http.server gives
        if not secrets.compare_digest(
            self.headers.get("Authorization", "").encode(), self.server.token.encode()
        ):
            self._answer(HTTPStatus.FORBIDDEN, {"message": "the token is not the pool's"})
        elif self.path != _PATH:
            self._answer(HTTPStatus.NOT_FOUND, {"message": "there is nothing here"})
        else:
            self._answer_session()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name that http.server gives
        """Say nothing of requests: there is one per runner and hour."""

    def _answer_session(self) -> None:
        try:
            session = self.server.open_session()
        except DependencyError as error:
            print(f"no credentials for a runner: {error}", flush=True)
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {"message": str(error)})
            return
        document = {
            "AccessKeyId": session.key_id,
            "SecretAccessKey": session.secret,
            "Token": session.token,
            "Expiration": session.expires_at.isoformat(),
        }
        self._answer(HTTPStatus.OK, document)

    def _answer(self, status: HTTPStatus, document: Mapping[str, str]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def trade_root_for_role(environ: MutableMapping[str, str]) -> None:
    """Where `environ` names a role, replace the root key in it by a place to get the role's credentials."""
    role = environ.pop(ROLE_ARN, None)
    if role is None:
        return
    server = CredentialServer(role_sessions(dict(environ), role_arn=role).open)
    for name in _ROOT_KEYS:
        environ.pop(name, None)
    environ.update(server.environment)
    server.start()
