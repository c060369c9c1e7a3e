"""HTTP and Prometheus probes: what they measure, and where they never go."""

from collections.abc import Callable, Sequence

import httpx
import pytest

from crosswind.chaos.addresses import AddressRules
from crosswind.contracts.chaos.probes import HttpProbe, Measure, PrometheusProbe, Tolerance
from crosswind.kernel.errors import ForbiddenError
from crosswind.runner.monitoring.measuring import UnmeasurableError
from crosswind.runner.monitoring.web import MAX_ANSWER_BYTES, WebProbes

Answer = Callable[[httpx.Request], httpx.Response]
RULES = AddressRules(("shop.example", "other.example", "127.0.0.1"), ("127.0.0.1:9000",))
PUBLIC = "93.184.216.34"


def web(answer: Answer, *, addresses: Sequence[str] = (PUBLIC,), prometheus: str | None = None) -> WebProbes:
    return WebProbes(RULES, prometheus, lambda _host, _port: addresses, httpx.MockTransport(answer))


def probe(url: str = "https://shop.example/orders", **more: object) -> HttpProbe:
    return HttpProbe.model_validate({"name": "p", "type": "http", "url": url, **more})


def ok(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text='{"ok": true}')


def test_status_latency_and_body_are_measured() -> None:
    assert web(ok).http(probe()).value == 200
    assert web(ok).http(probe(measure=Measure.BODY)).value == '{"ok": true}'
    latency = web(ok).http(probe(measure=Measure.LATENCY))
    assert 0 <= latency.value < 2000
    assert latency.well


def test_a_server_error_is_not_well() -> None:
    measured = web(lambda _: httpx.Response(503)).http(probe())
    assert (measured.value, measured.well) == (503, False)


@pytest.mark.parametrize(
    ("measure", "value"), [(Measure.STATUS, 0), (Measure.BODY, ""), (Measure.LATENCY, 2000.0)]
)
def test_no_answer_is_the_systems_own_doing_and_not_unknown(measure: Measure, value: object) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    measured = web(refuse).http(probe(measure=measure))
    assert (measured.value, measured.well) == (value, False)


def test_the_connection_goes_to_an_address_that_was_checked_and_names_its_host() -> None:
    seen: list[httpx.Request] = []

    def look(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    web(look).http(probe())
    assert seen[0].url.host == PUBLIC
    assert seen[0].headers["host"] == "shop.example"
    assert seen[0].extensions["sni_hostname"] == "shop.example"


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://169.254.169.254/latest/meta-data", ["169.254.169.254"]),
        ("https://shop.example/", ["169.254.169.254"]),  # a name that leads there
        ("https://shop.example/", [PUBLIC, "169.254.169.254"]),  # one of its addresses does
        ("https://shop.example/", ["::ffff:169.254.169.254"]),
        ("http://127.0.0.1:9000/", ["127.0.0.1"]),  # the control plane's own listener
        ("https://unnamed.example/", [PUBLIC]),
    ],
)
def test_what_may_not_be_asked_is_not_asked(url: str, addresses: list[str]) -> None:
    def never(_: httpx.Request) -> httpx.Response:
        raise AssertionError("it was asked")

    with pytest.raises((UnmeasurableError, ForbiddenError)):
        web(never, addresses=addresses).http(probe(url))


def test_a_redirect_is_checked_like_the_first_address() -> None:
    def away(_: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": "https://169.254.169.254/"})

    with pytest.raises((UnmeasurableError, ForbiddenError)):
        web(away).http(probe())


def test_secrets_do_not_follow_a_redirect_to_another_host() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if len(seen) == 1:
            return httpx.Response(302, headers={"location": "https://other.example/"})
        return httpx.Response(200)

    web(answer).http(probe(headers={"Authorization": "Bearer x", "X-Trace": "1"}))
    assert "authorization" not in seen[1].headers
    assert seen[1].headers["x-trace"] == "1"


def test_redirects_end() -> None:
    def again(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": "/again"})

    with pytest.raises(UnmeasurableError, match="redirects"):
        web(again).http(probe())


def test_an_answer_that_is_too_large_is_unknown() -> None:
    with pytest.raises(UnmeasurableError, match="larger"):
        web(lambda _: httpx.Response(200, content=b"x" * (MAX_ANSWER_BYTES + 1))).http(probe())


def query(url: str | None = "https://shop.example") -> PrometheusProbe:
    return PrometheusProbe(
        name="q", type="prometheus", url=url, query="up", tolerance=Tolerance(range=(1, None))
    )


def answered(result: object, kind: str = "vector") -> Answer:
    document = {"status": "success", "data": {"resultType": kind, "result": result}}
    return lambda _: httpx.Response(200, json=document)


def test_a_query_gives_its_value_and_several_give_all() -> None:
    assert web(answered([{"value": [0, "0.97"]}])).query(query()).value == 0.97
    assert web(answered([0, "3"], "scalar")).query(query()).value == 3.0
    several = [{"value": [0, "1"]}, {"value": [0, "0.2"]}]
    assert web(answered(several)).query(query()).value == (1.0, 0.2)


def test_the_policys_prometheus_is_asked_where_no_other_is_named() -> None:
    probes = web(answered([{"value": [0, "1"]}]), prometheus="https://shop.example/")
    assert probes.query(query(None)).value == 1.0
    with pytest.raises(UnmeasurableError, match="no Prometheus"):
        web(ok).query(query(None))


@pytest.mark.parametrize(
    "answer", [ok, answered([]), answered([{}]), lambda _: httpx.Response(200, text="?")]
)
def test_a_query_without_a_value_is_unknown(answer: Answer) -> None:
    with pytest.raises(UnmeasurableError):
        web(answer).query(query())
