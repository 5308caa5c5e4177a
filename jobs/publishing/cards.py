"""The model card: what a certified model is, in Markdown, with the front matter that the Hub reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from jobs.publishing.sanitize import sanitise, short_label

_UNKNOWN = "not measured"


def model_card(metadata: Mapping[str, Any]) -> str:
    """Write the card of a model from its entry's metadata.

    What is null in the metadata is left out or called not measured. Paths, user and host names of this
    machine are taken out of every value.

    Args:
        metadata: `metadata.json` of an entry; `name`, `language` and `datasets` are needed.

    Returns:
        YAML front matter and Markdown.
    """
    sections = [_introduction(metadata), _facts(metadata)]
    sections += [_table("Metrics", metadata.get("metrics")), _table("Examples", metadata.get("samples"))]
    sections += [_table("Loss", metadata.get("losses"))]
    sections += [_table("Training configuration", metadata.get("training_configuration"))]
    sections += [_files(metadata), _limits()]
    body = "\n\n".join(section for section in sections if section)
    return f"---\n{_front_matter(metadata)}---\n\n{body}\n"


def _front_matter(metadata: Mapping[str, Any]) -> str:
    base = metadata.get("base_model")
    values = {
        "language": metadata["language"],
        "license": metadata.get("license"),
        "base_model": _hub_name(base) if base else None,
        "datasets": [sanitise(str(name)) for name in metadata["datasets"]],
        "library_name": "mlx",
        "pipeline_tag": "text-generation",
        "tags": ["mlx", "security", *_method_tags(metadata.get("training_type")), "sectune"],
    }
    known = {key: value for key, value in values.items() if value}
    return yaml.safe_dump(known, sort_keys=False, allow_unicode=True)


def _method_tags(training_type: str | None) -> list[str]:
    known = ("lora", "qlora", "dora")
    return [word for word in str(training_type).lower().split() if word in known]


def _hub_name(base: str) -> str:
    return short_label(str(base))


def _introduction(metadata: Mapping[str, Any]) -> str:
    name = _cell(metadata["name"])
    base = metadata.get("base_model")
    origin = f" from {_cell(_hub_name(base))}" if base else ""
    return (
        f"# {name}\n\nA language model for fixing security problems in code, fine-tuned{origin} by sectune "
        "in two stages: general vulnerability fixes, then the fixes for one project's own findings."
    )


def _facts(metadata: Mapping[str, Any]) -> str:
    base = metadata.get("base_model")
    hashes = metadata.get("hashes") or {}
    rows = {
        "Version": metadata.get("version"),
        "Created": metadata.get("created"),
        "Base model": _hub_name(base) if base else None,
        "Base model SHA-256": metadata.get("base_model_sha256"),
        "Training": metadata.get("training_type"),
        "Data sets": ", ".join(str(name) for name in metadata["datasets"]),
        "Duration in seconds": metadata.get("duration_seconds"),
        "Run": metadata.get("run_id"),
        "Training data SHA-256": hashes.get("training_data"),
        "Weights SHA-256": hashes.get("weights"),
    }
    return _table("Facts", {key: value for key, value in rows.items() if value is not None})


def _table(title: str, values: Any) -> str:
    if not isinstance(values, Mapping) or not values:
        return ""
    rows = "\n".join(f"| {_cell(key)} | {_cell(value)} |" for key, value in _flat(values))
    return f"## {title}\n\n| what | value |\n|---|---|\n{rows}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _cell(value: Any) -> str:
    """One value on one line, without anything that Markdown or HTML would act on."""
    if value is None:
        return _UNKNOWN
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    text = sanitise(" ".join(text.split()))
    for mark, harmless in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("`", "\\`")):
        text = text.replace(mark, harmless)
    return text


def _files(metadata: Mapping[str, Any]) -> str:
    chain = metadata.get("adapters") or []
    if not chain:
        return ""
    steps = "\n".join(f"{n}. {_cell(link['stage'])}: {link['sha256']}" for n, link in enumerate(chain, 1))
    return f"## Adapters, in the order trained (SHA-256)\n\n{steps}"


def _limits() -> str:
    return (
        "## Limits\n\nA proposed fix is a proposal: read it and test it before you use it. "
        "A number that is called not measured was not measured."
    )
