"""The version, the clock, images, names, machines; and the reach of endpoints, which only a pod can try."""

import json
from collections.abc import Callable, Iterator, Sequence

from crosswind.contracts.clusters import CapacityKind, CapacityOffer
from crosswind.runs.clusters.bundle.options import BundleOptions
from crosswind.runs.clusters.examination.places import lasting_offer, probe_pod
from crosswind.runs.clusters.examination.ports import ExaminedCluster, Finding, Json, RefusedError
from crosswind.runs.pods.images import agent_image

_OLDEST = (1, 29)
"""Sidecar containers, which every pod of ours has, are on by default since then."""

_SKEW_ADVICE, _SKEW_LIMIT = 5.0, 240.0
"""AWS refuses signatures that are five minutes old, tokens of EKS earlier than that."""

_PROBE_TRIES = 90
PROBE = """
import json, socket, sys, time
found = {}
for target in sys.argv[1:]:
    host, _, port = target.rpartition(":")
    begun = time.monotonic()
    try:
        addresses = socket.getaddrinfo(host, int(port), proto=socket.IPPROTO_TCP)
    except OSError as error:
        found[target] = f"the name is not resolved: {error}"
        continue
    try:
        socket.create_connection(addresses[0][4][:2], timeout=5).close()
        found[target] = None
    except OSError as error:
        found[target] = f"no connection to {addresses[0][4][0]}: {error}"
print(json.dumps(found))
"""
"""What the pod runs: Python's standard library is all that the agent's image has to have."""


def examine_surroundings(cluster: ExaminedCluster, options: BundleOptions) -> Iterator[Finding]:
    """What can be seen from outside."""
    yield _version(cluster)
    yield _clock(cluster)
    yield from _images(options)
    yield _names(cluster)
    yield from _machines(cluster, options)


def examine_reach(
    cluster: ExaminedCluster, options: BundleOptions, targets: Sequence[str], pause: Callable[[float], object]
) -> Finding:
    """Have a pod of the first team resolve and connect. It pulls the agent's image on its way.

    Args:
        targets: HOST:PORT each.
    """
    namespace = options.namespace(options.teams[0])
    check, pods = f"reach from {namespace}", f"/api/v1/namespaces/{namespace}/pods"
    image = agent_image(options.spec.images)
    command = ["python3", "-c", PROBE, *targets]
    pod = probe_pod("crosswind-doctor", image, command, lasting_offer(options))
    pod["spec"]["activeDeadlineSeconds"] = _PROBE_TRIES
    pod["spec"]["containers"][0]["imagePullPolicy"] = options.spec.images.pull_policy
    path = f"{pods}/crosswind-doctor"
    try:
        if cluster.get(path):
            cluster.delete(path)
            _until(lambda: cluster.get(path) is None, pause)
        cluster.create(pods, pod)
        try:
            return _outcome(cluster, path, check, pause)
        finally:
            cluster.delete(path)
    except RefusedError as error:
        return Finding(check=check, ok=False, detail=str(error), fix="see the findings above", required=False)


def _until(holds: Callable[[], bool], pause: Callable[[float], object]) -> bool:
    for _ in range(_PROBE_TRIES):
        if holds():
            return True
        pause(1.0)
    return False


def _outcome(cluster: ExaminedCluster, path: str, check: str, pause: Callable[[float], object]) -> Finding:
    seen: Json = {}

    def ended() -> bool:
        seen.update(cluster.get(path) or {})
        return (seen.get("status") or {}).get("phase") in {"Succeeded", "Failed"}

    if not _until(ended, pause):
        return Finding(
            check=check,
            ok=False,
            detail=f"its pod has not run within {_PROBE_TRIES} s: {_why_waiting(seen)}",
            fix="push the images (make images), check images.registry and images.tag of the document, and its capacity",
        )
    if seen["status"]["phase"] == "Failed":
        detail = f"its pod failed: {seen['status'].get('reason') or cluster.text(f'{path}/log')[-500:]}"
        return Finding(check=check, ok=False, detail=detail, fix="the image must have python3")
    failed = {target: why for target, why in json.loads(cluster.text(f"{path}/log")).items() if why}
    if failed:
        return Finding(
            check=check,
            ok=False,
            detail="; ".join(f"{target}: {why}" for target, why in failed.items()),
            fix="allow it: --https-to and --allow of `clusters apply`, security groups, VPC endpoints, routes",
        )
    return Finding(check=check, ok=True, detail="resolved and connected")


