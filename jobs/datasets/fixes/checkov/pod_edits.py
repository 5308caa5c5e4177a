"""Pods: the edits of a workload's pod specification, made in the text of its manifest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode

from jobs.datasets.fixes.edit.yaml import (
    CannotEdit,
    Splice,
    apply_splices,
    child,
    documents,
    elements,
    remove_key,
    set_value,
)

_POD_SPECS: dict[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "ReplicationController"),
        ("spec", "template", "spec"),
    ),
}
SECURITY = "securityContext"
USER = 10001  # any number from 10000 on, so that it meets no user of the host

Edit = Callable[[str, Node], list[Splice]]


def workload(*edits: Edit) -> Callable[[str, str], str | None]:
    """Make the edits in the pod specification of the one workload in the text, all or none."""

    def apply(code: str, _resource: str) -> str | None:
        found = documents(code)
        if len(found) != 1:
            return None
        kind = child(found[0], "kind")
        path = _POD_SPECS.get(kind.value) if isinstance(kind, ScalarNode) else None
        pod = child(found[0], *path) if path else None
        if not isinstance(pod, MappingNode):
            return None
        return _made(code, pod, edits)

    return apply


def _made(code: str, pod: Node, edits: tuple[Edit, ...]) -> str | None:
    try:
        splices = [splice for edit in edits for splice in edit(code, pod)]
        return apply_splices(code, splices) if splices else None
    except CannotEdit:
        return None


def containers_of(pod: Node) -> list[Node]:
    """The containers of a pod, those that run first included."""
    return [*elements(child(pod, "initContainers")), *elements(child(pod, "containers"))]


def in_pod(*path: str, value: Any) -> Edit:
    """Set a value in the pod's spec."""
    return lambda text, pod: _unless_so(text, pod, path, value)


def in_each(*path: str, value: Any) -> Edit:
    """Set a value in every container."""

    def edit(text: str, pod: Node) -> list[Splice]:
        return [
            splice for container in containers_of(pod) for splice in _unless_so(text, container, path, value)
        ]

    return edit


def _unless_so(text: str, node: Node, path: tuple[str, ...], value: Any) -> list[Splice]:
    there = child(node, *path)
    if isinstance(there, ScalarNode) and there.value == str(value).lower():
        return []
    return set_value(text, node, path, value)


def resource_default(kind: str, name: str, default: str) -> Edit:
    """Set a request or limit in each container that has none: to its counterpart, else to a default.

    A request above its limit would be refused by the cluster.
    """
    other = "limits" if kind == "requests" else "requests"

    def edit(text: str, pod: Node) -> list[Splice]:
        found: list[Splice] = []
        for container in containers_of(pod):
            if child(container, "resources", kind, name) is None:
                counterpart = child(container, "resources", other, name)
                value = counterpart.value if isinstance(counterpart, ScalarNode) else default
                found += set_value(text, container, ("resources", kind, name), value)
        return found

    return edit


def new_context(text: str, pod: Node) -> list[Splice]:
    """Give a securityContext to each container that has none."""
    bare = [container for container in containers_of(pod) if child(container, SECURITY) is None]
    return [
        splice
        for container in bare
        for splice in set_value(text, container, (SECURITY, "allowPrivilegeEscalation"), False)
    ]


def no_escalation(text: str, pod: Node) -> list[Splice]:
    """allowPrivilegeEscalation: false, which the cluster refuses beside SYS_ADMIN."""
    if any(
        str(each.value) in {"SYS_ADMIN", "CAP_SYS_ADMIN"}
        for container in containers_of(pod)
        for each in _added_capabilities(container)
    ):
        raise CannotEdit
    return in_each(SECURITY, "allowPrivilegeEscalation", value=False)(text, pod)


def _added_capabilities(container: Node) -> list[Node]:
    return elements(child(container, SECURITY, "capabilities", "add"))


def drop_capability(enough: frozenset[str], capability: str) -> Edit:
    """Drop a capability in each container that drops none of those which are enough."""
    path = (SECURITY, "capabilities", "drop")

    def edit(text: str, pod: Node) -> list[Splice]:
        lacking = [
            container
            for container in containers_of(pod)
            if enough.isdisjoint(str(each.value) for each in elements(child(container, *path)))
        ]
        return [splice for container in lacking for splice in set_value(text, container, path, [capability])]

    return edit


def replace_where(*path: str, wrong: Callable[[str], bool], value: Any) -> Edit:
    """Correct a wrong value in the pod and in each container; one that is missing stays so."""

    def edit(text: str, pod: Node) -> list[Splice]:
        return [
            splice
            for holder in (pod, *containers_of(pod))
            for splice in correct(text, holder, path, wrong, value)
        ]

    return edit


def correct(
    text: str, node: Node, path: tuple[str, ...], wrong: Callable[[str], bool], value: Any
) -> list[Splice]:
    """Correct a wrong value of one node; one that is missing stays so."""
    there = child(node, *path)
    return set_value(text, node, path, value) if isinstance(there, ScalarNode) and wrong(there.value) else []


def remove_host_ports(text: str, pod: Node) -> list[Splice]:
    """Take every hostPort away."""
    ports = (port for container in containers_of(pod) for port in elements(child(container, "ports")))
    return [
        splice
        for port in ports
        if child(port, "hostPort") is not None
        for splice in remove_key(text, port, "hostPort")
    ]


def remove_added(wrong: Callable[[str], bool]) -> Edit:
    """Take capabilities away from those that each container adds."""

    def edit(text: str, pod: Node) -> list[Splice]:
        return [splice for container in containers_of(pod) for splice in _fewer(text, container, wrong)]

    return edit


def _fewer(text: str, container: Node, wrong: Callable[[str], bool]) -> list[Splice]:
    names = [str(each.value) for each in _added_capabilities(container)]
    kept = [name for name in names if not wrong(name)]
    context, capabilities = child(container, SECURITY), child(container, SECURITY, "capabilities")
    if kept == names or context is None or capabilities is None:
        return []
    if kept:
        return set_value(text, capabilities, ("add",), kept)
    alone = len(capabilities.value) == 1
    return remove_key(text, context, "capabilities") if alone else remove_key(text, capabilities, "add")


def add_probe(name: str) -> Edit:
    """A TCP probe of the first port that each container itself declares."""

    def edit(text: str, pod: Node) -> list[Splice]:
        found: list[Splice] = []
        for container in elements(child(pod, "containers")):
            port = child(next(iter(elements(child(container, "ports"))), None), "containerPort")
            if child(container, name) is not None:
                continue
            if not isinstance(port, ScalarNode):
                raise CannotEdit
            found += set_value(text, container, (name,), {"tcpSocket": {"port": port.value}})
        return found

    return edit


def is_low(user: str) -> bool:
    """Whether a user's number is one that the host may use itself."""
    return user.isdigit() and int(user) < 10000


def unmount_token(code: str, _resource: str) -> str | None:
    """A service account whose token is not mounted; None for any other document."""
    found = documents(code)
    kind = child(found[0], "kind") if len(found) == 1 else None
    if not isinstance(kind, ScalarNode) or kind.value != "ServiceAccount":
        return None
    try:
        return apply_splices(code, set_value(code, found[0], ("automountServiceAccountToken",), False))
    except CannotEdit:
        return None
