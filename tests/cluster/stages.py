"""How simulated pods live and die: stages for KWOK, chosen by annotations of each pod.

The shapes are those that a kubelet reports; tests/cluster/test_faults.py holds them against each other. A pod without an
annotation starts and runs until it is annotated or deleted.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import yaml

SIMULATE = "crosswind.dev/simulate"
AFTER = "crosswind.dev/simulate-after"
START = "crosswind.dev/simulate-start"
STOP = "crosswind.dev/simulate-stop"
EXIT_CODE = "crosswind.dev/simulate-exit-code"
CONTAINER = "crosswind.dev/simulate-container"
MESSAGE = "crosswind.dev/simulate-message"


class Fate(StrEnum):
    """What becomes of a simulated pod."""

    SUCCEED = "succeed"
    FAIL = "fail"
    OOM = "oom"
    EVICT = "evict"
    DEADLINE = "deadline"
    IMAGE_PULL = "image-pull"
    CONFIG_ERROR = "config-error"


def fate(
    which: Fate,
    *,
    after: float = 0,
    start: float = 0,
    exit_code: int = 1,
    container: str = "",
    message: str = "",
) -> dict[str, str]:
    """The annotations of a pod that meets this fate.

    Args:
        after: Seconds from the pod's start, which is known to the second.
        start: Seconds that the pod stays Pending on its node.
        exit_code: Of the container that fails; Fate.FAIL only.
        container: The one that fails, or is out of memory; the first unless named. Others end with 0.
        message: Instead of what a kubelet would say.
    """
    said = {SIMULATE: which.value, AFTER: f"{after:g}s", START: f"{start:g}s", EXIT_CODE: str(exit_code)}
    return said | ({CONTAINER: container} if container else {}) | ({MESSAGE: message} if message else {})


def stages() -> str:
    """The stages of nodes and pods, as KWOK's configuration."""
    return "---\n".join(yaml.safe_dump(each, sort_keys=False) for each in [*_NODE_STAGES, *_pod_stages()])


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a running pod ends."""

    fate: Fate
    phase: str
    exit_code: str  # of the one container that the fate is about
    reason: str
    others: str = "0"  # their exit code
    pod: str = ""  # further fields of the pod's status
    condition: str = ""


_EVICTED = (
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 63Mi. "
    "Container was using 512Mi, request is 256Mi, has larger consumption of memory. "
)
_LATE = "Pod was active on the node longer than the specified deadline"
_ENDINGS = (
    _Ending(Fate.SUCCEED, "Succeeded", "0", "Completed"),
    _Ending(Fate.FAIL, "Failed", f'{{{{ or (index $annotations "{EXIT_CODE}") "1" }}}}', "Error"),
    _Ending(Fate.OOM, "Failed", "137", "OOMKilled"),
    _Ending(
        Fate.EVICT,
        "Failed",
        "137",
        "Error",
        others="137",
        pod=f'reason: Evicted\nmessage: {{{{ or (index $annotations "{MESSAGE}") "{_EVICTED}" | Quote }}}}',
        condition=(
            "- type: DisruptionTarget\n  status: 'True'\n  reason: TerminationByKubelet\n"
            "  lastTransitionTime: {{ $now | Quote }}\n"
            f'  message: {{{{ or (index $annotations "{MESSAGE}") "{_EVICTED}" | Quote }}}}'
        ),
    ),
    _Ending(
        Fate.DEADLINE,
        "Failed",
        "143",
        "Error",
        others="143",
        pod=f"reason: DeadlineExceeded\nmessage: {_LATE}",
    ),
)
_ALIVE = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}
_DELETED = {"key": ".metadata.deletionTimestamp", "operator": "Exists"}


def _phase(*phases: str) -> dict[str, Any]:
    return {"key": ".status.phase", "operator": "In", "values": list(phases)}


def _since_start(annotation: str) -> str:
    """A moment: the pod's start and as many seconds as the annotation says; it does not move when a pod is modified."""
    return (
        f'.metadata.annotations["{annotation}"] as $after | select($after and .status.startTime) | '
        '((.status.startTime | fromdateiso8601) + ($after | rtrimstr("s") | tonumber)) | todateiso8601'
    )


