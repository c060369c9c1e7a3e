"""What happens when an object of Crosswind's kinds is made, changed or deleted. Each handler may be repeated."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import kopf

from crosswind.contracts.custom_resources import GROUP, VERSION, ConditionType
from crosswind.controller import documents, persistence, runs
from crosswind.controller.api import Api, RefusedError, UnreachableError, run_path
from crosswind.controller.documents import STORED_KINDS, StoredKind
from crosswind.controller.judging import Judgement, faults_of, judge, no_team, pause_before, with_condition
from crosswind.controller.runs import News
from crosswind.controller.views import RunViews
from crosswind.kernel.clock import Clock, SystemClock
from crosswind.runs.clusters.bundle.options import TEAM_LABEL

WATCH_SECONDS = 240
CONNECT_SECONDS = 10
REQUEST_SECONDS = 30
PAUSES = (1, 1, 2, 3, *[5] * 720)
"""An API server that is away is asked for an hour, and found again within five seconds."""
MIRROR_SECONDS = 1.0
_RUNS = (GROUP, VERSION, "testruns")
_FORBIDDEN = 403

Status = Mapping[str, Any]


def post_event(body: kopf.Body, news: News) -> None:
    """Have kopf write a Kubernetes event of an object."""
    kopf.event(body, type=news.type, reason=news.reason, message=news.message)


@dataclass
class Controller:
    """What handlers work with; kopf hands it to each as `memo`."""

    api: Api
    views: RunViews
    clock: Clock = field(default_factory=SystemClock)
    post: Callable[[kopf.Body, News], None] = post_event
    reading: "asyncio.Task[None] | None" = None


def handlers() -> kopf.OperatorRegistry:
    """All handlers, in a registry of their own."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    kopf.on.startup(registry=registry)(_start)
    kopf.on.cleanup(registry=registry)(_stop)
    kopf.index("", "v1", "namespaces", labels={TEAM_LABEL: kopf.PRESENT}, registry=registry, id="teams")(
        _team
    )
    for kind in STORED_KINDS:
        where = (GROUP, VERSION, kind.plural)
        store = partial(_store, kind)
        kopf.on.create(*where, id="store", registry=registry)(store)
        kopf.on.update(*where, id="store", registry=registry)(store)
        kopf.on.delete(*where, id="remove", registry=registry)(partial(_remove, kind))
    kopf.on.create(*_RUNS, id="submit", registry=registry)(_submit)
    kopf.on.delete(*_RUNS, id="cancel", when=_may_run, registry=registry)(_cancel)
    kopf.timer(*_RUNS, id="mirror", interval=MIRROR_SECONDS, when=_is_going_on, registry=registry)(_mirror)
    return registry


def _login(**given: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**given) or kopf.login_with_kubeconfig(**given)


async def _start(settings: kopf.OperatorSettings, memo: Controller, **_: Any) -> None:
    persistence.configure(settings)
    settings.peering.standalone = True
    settings.posting.reporting_component = "crosswind-controller"
    settings.watching.server_timeout = WATCH_SECONDS
    settings.watching.client_timeout = WATCH_SECONDS + 10
    settings.watching.connect_timeout = CONNECT_SECONDS
    settings.networking.request_timeout = REQUEST_SECONDS
    settings.networking.error_backoffs = PAUSES
    memo.reading = asyncio.create_task(memo.views.keep_reading(), name="views")


async def _stop(memo: Controller, **_: Any) -> None:
    if memo.reading is not None:
        memo.reading.cancel()
        with suppress(asyncio.CancelledError):
            await memo.reading
    await memo.api.close()


def _team(name: str, labels: Mapping[str, str], **_: Any) -> dict[str, str]:
    return {name: labels[TEAM_LABEL]}


async def _store(
    kind: StoredKind,
    *,
    name: str,
    namespace: str | None,
    body: kopf.Body,
    patch: kopf.Patch,
    memo: Controller,
    retry: int,
    **given: Any,
) -> None:
    """Put the document; tell what became of it."""
    about: dict[str, Any] = {"generation": body.metadata["generation"], "now": memo.clock.now()}
    conditions = body.status.get("conditions") or ()
    team = _team_of(given, namespace)
    if team is None:
        judgement = no_team(str(namespace), TEAM_LABEL)
    else:
        document = documents.document_of(kind.document, name=name, team=team, spec=body.spec)
        try:
            answer = await memo.api.put(kind.path_of(name), document, kind.answer)
        except (RefusedError, UnreachableError) as error:
            judgement = judge(error)
        else:
            patch.status.update(documents.accepted_status(kind.kept(answer), conditions, **about))
            return
    patch.status.update(documents.refused_status(judgement, conditions, **about))
    _tell_refusal(memo, body, judgement, retry=retry)


