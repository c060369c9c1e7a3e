"""Telling people: the topic and the webhooks side by side, and what could not be told is returned."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from crosswind.adapters.notifiers.sns import SnsTopic
from crosswind.adapters.notifiers.telling import TellEverybody
from crosswind.adapters.notifiers.webhook import Webhooks
from tests.fakes import MemorySecrets
from tests.fakes.chaos import make_experiment_run

_URL = "https://chat.example.com/hooks/s3cr3t?room=1"


@dataclass
class Topic:
    """SNS."""

    published: list[dict[str, Any]] = field(default_factory=list)
    fault: Exception | None = None

    def publish(self, **call: Any) -> Any:
        if self.fault is not None:
            raise self.fault
        self.published.append(call)


@dataclass
class Server:
    """What webhooks are sent to."""

    status: int = 200
    asked: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(self.status)


def _notifier(
    topic: Topic, server: Server, *, url: str = _URL, addresses: tuple[str, ...] = ("93.184.216.34",)
) -> TellEverybody:
    run = make_experiment_run()
    secrets = MemorySecrets({(run.team, "team-chat"): url})
    webhooks = Webhooks(secrets=secrets, resolve=lambda _: addresses, transport=httpx.MockTransport(server))
    return TellEverybody(topic=SnsTopic(client=topic, topic_arn="arn:topic"), webhooks=webhooks)


def test_the_topic_and_the_webhook_are_told_the_same() -> None:
    topic, server = Topic(), Server()
    told = _notifier(topic, server).notify(
        make_experiment_run(), "aborted", "a guard was breached", webhooks=("team-chat",)
    )
    assert told == ()
    (call,) = topic.published
    (request,) = server.asked
    assert str(request.url) == _URL
    assert json.loads(request.content) == json.loads(call["Message"])
    assert "a guard was breached" in json.loads(call["Message"])["text"]
    assert len(call["Subject"]) < 100


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.8", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
def test_a_webhook_into_our_own_network_is_not_told(address: str) -> None:
    topic, server = Topic(), Server()
    told = _notifier(topic, server, addresses=("93.184.216.34", address)).notify(
        make_experiment_run(), "aborted", "", webhooks=("team-chat",)
    )
    assert server.asked == []
    assert len(told) == 1
    assert "public" in told[0]


@pytest.mark.parametrize(
    "url", ["http://chat.example.com/x", "ftp://chat.example.com", "nonsense", "https://"]
)
def test_only_https_is_told(url: str) -> None:
    server = Server()
    told = _notifier(Topic(), server, url=url).notify(
        make_experiment_run(), "aborted", "", webhooks=("team-chat",)
    )
    assert server.asked == []
    assert told == ("webhook team-chat: secret team-chat holds no https address",)


def test_what_cannot_be_told_names_no_address_and_keeps_nobody_else_waiting() -> None:
    topic, server = Topic(fault=RuntimeError("denied")), Server(status=500)
    told = _notifier(topic, server).notify(
        make_experiment_run(), "aborted", "", webhooks=("team-chat", "missing")
    )
    assert len(told) == 3
    assert not any("s3cr3t" in each for each in told)
