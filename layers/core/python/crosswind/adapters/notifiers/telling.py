"""The Notifier: the operators' topic and the teams' webhooks side by side, and never an exception."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from crosswind.adapters.notifiers.sns import SnsTopic
from crosswind.adapters.notifiers.webhook import Webhooks
from crosswind.chaos.model import ExperimentRun
from crosswind.kernel.concurrently import side_by_side

SECONDS = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TellEverybody:
    """Notifier. What cannot be told is returned as sentences; a secret address is in none of them."""

    topic: SnsTopic | None
    webhooks: Webhooks
    seconds: float = SECONDS

    def notify(
        self, run: ExperimentRun, occasion: str, text: str, *, webhooks: Sequence[str]
    ) -> tuple[str, ...]:
        calls: dict[str, Callable[[], None]] = {
            f"webhook {name}": partial(self.webhooks.tell, run, occasion, text, webhook=name)
            for name in dict.fromkeys(webhooks)
        }
        if self.topic is not None:
            calls["the operators' topic"] = partial(self.topic.tell, run, occasion, text)
        answers = side_by_side(tuple(calls.values()), seconds=self.seconds)
        untold = []
        for name, answer in zip(calls, answers, strict=True):
            if isinstance(answer, Exception):
                _log.warning("%s could not be told of %s: %s", name, run.run_id, type(answer).__name__)
                untold.append(f"{name}: {answer}")
        return tuple(untold)