_BEGIN = "{{ $now := Now }}\n{{ $annotations := or .metadata.annotations dict }}\n"
_CHOSEN = (
    "{{ $first := index .spec.containers 0 }}\n"
    f'{{{{ $chosen := or (index $annotations "{CONTAINER}") $first.name }}}}\n'
    "{{ $began := or .status.startTime $now }}\n"
)
_RUNNING = (
    _BEGIN
    + """phase: Running
startTime: {{ $now | Quote }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
conditions:
{{ range $type := list "PodReadyToStartContainers" "Initialized" "Ready" "ContainersReady" }}
- {type: {{ $type }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  started: true
  restartCount: 0
  state: {running: {startedAt: {{ $now | Quote }}}}
{{ end }}
initContainerStatuses:
{{ range .spec.initContainers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  restartCount: 0
{{ if eq (or .restartPolicy "") "Always" }}
  started: true
  state: {running: {startedAt: {{ $now | Quote }}}}
{{ else }}
  started: false
  state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}
{{ end }}
{{ end }}
"""
)


def _ended(ending: _Ending) -> str:
    """The status of a pod whose containers have ended."""
    why = "PodCompleted" if ending.phase == "Succeeded" else "PodFailed"
    other_reason = "Completed" if ending.others == "0" else "Error"
    return (
        _BEGIN
        + _CHOSEN
        + f"""phase: {ending.phase}
{ending.pod}
conditions:
{ending.condition}
- {{type: PodReadyToStartContainers, status: "False", lastTransitionTime: {{{{ $now | Quote }}}}}}
- {{type: Ready, status: "False", reason: {why}, lastTransitionTime: {{{{ $now | Quote }}}}}}
- {{type: ContainersReady, status: "False", reason: {why}, lastTransitionTime: {{{{ $now | Quote }}}}}}
containerStatuses:
{{{{ range .spec.containers }}}}
- name: {{{{ .name | Quote }}}}
  image: {{{{ .image | Quote }}}}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state:
    terminated:
      startedAt: {{{{ $began | Quote }}}}
      finishedAt: {{{{ $now | Quote }}}}
{{{{ if eq .name $chosen }}}}
      exitCode: {ending.exit_code}
      reason: {ending.reason}
{{{{ else }}}}
      exitCode: {ending.others}
      reason: {other_reason}
{{{{ end }}}}
{{{{ end }}}}
"""
    )


def _waiting(reason: str, message: str) -> str:
    """The status of a pod that has a node, and whose containers cannot start."""
    return (
        _BEGIN
        + f"""phase: Pending
startTime: {{{{ or .status.startTime $now | Quote }}}}
hostIP: {{{{ NodeIPWith .spec.nodeName | Quote }}}}
conditions:
- {{type: PodReadyToStartContainers, status: "True", lastTransitionTime: {{{{ $now | Quote }}}}}}
- {{type: Initialized, status: "True", lastTransitionTime: {{{{ $now | Quote }}}}}}
- {{type: Ready, status: "False", reason: ContainersNotReady, lastTransitionTime: {{{{ $now | Quote }}}}}}
- {{type: ContainersReady, status: "False", reason: ContainersNotReady, lastTransitionTime: {{{{ $now | Quote }}}}}}
containerStatuses:
{{{{ range .spec.containers }}}}
- name: {{{{ .name | Quote }}}}
  image: {{{{ .image | Quote }}}}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state:
    waiting:
      reason: {reason}
      message: {{{{ or (index $annotations "{MESSAGE}") {message} | Quote }}}}
{{{{ end }}}}
"""
    )


def _stage(
    name: str,
    kind: str,
    *,
    when: list[dict[str, Any]],
    following: dict[str, Any],
    annotations: dict[str, str] | None = None,
    delay: dict[str, Any] | None = None,
) -> dict[str, Any]:
    selector: dict[str, Any] = {"matchExpressions": when}
    if annotations:
        selector["matchAnnotations"] = annotations
    spec: dict[str, Any] = {"resourceRef": {"apiGroup": "v1", "kind": kind}, "selector": selector}
    if delay:
        spec["delay"] = delay
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": spec | {"next": following},
    }


def _from_annotation(expression: str) -> dict[str, Any]:
    return {"durationMilliseconds": 0, "durationFrom": {"expressionFrom": expression}}


def _event(kind: str, reason: str, message: str) -> dict[str, Any]:
    return {"event": {"type": kind, "reason": reason, "message": message}}


