"""A stand-in for AWS FIS that a real client talks to: its states, tokens, quotas, lever, alarms, and how it goes wrong.

It keeps what AWS documents: tokens make templates and experiments once, targets are resolved by ARNs, tags, parameters
and selection modes (shares round down), an experiment without targets fails, a dry run skips its actions, durations end
experiments, alarms and the safety lever stop them, and five run at once. Its time moves only when it is told.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import RLock, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ACCOUNT, REGION = "111122223333", "us-east-1"
POD = "aws:eks:pod"
_ACTIVE = frozenset({"pending", "initiating", "running", "stopping"})
_BEGINS_AFTER = 2.0  # seconds in `pending` and `initiating`
_DURATIONS = ("duration", "startInstancesAfterDuration", "durationBeforeInterruption")
_ISO = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
Json = dict[str, Any]


class RefusalError(Exception):
    """An error as FIS answers it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True)
class Resource:
    """Something that can be hit."""

    kind: str
    arn: str
    tags: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)

    def information(self) -> dict[str, str]:
        """As ListExperimentResolvedTargets tells it."""
        return {"podName": self.arn} if self.kind == POD else {"arn": self.arn}


@dataclass
class FakeFis:
    """The service of one account and region."""

    resources: list[Resource] = field(default_factory=list)
    quota: int = 5
    lever: str = "disengaged"
    ringing: set[str] = field(default_factory=set)
    """ARNs of alarms that are in ALARM."""
    fails_with: str | None = None
    """The error code of every experiment that begins from now on."""
    now: float = 0.0
    throttled: int = 0
    """So many calls from now on are throttled."""
    lost_answers: set[str] = field(default_factory=set)
    """Operations whose next answer is lost after it was done, as `POST /experiments`."""
    templates: dict[str, Json] = field(default_factory=dict)
    experiments: dict[str, Json] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    lock: RLock = field(default_factory=RLock)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self.lock:
            self.now += seconds
            self._move()

    def ring(self, alarm: str) -> None:
        """The alarm goes off."""
        with self.lock:
            self.ringing.add(alarm)
            self._move()

    def hits(self, arn: str) -> bool:
        """Whether a fault is in at the resource now."""
        with self.lock:
            self._move()
            return any(
                experiment["state"]["status"] in {"running", "stopping"}
                and not experiment["dryRun"]
                and any(arn == each.arn for each in experiment["resolved"])
                for experiment in self.experiments.values()
            )

    def running(self) -> list[Json]:
        """Experiments that are not over."""
        return [each for each in self.experiments.values() if each["state"]["status"] in _ACTIVE]

    def answer(self, method: str, path: str, query: Json, body: Json) -> Json:
        """One call."""
        with self.lock:
            self.calls.append(f"{method} {path}")
            if self.throttled:
                self.throttled -= 1
                raise RefusalError(429, "ThrottlingException", "Rate exceeded")
            self._move()
            for pattern, handler in self._routes(method):
                found = re.fullmatch(pattern, path)
                if found:
                    return handler(*(unquote(each) for each in found.groups()), query | body)
            raise RefusalError(404, "UnknownOperationException", f"{method} {path}")

    def _routes(self, method: str) -> Iterator[tuple[str, Callable[..., Json]]]:
        routes: dict[str, list[tuple[str, Callable[..., Json]]]] = {
            "POST": [("/experimentTemplates", self._create), ("/experiments", self._start)],
            "DELETE": [("/experimentTemplates/([^/]+)", self._delete), ("/experiments/([^/]+)", self._stop)],
            "PATCH": [("/safetyLevers/([^/]+)/state", self._pull)],
            "GET": [
                ("/experimentTemplates", self._list_templates),
                ("/experiments", self._list_experiments),
                ("/experiments/([^/]+)", self._get),
                ("/experiments/([^/]+)/resolvedTargets", self._resolved),
                ("/safetyLevers/([^/]+)", self._read_lever),
            ],
        }
        yield from routes.get(method, [])

    def _create(self, given: Json) -> Json:
        for template in self.templates.values():
            if template["clientToken"] == given["clientToken"]:
                return {"experimentTemplate": template}
        _check(given)
        template = {**given, "id": f"EXT{len(self.templates) + 1:013d}"}
        self.templates[template["id"]] = template
        return {"experimentTemplate": template}

    def _delete(self, template: str, _: Json) -> Json:
        if template not in self.templates or self.templates[template].get("deleted"):
            raise RefusalError(
                404, "ResourceNotFoundException", f"Experiment template {template} does not exist"
            )
        self.templates[template]["deleted"] = True
        return {"experimentTemplate": self.templates[template]}

    def _start(self, given: Json) -> Json:
        for experiment in self.experiments.values():
            if experiment["clientToken"] == given["clientToken"]:
                return {"experiment": _shown(experiment)}
        template = self.templates.get(given["experimentTemplateId"])
        if template is None or template.get("deleted"):
            raise RefusalError(404, "ResourceNotFoundException", "There is no such experiment template")
        if len(self.running()) >= self.quota:
            raise RefusalError(
                402, "ServiceQuotaExceededException", "You have reached your quota of experiments"
            )
        experiment = {
            "id": f"EXP{len(self.experiments) + 1:013d}",
            "experimentTemplateId": template["id"],
            "clientToken": given["clientToken"],
            "tags": given.get("tags", {}),
            "template": template,
            "dryRun": given.get("experimentOptions", {}).get("actionsMode") == "skip-all",
            "createdAt": self.now,
            "resolved": [],
            "state": {"status": "pending"},
            "actions": {name: {"state": {"status": "pending"}} for name in template["actions"]},
        }
        if self.lever == "engaged":
            _end(experiment, "cancelled", "Experiment cancelled: the safety lever is engaged", self.now)
        self.experiments[experiment["id"]] = experiment
        return {"experiment": _shown(experiment)}

    def _stop(self, experiment: str, _: Json) -> Json:
        found = self._experiment(experiment)
        if found["state"]["status"] not in {"pending", "initiating", "running"}:
            raise RefusalError(400, "ValidationException", f"Experiment {experiment} cannot be stopped")
        self._begin_stop(found, "Experiment stopped")
        return {"experiment": _shown(found)}

    def _get(self, experiment: str, _: Json) -> Json:
        return {"experiment": _shown(self._experiment(experiment))}

    def _resolved(self, experiment: str, given: Json) -> Json:
        resolved = [
            {"resourceType": each.kind, "targetName": "chosen-1", "targetInformation": each.information()}
            for each in self._experiment(experiment)["resolved"]
        ]
        return _page("resolvedTargets", resolved, given)

    def _list_experiments(self, given: Json) -> Json:
        return _page("experiments", [_shown(each) for each in self.experiments.values()], given)

    def _list_templates(self, given: Json) -> Json:
        kept = [each for each in self.templates.values() if not each.get("deleted")]
        return _page("experimentTemplates", kept, given)

    def _read_lever(self, lever: str, _: Json) -> Json:
        return {"safetyLever": {"id": lever, "state": {"status": self.lever, "reason": "told"}}}

    def _pull(self, lever: str, given: Json) -> Json:
        wanted = given["state"]["status"]
        if wanted == self.lever:
            raise RefusalError(409, "ConflictException", f"The safety lever is {wanted} already")
        self.lever = wanted
        for experiment in self.running() if wanted == "engaged" else ():
            self._begin_stop(experiment, "Experiment stopped by the safety lever")
        return self._read_lever(lever, given)

    def _experiment(self, experiment: str) -> Json:
        if experiment not in self.experiments:
            raise RefusalError(404, "ResourceNotFoundException", f"Experiment {experiment} does not exist")
        return self.experiments[experiment]

    def _move(self) -> None:
        """Bring every experiment to where it is by now."""
        for experiment in self.running():
            status, age = experiment["state"]["status"], self.now - experiment["createdAt"]
            if status == "stopping" and self.now >= experiment["endsAt"]:
                _end(experiment, "stopped", experiment["state"]["reason"], self.now)
            elif status in {"pending", "initiating"} and age >= _BEGINS_AFTER:
                self._begin(experiment)
            elif status == "pending" and age > 0:
                experiment["state"] = {"status": "initiating"}
            if experiment["state"]["status"] == "running":
                self._go_on(experiment)

    def _begin(self, experiment: Json) -> None:
        template = experiment["template"]
        experiment["resolved"] = [
            resource for target in template["targets"].values() for resource in self._resolve(target)
        ]
        if self.fails_with:
            _end(experiment, "failed", "Experiment failed", self.now, code=self.fails_with)
        elif (
            not experiment["resolved"]
            and template["experimentOptions"]["emptyTargetResolutionMode"] == "fail"
        ):
            _end(experiment, "failed", "Target resolution returned empty set", self.now)
        elif experiment["dryRun"]:
            for action in experiment["actions"].values():
                action["state"] = {"status": "skipped"}
            experiment["state"] = {
                "status": "completed",
                "reason": "Experiment completed; all actions skipped",
            }
        else:
            experiment["state"] = {"status": "running"}
            experiment["startedAt"] = self.now
            for action in experiment["actions"].values():
                action |= {"state": {"status": "running"}, "startTime": self.now}

    def _go_on(self, experiment: Json) -> None:
        alarms = {stop.get("value") for stop in experiment["template"]["stopConditions"]}
        if alarms & self.ringing:
            self._begin_stop(experiment, "Experiment halted by stop condition")
        elif self.now - experiment["startedAt"] >= _seconds(experiment["template"]):
            _end(experiment, "completed", "Experiment completed", self.now)

    def _begin_stop(self, experiment: Json, reason: str) -> None:
        """What was done is taken back first: FIS is `stopping` for a moment."""
        experiment["state"] = {"status": "stopping", "reason": reason}
        experiment["endsAt"] = self.now + 1

    def _resolve(self, target: Json) -> list[Resource]:
        matching = [
            resource
            for resource in self.resources
            if resource.kind == target["resourceType"]
            and (not target.get("resourceArns") or resource.arn in target["resourceArns"])
            and target.get("resourceTags", {}).items() <= resource.tags.items()
            and target.get("parameters", {}).items() <= resource.parameters.items()
        ]
        mode = target["selectionMode"]
        number = re.fullmatch(r"(COUNT|PERCENT)\((\d+)\)", mode)
        if number is None:
            return matching
        share = int(number[2]) if number[1] == "COUNT" else len(matching) * int(number[2]) // 100
        return matching[:share]


