"""Namespaces as they are: admission, quotas, accounts; and what all of them share."""

from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.contracts.clusters import CapacityKind, CapacityOffer
from crosswind.runs.clusters.bundle.definitions import KINDS
from crosswind.runs.clusters.bundle.options import BundleOptions
from crosswind.runs.clusters.bundle.shared import priority_classes
from crosswind.runs.clusters.examination.ports import ExaminedCluster, Finding, Json, RefusedError
from crosswind.runs.pods.images import agent_image

_APPLY = "crosswind clusters apply"
_FORBIDDEN = 403
_NEARLY = 0.9
_SUFFIXES = {
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


def examine_places(cluster: ExaminedCluster, options: BundleOptions) -> Iterator[Finding]:
    """What is shared, then team by team."""
    yield _there(
        cluster,
        "definitions",
        [
            f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{each.plural}.crosswind.dev"
            for each in KINDS
        ],
    )
    yield _there(
        cluster,
        "priority classes",
        [
            f"/apis/scheduling.k8s.io/v1/priorityclasses/{each['metadata']['name']}"
            for each in priority_classes()
        ],
    )
    for team in options.teams:
        namespace = options.namespace(team)
        if cluster.get(f"/api/v1/namespaces/{namespace}") is None:
            yield Finding(
                check=f"namespace {namespace}",
                ok=False,
                detail=f"team {team} has none",
                fix=f"{_APPLY} --teams {team}",
            )
            continue
        yield _admission(cluster, namespace, options)
        yield _quota(cluster, namespace)
        yield _policies(cluster, namespace)
        yield from _accounts(cluster, namespace, options, team)


def probe_pod(name: str, image: str, command: list[str], offer: CapacityOffer) -> Json:
    """A pod as strict as ours, and small; it goes where the offer's pods go."""
    amounts = {"cpu": "100m", "memory": "128Mi"}
    pod: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "crosswind", **offer.labels}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "command": command,
                    "resources": {"requests": amounts, "limits": amounts},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }
    if offer.node_selector:
        pod["spec"]["nodeSelector"] = dict(offer.node_selector)
    if offer.tolerations:
        pod["spec"]["tolerations"] = [each.model_dump(exclude_none=True) for each in offer.tolerations]
    return pod


def lasting_offer(options: BundleOptions) -> CapacityOffer:
    """The first whose machines are not reclaimed; a cluster may have nothing but Spot."""
    offers = options.spec.capacity
    return next((each for each in offers if each.kind is not CapacityKind.SPOT), offers[0])


def _there(cluster: ExaminedCluster, check: str, paths: list[str]) -> Finding:
    missing = [path.rpartition("/")[2] for path in paths if cluster.get(path) is None]
    detail = f"missing: {', '.join(missing)}" if missing else f"{len(paths)} are there"
    return Finding(check=check, ok=not missing, detail=detail, fix=_APPLY)


def _admission(cluster: ExaminedCluster, namespace: str, options: BundleOptions) -> Finding:
    """Asked by trying: labels tell what ought to be, a dry run tells what is."""
    check, path = f"admission in {namespace}", f"/api/v1/namespaces/{namespace}/pods"
    image, offer = agent_image(options.spec.images), lasting_offer(options)
    good = probe_pod("crosswind-doctor", image, ["true"], offer)
    bad = probe_pod("crosswind-doctor", image, ["true"], offer)
    bad["spec"] |= {"hostNetwork": True}
    bad["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    try:
        cluster.create(path, good, dry_run=True)
    except RefusedError as error:
        return Finding(
            check=check,
            ok=False,
            detail=f"a pod like ours is refused: {error}",
            fix="change or except what refuses it: an admission webhook, a policy engine, the quota",
        )
    try:
        cluster.create(path, bad, dry_run=True)
    except RefusedError as error:
        if error.status == _FORBIDDEN:
            return Finding(check=check, ok=True, detail="takes ours, refuses a privileged one")
        return Finding(check=check, ok=False, detail=str(error), fix="ask again", required=False)
    return Finding(
        check=check,
        ok=False,
        detail="a privileged pod would be taken",
        fix=f"{_APPLY}: it labels the namespace for Pod Security `restricted`",
    )


def _quota(cluster: ExaminedCluster, namespace: str) -> Finding:
    check = f"quota in {namespace}"
    found = cluster.get(f"/api/v1/namespaces/{namespace}/resourcequotas/crosswind")
    if found is None:
        return Finding(check=check, ok=False, detail="there is none", fix=_APPLY)
    status: Mapping[str, Any] = found.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    full = [
        f"{name} {used[name]} of {most}"
        for name, most in hard.items()
        if amount(most) > 0 and amount(used.get(name, "0")) >= _NEARLY * amount(most)
    ]
    if full:
        return Finding(
            check=check,
            ok=False,
            detail=f"nearly used up: {', '.join(full)}",
            fix="raise limits.team* of the cluster's document, and apply it; further pods wait until then",
            required=False,
        )
    return Finding(check=check, ok=True, detail=f"{used.get('pods', '0')} of {hard.get('pods', '?')} pods")


def _policies(cluster: ExaminedCluster, namespace: str) -> Finding:
    missing = [
        name
        for name in ("deny-all", "allow-dns", "allow-https")
        if cluster.get(f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies/{name}") is None
    ]
    detail = f"missing: {', '.join(missing)}" if missing else "deny-all, and what is allowed"
    return Finding(check=f"network policies in {namespace}", ok=not missing, detail=detail, fix=_APPLY)


def _accounts(
    cluster: ExaminedCluster, namespace: str, options: BundleOptions, team: str
) -> Iterator[Finding]:
    runner = options.spec.runner
    account = cluster.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/{runner.service_account}")
    check = f"account {runner.service_account} in {namespace}"
    if account is None:
        yield Finding(check=check, ok=False, detail="there is none", fix=_APPLY)
    elif runner.role_arn:
        wanted = runner.role_arn.replace("{team}", team)
        has = (account["metadata"].get("annotations") or {}).get("eks.amazonaws.com/role-arn")
        yield Finding(check=check, ok=has == wanted, detail=f"role {has or 'none'}", fix=_APPLY)
    else:
        yield Finding(check=check, ok=True, detail="is there")
    if runner.credentials_secret:
        path = f"/api/v1/namespaces/{namespace}/secrets/{runner.credentials_secret}"
        yield Finding(
            check=f"secret {runner.credentials_secret} in {namespace}",
            ok=cluster.get(path) is not None,
            detail="the agent's credentials",
            fix=f"kubectl create secret generic {runner.credentials_secret} -n {namespace} --from-literal=…",
        )


def amount(text: str) -> float:
    """A quantity of Kubernetes, such as `1500m` or `8Gi`."""
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * _SUFFIXES[suffix]
    return float(text)