def _pod_stages() -> list[dict[str, Any]]:
    never_started = [Fate.IMAGE_PULL.value, Fate.CONFIG_ERROR.value]
    may_start = {"key": f'.metadata.annotations["{SIMULATE}"]', "operator": "NotIn", "values": never_started}
    untouched = {"key": ".status.containerStatuses", "operator": "DoesNotExist"}
    start = _from_annotation(f'.metadata.annotations["{START}"]')
    refused = {
        "key": ".status.containerStatuses.[].state.waiting.reason",
        "operator": "In",
        "values": ["ErrImagePull"],
    }
    no_image = '(print "failed to pull and unpack image \\"" .image "\\": not found")'
    backing_off = (
        '(print "Back-off pulling image \\"" .image "\\": ErrImagePull: failed to pull and unpack image \\"" '
        '.image "\\": not found")'
    )
    no_secret = '"secret \\"credentials\\" not found"'
    found = [
        _stage(
            "pod-start",
            "Pod",
            when=[_ALIVE, _phase("Pending"), untouched, may_start],
            delay=start,
            following={"statusTemplate": _RUNNING} | _event("Normal", "Started", "Started the containers"),
        ),
        _stage(
            "pod-image-pull",
            "Pod",
            annotations={SIMULATE: Fate.IMAGE_PULL.value},
            when=[_ALIVE, _phase("Pending"), untouched],
            delay=start,
            following={"statusTemplate": _waiting("ErrImagePull", no_image)}
            | _event("Warning", "Failed", "Failed to pull image: not found"),
        ),
        _stage(
            "pod-image-back-off",
            "Pod",
            annotations={SIMULATE: Fate.IMAGE_PULL.value},
            when=[_ALIVE, _phase("Pending"), refused],
            delay={"durationMilliseconds": 1500},
            following={"statusTemplate": _waiting("ImagePullBackOff", backing_off)}
            | _event("Normal", "BackOff", "Back-off pulling image"),
        ),
        _stage(
            "pod-config-error",
            "Pod",
            annotations={SIMULATE: Fate.CONFIG_ERROR.value},
            when=[_ALIVE, _phase("Pending"), untouched],
            delay=start,
            following={"statusTemplate": _waiting("CreateContainerConfigError", no_secret)}
            | _event("Warning", "Failed", 'Error: secret "credentials" not found'),
        ),
        _stage(
            "pod-told-to-end",
            "Pod",
            when=[_DELETED, _phase("Running")],
            delay=_from_annotation(f'.metadata.annotations["{STOP}"]'),
            following={"statusTemplate": _ended(_Ending(Fate.FAIL, "Failed", "143", "Error", others="143"))},
        ),
        _stage(
            "pod-gone",
            "Pod",
            when=[_DELETED, _phase("Pending", "Succeeded", "Failed")],
            following={"delete": True},
        ),
    ]
    endings = [
        _stage(
            f"pod-{ending.fate}",
            "Pod",
            annotations={SIMULATE: ending.fate.value},
            when=[_ALIVE, _phase("Running")],
            delay=_from_annotation(_since_start(AFTER)),
            following={"statusTemplate": _ended(ending)} | _ENDING_EVENTS.get(ending.fate, {}),
        )
        for ending in _ENDINGS
    ]
    return found + endings


_ENDING_EVENTS = {
    Fate.EVICT: _event("Warning", "Evicted", _EVICTED),
    Fate.DEADLINE: _event("Normal", "DeadlineExceeded", _LATE),
}
_NODE_STATUS = """{{ $now := Now }}
phase: Running
conditions:
{{ range NodeConditions }}
- lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
  message: {{ .message | Quote }}
  reason: {{ .reason | Quote }}
  status: {{ .status | Quote }}
  type: {{ .type | Quote }}
{{ end }}
addresses:
- {address: {{ NodeIP | Quote }}, type: InternalIP}
"""
_READY = '.status.conditions.[] | select( .type == "Ready" ) | .status'
_NODE_STAGES = [
    # A node that nobody heard of for a while is Unknown; when its heartbeats are back it is made ready again.
    _stage(
        "node-ready",
        "Node",
        when=[{"key": _READY, "operator": "NotIn", "values": ["True"]}],
        following={"statusTemplate": _NODE_STATUS},
    ),
]
