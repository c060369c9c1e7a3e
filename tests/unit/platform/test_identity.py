"""Tokens become actors only when everything about them is right."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from crosswind.adapters.identity.jwt import COOL_DOWN_SECONDS, KEYS_LAST_SECONDS, TokenVerifier
from crosswind.contracts.actors import Role
from crosswind.edge.authorizer import UnauthorizedError, authorize
from crosswind.kernel.errors import DependencyError, UnauthenticatedError
from crosswind.platform.identity import IssuerConfigurationError, TrustedIssuer, parse_issuers

ISSUER = TrustedIssuer(issuer="https://issuer.example", audience="crosswind")
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


class FakeIssuer:
    """Answers discovery and key set; counts the fetches."""

    def __init__(self) -> None:
        self.keys = [
            {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "r", "alg": "RS256"},
            {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "e", "alg": "ES256"},
        ]
        self.fetched: list[str] = []
        self.broken = False
        self.now = 1000.0

    def fetch(self, address: str) -> bytes:
        self.fetched.append(address)
        if self.broken:
            raise DependencyError("no answer")
        if address.endswith("openid-configuration"):
            return json.dumps({"jwks_uri": "https://issuer.example/keys"}).encode()
        return json.dumps({"keys": self.keys}).encode()

    def verifier(self) -> TokenVerifier:
        return TokenVerifier([ISSUER], fetch=self.fetch, monotonic=lambda: self.now)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {
        "iss": ISSUER.issuer,
        "aud": "crosswind",
        "sub": "ada",
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "crosswind_teams": ["demo", "Not A Team"],
        "crosswind_roles": ["runner", "emperor"],
    }
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def bearer(key: Any = RSA_KEY, algorithm: str | None = "RS256", kid: str | None = "r", **changes: Any) -> str:
    headers = {"kid": kid} if kid else {}
    return "Bearer " + jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)


def test_a_valid_token_becomes_an_actor_with_known_roles_and_teams() -> None:
    actor = FakeIssuer().verifier()(bearer())
    assert (actor.subject, actor.teams, actor.roles) == ("ada", ("demo",), (Role.RUNNER,))
    assert FakeIssuer().verifier()(bearer(EC_KEY, "ES256", "e")).subject == "ada"


def _hmac_with_the_public_key() -> str:
    """The classic confusion: the public key as an HMAC secret."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"Bearer {part({'alg': 'HS256', 'kid': 'r'})}.{part(claims())}.c2ln"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Basic YTpi",
        "Bearer a.b.c",
        "Bearer " + "x" * 20_000,
        bearer(OTHER_KEY),
        bearer(None, None),
        _hmac_with_the_public_key(),
        bearer(kid=None),
        bearer(kid="unknown"),
        bearer(kid="e"),
        bearer(exp=int(time.time()) - 61),
        bearer(exp=None),
        bearer(nbf=int(time.time()) + 86_400),  # made when tests are collected, tried much later
        bearer(iat=int(time.time()) + 86_400),
        bearer(aud="somebody-else"),
        bearer(aud=None),
        bearer(iss="https://evil.example"),
        bearer(sub=None),
        bearer(sub=""),
        bearer(crosswind_teams=[f"t{n}" for n in range(101)]),
    ],
)
def test_anything_else_is_refused(authorization: str) -> None:
    with pytest.raises(UnauthenticatedError):
        FakeIssuer().verifier()(authorization)


def test_clocks_may_differ_by_a_minute() -> None:
    assert FakeIssuer().verifier()(bearer(exp=int(time.time()) - 30))


def test_keys_are_fetched_once_and_again_when_they_are_old() -> None:
    issuer = FakeIssuer()
    verify = issuer.verifier()
    verify(bearer())
    verify(bearer())
    assert len(issuer.fetched) == 2  # discovery and keys
    issuer.now += KEYS_LAST_SECONDS + 1
    verify(bearer())
    assert len(issuer.fetched) == 4


def test_unknown_key_ids_do_not_make_the_issuer_be_asked_each_time() -> None:
    issuer = FakeIssuer()
    verify = issuer.verifier()
    verify(bearer())
    for _ in range(5):
        with pytest.raises(UnauthenticatedError):
            verify(bearer(kid="new"))
    assert len(issuer.fetched) == 2
    issuer.keys.append({**issuer.keys[0], "kid": "new"})
    issuer.now += COOL_DOWN_SECONDS
    assert verify(bearer(kid="new"))


def test_known_keys_serve_while_the_issuer_does_not_answer_and_unknown_ones_are_told_apart() -> None:
    issuer = FakeIssuer()
    verify = issuer.verifier()
    verify(bearer())
    issuer.broken = True
    issuer.now += KEYS_LAST_SECONDS + 1
    assert verify(bearer())
    silent = FakeIssuer()
    silent.broken = True
    with pytest.raises(DependencyError):
        silent.verifier()(bearer())


@pytest.mark.parametrize(
    "text",
    ["{", "{}", '[{"issuer": "http://issuer.example", "audience": "a"}]', '[{"issuer": "https://x"}]', "[1]"],
)
def test_an_issuer_that_cannot_be_trusted_stops_the_deployment(text: str) -> None:
    with pytest.raises(IssuerConfigurationError):
        parse_issuers(text)


def test_a_local_issuer_may_be_plain_http() -> None:
    (issuer,) = parse_issuers('[{"issuer": "http://127.0.0.1:8080/oidc", "audience": "crosswind"}]')
    assert issuer.teams_claim == "crosswind_teams"


METHOD = "arn:aws:execute-api:eu-west-1:123456789012:abc/v1/GET/api/v1/tests/run-1"


@pytest.mark.parametrize(
    "event",
    [{"authorizationToken": bearer()}, {"headers": {"authorization": bearer()}}],
    ids=["token", "request"],
)
def test_the_authorizer_allows_the_whole_stage_with_the_actor_in_its_context(event: dict[str, Any]) -> None:
    verify = FakeIssuer().verifier()
    answer = authorize({**event, "methodArn": METHOD}, None, verify=verify, stage="dev")
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Resource"] == "arn:aws:execute-api:eu-west-1:123456789012:abc/v1/*"
    assert json.loads(answer["context"]["actor"])["subject"] == "ada"


@pytest.mark.parametrize("fault", [UnauthenticatedError("x"), DependencyError("x"), RuntimeError("x")])
def test_every_fault_is_unauthorized_to_the_gateway(fault: Exception) -> None:
    def verify(_: str) -> Any:
        raise fault

    with pytest.raises(UnauthorizedError, match=r"^Unauthorized$"):
        authorize({"authorizationToken": "x", "methodArn": METHOD}, None, verify=verify, stage="dev")