async def _remove(
    kind: StoredKind,
    *,
    name: str,
    namespace: str | None,
    body: kopf.Body,
    memo: Controller,
    retry: int,
    **given: Any,
) -> None:
    """Delete the document, where this object is what it came from."""
    team = _team_of(given, namespace)
    if team is None or not documents.may_be_kept(body.status):
        return
    await _let_go(memo, kind.path_of(name), team=team, body=body, retry=retry)


async def _submit(
    *,
    namespace: str | None,
    uid: str,
    body: kopf.Body,
    patch: kopf.Patch,
    memo: Controller,
    retry: int,
    **given: Any,
) -> None:
    """Start the run. The key is the object's own, so a repeated handling finds the run that there is."""
    if body.status.get("executionId"):
        return
    about: dict[str, Any] = {"generation": body.metadata["generation"], "now": memo.clock.now()}
    team = _team_of(given, namespace)
    if team is None:
        judgement = no_team(str(namespace), TEAM_LABEL)
    else:
        request = runs.request_of(body.metadata, body.spec, team=team)
        try:
            answer = await memo.api.submit(request, idempotency_key=runs.idempotency_key(uid))
        except (RefusedError, UnreachableError) as error:
            judgement = judge(error)
        else:
            patch.status.update(
                runs.accepted_status(answer.execution_id, memo.api.endpoint, body.status, **about)
            )
            memo.post(body, News("Normal", "Accepted", f"run {answer.execution_id}"))
            return
    conditions = body.status.get("conditions") or ()
    patch.status["conditions"] = with_condition(conditions, ConditionType.ACCEPTED, judgement, **about)
    _tell_refusal(memo, body, judgement, retry=retry)


async def _mirror(
    *,
    namespace: str | None,
    body: kopf.Body,
    patch: kopf.Patch,
    memo: Controller,
    **given: Any,
) -> None:
    """Write down what is new of the run. Who may write a status may name any run in it: only the team's own are shown."""
    status: Status = body.status
    team = _team_of(given, namespace) or ""
    known = memo.views.latest(status["executionId"], team=team)
    about: dict[str, Any] = {"generation": body.metadata["generation"], "now": memo.clock.now()}
    if known.hidden or (known.view is not None and known.view.team != team):
        patch.status.update(runs.changes(status, runs.unknown_status(status, **about)))
    elif known.view is not None:
        new = runs.changes(status, runs.mirrored_status(known.view, status, **about))
        patch.status.update(new)
        for each in runs.news_of(status, known.view) if new else ():
            memo.post(body, each)


async def _cancel(
    *,
    namespace: str | None,
    uid: str,
    body: kopf.Body,
    memo: Controller,
    retry: int,
    **given: Any,
) -> None:
    """Cancel the run. Where its submission's answer was lost, the same key tells which run it is."""
    run_id, team = body.status.get("executionId"), _team_of(given, namespace)
    if team is None:
        return
    try:
        if run_id is None:
            request = runs.request_of(body.metadata, body.spec, team=team)
            run_id = (await memo.api.submit(request, idempotency_key=runs.idempotency_key(uid))).execution_id
        elif (await memo.api.run(run_id)).team != team:
            memo.post(body, News("Warning", "NotDeleted", f"run {run_id} is not one of team {team}"))
            return
    except (RefusedError, UnreachableError) as error:
        judgement = judge(error)
        if judgement.status == "False":
            return
        raise _again(judgement, retry=retry) from error
    await _let_go(memo, run_path(run_id), team=None, body=body, retry=retry)


async def _let_go(memo: Controller, path: str, *, team: str | None, body: kopf.Body, retry: int) -> None:
    """What may not be deleted does not keep its object, and with it a namespace, for ever."""
    try:
        await memo.api.delete(path, team=team)
    except UnreachableError as error:
        raise _again(judge(error), retry=retry) from error
    except RefusedError as error:
        judgement = judge(error)
        if judgement.again and error.problem.status != _FORBIDDEN:
            raise _again(judgement, retry=retry) from error
        memo.post(body, News("Warning", "NotDeleted", faults_of(error.problem)[:1024]))


def _team_of(given: Mapping[str, Any], namespace: str | None) -> str | None:
    """From kopf's index of namespaces, which is complete before any handler begins."""
    teams: kopf.Index[str, str] = given["teams"]
    return next(iter(teams.get(namespace or "", ())), None)


def _may_run(status: Status, **_: Any) -> bool:
    return runs.may_run(status)


def _is_going_on(status: Status, **_: Any) -> bool:
    return runs.is_going_on(status)


def _tell_refusal(memo: Controller, body: kopf.Body, judgement: Judgement, *, retry: int) -> None:
    """Once by an event, and by raising where it is to be tried again."""
    if retry == 0:
        memo.post(body, News("Warning", judgement.reason, judgement.message[:1024]))
    if judgement.again:
        raise _again(judgement, retry=retry)


def _again(judgement: Judgement, *, retry: int) -> kopf.TemporaryError:
    first = judgement.message.partition("\n")[0]
    return kopf.TemporaryError(f"{judgement.reason}: {first}", delay=pause_before(retry, judgement))