def _why_waiting(pod: Json) -> str:
    status = pod.get("status") or {}
    for each in status.get("containerStatuses") or ():
        waiting = (each.get("state") or {}).get("waiting")
        if waiting:
            return f"{waiting.get('reason')}: {waiting.get('message', '')}"[:400]
    for each in status.get("conditions") or ():
        if each.get("status") == "False":
            return f"{each.get('reason')}: {each.get('message', '')}"[:400]
    return "nobody says why"


def _version(cluster: ExaminedCluster) -> Finding:
    said = cluster.get("/version") or {}
    minor = "".join(filter(str.isdigit, str(said.get("minor", ""))))
    known = (int(said.get("major") or 0), int(minor or 0))
    return Finding(
        check="version",
        ok=known >= _OLDEST,
        detail=str(said.get("gitVersion", "not told")),
        fix=f"upgrade to {_OLDEST[0]}.{_OLDEST[1]} or later: pods need sidecar containers",
    )


def _clock(cluster: ExaminedCluster) -> Finding:
    ahead = cluster.clock_ahead()
    if ahead is None:
        return Finding(check="clock", ok=True, detail="the server tells no time", required=False)
    off = abs(ahead)
    return Finding(
        check="clock",
        ok=off <= _SKEW_ADVICE,
        detail=f"the server is {off:.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine",
        fix="set the clock (chronyc makestep): tokens and signatures fail when clocks differ",
        required=off > _SKEW_LIMIT,
    )


def _images(options: BundleOptions) -> Iterator[Finding]:
    images = options.spec.images
    name = agent_image(images)
    nodes_have_it = images.pull_policy == "Never"
    yield Finding(
        check="image registry",
        ok=bool(images.registry) or nodes_have_it,
        detail=name,
        fix="set images.registry: without it nodes look for the image at Docker Hub, where it is not",
    )
    yield Finding(
        check="image tag",
        ok=images.tag != "latest",
        detail=images.tag,
        fix="pin images.tag to a release: `latest` may differ from node to node with IfNotPresent",
        required=False,
    )


def _names(cluster: ExaminedCluster) -> Finding:
    service = cluster.get("/api/v1/namespaces/kube-system/services/kube-dns")
    return Finding(
        check="cluster DNS",
        ok=service is not None,
        detail="service kube-dns is there" if service else "there is no service kube-dns in kube-system",
        fix="install CoreDNS; --probe tries whether names are resolved",
        required=False,
    )


def _machines(cluster: ExaminedCluster, options: BundleOptions) -> Iterator[Finding]:
    """Fargate and node pools make machines when pods come; plain nodes have to be there."""
    offer = options.offer(CapacityKind.NODES)
    if offer is None:
        return
    found = (cluster.get("/api/v1/nodes?limit=500") or {}).get("items") or ()
    fitting = [
        each
        for each in found
        if offer.node_selector.items() <= (each["metadata"].get("labels") or {}).items()
        and _takes(each.get("spec") or {}, offer)
    ]
    wanted = ",".join(f"{key}={value}" for key, value in offer.node_selector.items()) or "no label needed"
    yield Finding(
        check="nodes",
        ok=bool(fitting),
        detail=f"{len(fitting)} of {len(found)} take pods of tests ({wanted})",
        fix="add nodes, or change the offer's nodeSelector and tolerations in the cluster's document",
    )


def _takes(node: Json, offer: CapacityOffer) -> bool:
    """Whether the node is open, and the offer's pods bear its taints."""
    taints = [each for each in node.get("taints") or () if each["effect"] != "PreferNoSchedule"]
    return not node.get("unschedulable") and all(
        any(
            bears.key == taint["key"]
            and bears.effect in {None, taint["effect"]}
            and (bears.operator == "Exists" or (bears.value or "") == (taint.get("value") or ""))
            for bears in offer.tolerations
        )
        for taint in taints
    )
