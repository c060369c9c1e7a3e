"""The server: refusals, the bound on work in hand, and what it counts; and the client's view of failures."""

import http.client
import json
import threading
from collections.abc import Callable
from http import HTTPStatus

import pytest
from shop.kit import web
from shop.kit.calls import DependencyError, Outcome, Peer
from shop.kit.metrics import DURATION, IN_FLIGHT, REQUESTS, Metrics
from shop.kit.web import MAX_BODY_BYTES, Answer, Request, Route, WebServer

Serve = Callable[..., WebServer]


def send(
    server: WebServer, method: str, path: str, body: str | None = None, **headers: str
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def peer(server: WebServer, *, timeout: float | None = 5.0) -> Peer:
    return Peer("other", f"http://127.0.0.1:{server.server_port}", timeout=timeout, metrics=Metrics("test"))


def test_the_named_parts_of_a_path_reach_the_handler(serve: Serve) -> None:
    server = serve([Route("GET", "/a/{x}/b/{y}", lambda request: Answer(request.path))])
    assert send(server, "GET", "/a/1/b/2?q=3") == (200, '{"x": "1", "y": "2"}')
    assert send(server, "GET", "/a/1/b") == (404, '{"error": "there is nothing here"}')


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Content-Length": str(MAX_BODY_BYTES + 1)}, 413), ({"Content-Length": "-1"}, 400)],
)
def test_a_body_of_no_honest_length_is_refused(serve: Serve, headers: dict[str, str], status: int) -> None:
    server = serve([Route("POST", "/", lambda _: Answer({}))])
    assert send(server, "POST", "/", **headers)[0] == status


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"name": 1}', '{"name": true}'])
def test_a_member_that_is_missing_or_of_another_kind_is_refused(serve: Serve, body: str) -> None:
    server = serve([Route("POST", "/", lambda request: Answer(request.field("name", str)))])
    status, text = send(server, "POST", "/", body)
    assert (status, json.loads(text)["error"][:4]) == (422, "name")


def test_a_fault_of_a_handler_is_an_answer_and_a_dependency_that_failed(serve: Serve) -> None:
    def fail(_: Request) -> Answer:
        raise RuntimeError("secret")

    server = serve([Route("GET", "/", fail)])
    assert send(server, "GET", "/") == (500, '{"error": "the service failed"}')
    with pytest.raises(DependencyError) as failed:
        peer(server).call("GET", "/")
    assert failed.value.outcome is Outcome.FAILED


def test_when_all_workers_are_busy_others_are_refused_but_health_and_metrics_are_not(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "WAIT_FOR_WORKER_SECONDS", 0.05)
    entered, leave = threading.Event(), threading.Event()

    def hang(_: Request) -> Answer:
        entered.set()
        leave.wait(10)
        return Answer({})

    server = serve([Route("GET", "/", hang)], workers=1)
    first = threading.Thread(target=send, args=(server, "GET", "/"))
    first.start()
    entered.wait(5)
    assert send(server, "GET", "/") == (503, '{"error": "all workers are busy"}')
    assert send(server, "GET", "/healthz") == (200, '{"status": "ok"}')
    hanging = f'{IN_FLIGHT.name}{{service="test"}} 1'
    while hanging not in send(server, "GET", "/metrics")[1]:  # the refused one has just left, or is about to
        leave.wait(0.01)
    assert server.drain(seconds=0.01) == 1
    leave.set()
    first.join()
    assert server.drain(seconds=5) == 0
    assert f'{REQUESTS.name}{{service="test",method="GET",route="/",status="503"}} 1' in server.metrics.text()


def test_a_call_that_gets_no_answer_in_time_ends_as_a_timeout(serve: Serve) -> None:
    leave = threading.Event()

    def hang(_: Request) -> Answer:
        leave.wait(10)
        return Answer({})

    server = serve([Route("GET", "/", hang)])
    with pytest.raises(DependencyError) as failed:
        peer(server, timeout=0.05).call("GET", "/")
    leave.set()
    assert failed.value.outcome is Outcome.TIMEOUT


def test_a_status_that_is_not_understood_is_no_answer(serve: Serve) -> None:
    server = serve([Route("GET", "/", lambda _: Answer({"a": 1}))])
    reply = peer(server).call("GET", "/")
    assert reply.expect(HTTPStatus.OK) == {"a": 1}
    with pytest.raises(DependencyError):
        reply.expect(HTTPStatus.CREATED)


def test_metrics_are_told_in_the_text_format() -> None:
    metrics = Metrics("order")
    metrics.add(REQUESTS, route='a"b\n', status="200")
    metrics.observe(DURATION, 0.3)
    metrics.read(IN_FLIGHT, lambda: {(): 2.5})
    lines = metrics.text().splitlines()
    assert lines[:6] == [
        "# HELP http_requests_total Requests that were answered.",
        "# TYPE http_requests_total counter",
        'http_requests_total{service="order",route="a\\"b\\n",status="200"} 1',
        "# HELP http_requests_in_flight Requests that wait for their answer now.",
        "# TYPE http_requests_in_flight gauge",
        'http_requests_in_flight{service="order"} 2.5',
    ]
    assert lines[-4:] == [
        'http_request_duration_seconds_bucket{service="order",le="10"} 1',
        'http_request_duration_seconds_bucket{service="order",le="+Inf"} 1',
        'http_request_duration_seconds_sum{service="order"} 0.3',
        'http_request_duration_seconds_count{service="order"} 1',
    ]
    buckets = dict(line.rsplit(" ", 1) for line in lines if "_bucket" in line)
    assert buckets['http_request_duration_seconds_bucket{service="order",le="0.25"}'] == "0"
    assert buckets['http_request_duration_seconds_bucket{service="order",le="0.5"}'] == "1"