def _check(given: Json) -> None:
    """What FIS itself refuses in a template."""
    for target in given["targets"].values():
        if target.get("resourceArns") and target.get("resourceTags"):
            raise RefusalError(400, "ValidationException", "resourceArns and resourceTags exclude each other")
        if len(target.get("resourceArns", [])) > 5:  # the quota of AWS
            raise RefusalError(400, "ValidationException", "A target takes at most five resourceArns")
    if len(given["actions"]) > 20:  # the quota of AWS
        raise RefusalError(402, "ServiceQuotaExceededException", "A template takes at most 20 actions")
    for action in given["actions"].values():
        for name, value in action.get("parameters", {}).items():
            if not isinstance(value, str):
                raise RefusalError(400, "ValidationException", f"Parameter {name} is no string")
            if len(value) > 1024:  # the limit of AWS
                raise RefusalError(400, "ValidationException", f"Parameter {name} is longer than 1024")


def _end(experiment: Json, status: str, reason: str, now: float, *, code: str | None = None) -> None:
    error = {"error": {"accountId": ACCOUNT, "code": code, "location": "fault-1"}} if code else {}
    experiment["state"] = {"status": status, "reason": reason, **error}
    for action in experiment["actions"].values():
        if action["state"]["status"] in _ACTIVE:
            action["state"] = {"status": status}
            if "startTime" in action:
                action["endTime"] = now


