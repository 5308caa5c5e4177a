"""True fixes of Checkov's GitHub Actions checks, made in the job or step that the report shows."""

from __future__ import annotations

import re
from itertools import pairwise

from yaml.nodes import MappingNode, Node, ScalarNode

from jobs.datasets.fixes.edit.yaml import CannotEdit, Splice, apply_splices, child, remove_key, workflow_parts
from jobs.datasets.fixes.fix_rule import FixRule

_UNSECURE = "ACTIONS_ALLOW_UNSECURE_COMMANDS"
# What a stranger decides about a pull request, an issue or a comment.
_EXPRESSION = re.compile(r"\$\{\{\s*(github\.(?:event\.[\w.\-\[\]*]+|head_ref))\s*\}\}")


def _without_unsecure(code: str, _resource: str) -> str | None:
    found = workflow_parts(code)
    holders = [node for root in found for node in _with_env(root)]
    try:
        splices = [splice for node in holders for splice in _drop_variable(code, node)]
        return apply_splices(code, splices) if splices else None
    except CannotEdit:
        return None


def _with_env(root: Node) -> list[Node]:
    nodes = [root, *(step for step in getattr(child(root, "steps"), "value", []))]
    if not isinstance(root, MappingNode):
        nodes = list(root.value)
    return [node for node in nodes if child(node, "env", _UNSECURE) is not None]


def _drop_variable(code: str, node: Node) -> list[Splice]:
    env = child(node, "env")
    if isinstance(env, MappingNode) and len(env.value) > 1:
        return remove_key(code, env, _UNSECURE)
    return remove_key(code, node, "env")


def _through_environment(code: str, _resource: str) -> str | None:
    """Every expression of a stranger's text in the first step's `run` becomes an environment variable."""
    steps = [step for root in workflow_parts(code) for step in _steps(root)]
    if not steps or child(steps[0], "env") is not None:
        return None
    run = child(steps[0], "run")
    if not isinstance(run, ScalarNode):
        return None
    start, end = run.start_mark.index, len(code[: run.end_mark.index].rstrip("\n"))
    names = {match[1]: _variable(match[1]) for match in _EXPRESSION.finditer(code[start:end])}
    if not names or len(set(names.values())) != len(names) or "'" in code[start:end]:
        return None
    body = _EXPRESSION.sub(lambda match: f"${{{names[match[1]]}}}", code[start:end])
    indent = " " * steps[0].value[0][0].start_mark.column
    lines = [f"{indent}env:", *(f"{indent}  {name}: ${{{{ {source} }}}}" for source, name in names.items())]
    return code[:start] + body + "\n" + "\n".join(lines) + code[end:]


def _steps(root: Node) -> list[MappingNode]:
    found = root.value if not isinstance(root, MappingNode) else [root]
    return [step for step in found if isinstance(step, MappingNode)]


def _variable(source: str) -> str:
    """github.event.pull_request.title -> PULL_REQUEST_TITLE."""
    words = re.findall(r"[A-Za-z_]+", source.removeprefix("github.").removeprefix("event."))
    kept = [words[0], *(later for earlier, later in pairwise(words) if later != earlier)]
    return "_".join(kept).upper()


def _read_only(code: str, _resource: str) -> str | None:
    fixed = re.sub(r"(?m)^permissions:[ \t]*write-all[ \t]*$", "permissions:\n  contents: read", code)
    return fixed if fixed != code else None


WORKFLOW: dict[str, FixRule] = {
    "CKV_GHA_1": FixRule(
        f"{_UNSECURE} is not set; an env that only held it goes too", "yaml", _without_unsecure
    ),
    "CKV_GHA_2": FixRule(
        "the step's run reads every github expression from an environment variable, set in an env after run "
        "and named like the expression without github.event, in capitals with underscores",
        "yaml",
        _through_environment,
    ),
    "CKV2_GHA_1": FixRule("the top-level permissions are contents: read", "yaml", _read_only),
}
