"""Who may do what: asked of the API server itself, never read from roles."""

from collections.abc import Iterator
from dataclasses import dataclass

from crosswind.runs.clusters.bundle.namespaces import LAUNCHER_RULES
from crosswind.runs.clusters.bundle.options import LAUNCHER, OBSERVER, BundleOptions
from crosswind.runs.clusters.examination.ports import ExaminedCluster, Finding, Json, RefusedError

_REVIEWS = "/apis/authorization.k8s.io/v1"
_APPLY = "crosswind clusters apply"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody may do or not."""

    verb: str
    resource: str
    group: str = ""
    namespace: str | None = None

    @property
    def text(self) -> str:
        """As `kubectl auth can-i` takes it."""
        group = f".{self.group}" if self.group else ""
        place = f" -n {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{group}{place}"

    def attributes(self) -> Json:
        """As the API server takes it."""
        resource, _, sub = self.resource.partition("/")
        made: Json = {"verb": self.verb, "resource": resource, "group": self.group}
        if sub:
            made["subresource"] = sub
        return made | ({"namespace": self.namespace} if self.namespace else {})


_OPERATOR = (
    Act("create", "namespaces"),
    Act("create", "customresourcedefinitions", "apiextensions.k8s.io"),
    Act("create", "clusterroles", "rbac.authorization.k8s.io"),
    Act("create", "priorityclasses", "scheduling.k8s.io"),
)
_OBSERVER = (
    Act("list", "pods"),
    Act("list", "jobs", "batch"),
    Act("list", "nodes"),
)


def launcher_may(namespace: str) -> Iterator[Act]:
    """What the launcher's Role says."""
    for rule in LAUNCHER_RULES:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                yield Act(verb, resource, rule["apiGroups"][0], namespace)


def launcher_may_not(namespace: str) -> tuple[Act, ...]:
    """What would let a launcher that is not itself any more do harm."""
    return (
        Act("get", "secrets", namespace=namespace),
        Act("create", "pods", namespace=namespace),
        Act("create", "pods/exec", namespace=namespace),
        Act("patch", "jobs", "batch", namespace),
        Act("create", "serviceaccounts/token", namespace=namespace),
        Act("update", "roles", "rbac.authorization.k8s.io", namespace),
        Act("create", "jobs", "batch", "kube-system"),
        Act("list", "secrets"),
    )


def examine_rights(cluster: ExaminedCluster, options: BundleOptions) -> Iterator[Finding]:
    """The operator's, the launcher's and the observer's."""
    yield _asked("your rights to apply", cluster, _OPERATOR, who=None, fix="sign in as an administrator")
    groups = (LAUNCHER,)
    for team in options.teams:
        namespace = options.namespace(team)
        yield _asked(
            f"rights of the launcher in {namespace}",
            cluster,
            tuple(launcher_may(namespace)),
            who=groups,
            fix=_APPLY,
        )
        yield _asked(
            f"bounds of the launcher in {namespace}",
            cluster,
            launcher_may_not(namespace),
            who=groups,
            fix=f"another binding gives group {LAUNCHER} more: kubectl get rolebindings,clusterrolebindings -A -o wide",
            allowed=False,
        )
    yield _asked("rights of the observer", cluster, _OBSERVER, who=(LAUNCHER, OBSERVER), fix=_APPLY)


def _asked(
    check: str,
    cluster: ExaminedCluster,
    acts: tuple[Act, ...],
    *,
    who: tuple[str, ...] | None,
    fix: str,
    allowed: bool = True,
) -> Finding:
    try:
        wrong = [act.text for act in acts if _may(cluster, act, who) is not allowed]
    except RefusedError as error:
        return Finding(
            check=check,
            ok=False,
            detail=f"the API server does not tell you: {error}",
            fix="sign in as somebody who may create subjectaccessreviews",
            required=False,
        )
    if wrong:
        return Finding(
            check=check, ok=False, detail=f"{'not ' if allowed else ''}allowed: {'; '.join(wrong)}", fix=fix
        )
    return Finding(check=check, ok=True, detail=f"{len(acts)} {'granted' if allowed else 'refused'}")


def _may(cluster: ExaminedCluster, act: Act, who: tuple[str, ...] | None) -> bool:
    kind = "SelfSubjectAccessReview" if who is None else "SubjectAccessReview"
    spec: Json = {"resourceAttributes": act.attributes()}
    if who is not None:
        spec |= {"user": LAUNCHER, "groups": [*who, "system:authenticated"]}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    answer = cluster.create(f"{_REVIEWS}/{kind.lower()}s", body)
    return bool((answer.get("status") or {}).get("allowed"))
