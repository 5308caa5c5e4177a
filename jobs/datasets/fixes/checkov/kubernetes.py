"""True fixes of Checkov's Kubernetes checks, made in the text of the manifest that the report shows.

Where a check leaves a value to the project (a limit, a user), the rule states one, and so does the prompt.
"""

from __future__ import annotations

from jobs.datasets.fixes.checkov.pod_edits import (
    SECURITY,
    USER,
    Edit,
    add_probe,
    containers_of,
    correct,
    drop_capability,
    in_each,
    in_pod,
    is_low,
    new_context,
    no_escalation,
    remove_added,
    remove_host_ports,
    replace_where,
    resource_default,
    unmount_token,
    workload,
)
from jobs.datasets.fixes.fix_rule import FixRule

_ALL = frozenset({"ALL", "all"})
_EACH = "in every container"
_CONTEXT = "in the securityContext of every container"
_POD = "in the pod's spec"

_EDITS: dict[str, tuple[str, tuple[Edit, ...]]] = {
    "CKV_K8S_8": (
        f"{_EACH}, a livenessProbe with tcpSocket on the container's first containerPort",
        (add_probe("livenessProbe"),),
    ),
    "CKV_K8S_9": (
        f"{_EACH}, a readinessProbe with tcpSocket on the container's first containerPort",
        (add_probe("readinessProbe"),),
    ),
    "CKV_K8S_10": (
        f"resources.requests.cpu {_EACH} that has none: its cpu limit where it has one, else 100m",
        (resource_default("requests", "cpu", "100m"),),
    ),
    "CKV_K8S_11": (
        f"resources.limits.cpu {_EACH} that has none: its cpu request where it has one, else 500m",
        (resource_default("limits", "cpu", "500m"),),
    ),
    "CKV_K8S_12": (
        f"resources.requests.memory {_EACH} that has none: its memory limit where it has one, else 128Mi",
        (resource_default("requests", "memory", "128Mi"),),
    ),
    "CKV_K8S_13": (
        f"resources.limits.memory {_EACH} that has none: its memory request where it has one, else 256Mi",
        (resource_default("limits", "memory", "256Mi"),),
    ),
    "CKV_K8S_15": (f"imagePullPolicy: Always {_EACH}", (in_each("imagePullPolicy", value="Always"),)),
    "CKV_K8S_16": (f"privileged: false {_CONTEXT}", (in_each(SECURITY, "privileged", value=False),)),
    "CKV_K8S_17": (f"hostPID: false {_POD}", (in_pod("hostPID", value=False),)),
    "CKV_K8S_18": (f"hostIPC: false {_POD}", (in_pod("hostIPC", value=False),)),
    "CKV_K8S_19": (f"hostNetwork: false {_POD}", (in_pod("hostNetwork", value=False),)),
    "CKV_K8S_20": (
        f"allowPrivilegeEscalation: false {_CONTEXT}; privileged: true, which excludes it, becomes false",
        (
            no_escalation,
            replace_where(SECURITY, "privileged", wrong=lambda text: text == "true", value=False),
        ),
    ),
    "CKV_K8S_22": (
        f"readOnlyRootFilesystem: true {_CONTEXT}",
        (in_each(SECURITY, "readOnlyRootFilesystem", value=True),),
    ),
    "CKV_K8S_23": (
        f"runAsNonRoot: true in the pod's securityContext; a runAsUser of 0 becomes {USER}, a "
        "runAsNonRoot of false becomes true",
        (
            in_pod(SECURITY, "runAsNonRoot", value=True),
            lambda text, pod: [
                each
                for container in containers_of(pod)
                for each in correct(
                    text, container, (SECURITY, "runAsNonRoot"), lambda word: word == "false", True
                )
            ],
            replace_where(SECURITY, "runAsUser", wrong=lambda text: text == "0", value=USER),
        ),
    ),
    "CKV_K8S_25": (
        f"no capabilities.add {_CONTEXT}; capabilities that are then empty go too",
        (remove_added(lambda _name: True),),
    ),
    "CKV_K8S_26": ("no hostPort in any container's ports", (remove_host_ports,)),
    "CKV_K8S_28": (
        f"capabilities.drop: [ALL] {_CONTEXT} that drops neither ALL nor NET_RAW",
        (drop_capability(_ALL | {"NET_RAW"}, "ALL"),),
    ),
    "CKV_K8S_29": (
        "seccompProfile.type: RuntimeDefault in the pod's securityContext, which is missing",
        (in_pod(SECURITY, "seccompProfile", "type", value="RuntimeDefault"),),
    ),
    "CKV_K8S_30": (
        f"a securityContext with allowPrivilegeEscalation: false {_EACH} that has none",
        (new_context,),
    ),
    "CKV_K8S_31": (
        "seccompProfile.type: RuntimeDefault in the pod's securityContext",
        (in_pod(SECURITY, "seccompProfile", "type", value="RuntimeDefault"),),
    ),
    "CKV_K8S_37": (
        f"capabilities.drop: [ALL] {_CONTEXT} that does not drop ALL",
        (drop_capability(_ALL, "ALL"),),
    ),
    "CKV_K8S_38": (
        f"automountServiceAccountToken: false {_POD}",
        (in_pod("automountServiceAccountToken", value=False),),
    ),
    "CKV_K8S_39": (
        f"no SYS_ADMIN in capabilities.add {_CONTEXT}; what is then empty goes too",
        (remove_added(lambda name: "SYS_ADMIN" in name),),
    ),
    "CKV_K8S_40": (
        f"runAsUser: {USER} in the pod's securityContext, and wherever a runAsUser is below 10000",
        (
            in_pod(SECURITY, "runAsUser", value=USER),
            lambda text, pod: [
                each
                for container in containers_of(pod)
                for each in correct(text, container, (SECURITY, "runAsUser"), is_low, USER)
            ],
        ),
    ),
}

KUBERNETES: dict[str, FixRule] = {
    **{check: FixRule(required, "yaml", workload(*edits)) for check, (required, edits) in _EDITS.items()},
    "CKV_K8S_41": FixRule(
        "automountServiceAccountToken: false in the service account", "yaml", unmount_token
    ),
}