def _seconds(template: Json) -> float:
    """How long the actions last; those without a duration are done at once."""
    (parameters, *_) = (action.get("parameters", {}) for action in template["actions"].values())
    for name in _DURATIONS:
        found = _ISO.fullmatch(parameters.get(name, ""))
        if found:
            hours, minutes, seconds = (int(part or 0) for part in found.groups())
            return hours * 3600 + minutes * 60 + seconds
    return 0


def _shown(experiment: Json) -> Json:
    hidden = {"template", "dryRun", "createdAt", "startedAt", "endsAt", "resolved", "clientToken"}
    return {name: value for name, value in experiment.items() if name not in hidden}


def _page(name: str, items: list[Json], given: Json) -> Json:
    start, size = int(given.get("nextToken", 0)), int(given.get("maxResults", 20))
    more = {"nextToken": str(start + size)} if start + size < len(items) else {}
    return {name: items[start : start + size], **more}


@contextmanager
def serving(fis: FakeFis) -> Iterator[str]:
    """The address of a server that answers as the fake does."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fis))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _handler(fis: FakeFis) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size) or b"{}")
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            try:
                status, answer, code = 200, fis.answer(self.command, parts.path, query, body), None
            except RefusalError as refusal:
                status, answer, code = refusal.status, {"message": refusal.message}, refusal.code
            operation = f"{self.command} {parts.path}"
            if operation in fis.lost_answers:
                fis.lost_answers.discard(operation)
                status, answer, code = 500, {"message": "Internal failure"}, "InternalServerError"
            text = json.dumps(answer, default=str).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            if code:
                self.send_header("x-amzn-ErrorType", code)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = do_PATCH = _handle  # noqa: N815  # names of the base class

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler
