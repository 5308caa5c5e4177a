"""Building: the two entry points, each a request in, a folder of JSON lines and its statistics out.

Both write into a scratch folder beside `out` and rename it at the end: a crash leaves the old folder or the
new.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from jobs.datasets.cache import reuse_or_build
from jobs.datasets.examples.drop_reasons import DROP_REASONS, total_drops
from jobs.datasets.examples.finalize import Finalizer
from jobs.datasets.examples.progress import Report
from jobs.datasets.examples.tokens import TokenCounter
from jobs.datasets.fixes.collect import FindingCollector
from jobs.datasets.fixes.render import FindingRenderer, source_name
from jobs.datasets.parts.assemble import Assembly, BuiltParts, PartsPlan, Recipe, Replay, scratch_beside
from jobs.datasets.parts.replay import Stage1Train, replay_count
from jobs.datasets.parts.split import Fractions
from jobs.datasets.pool.example_store import ExamplePool
from jobs.datasets.public.collect import PublicCollector
from jobs.datasets.public.render import Renderer
from jobs.datasets.request import Stage1Request, Stage2Request
from jobs.errors import DeliveryRefused, OperatorError
from jobs.fs import files


def build_stage1(request: Stage1Request, report: Report) -> dict[str, Any]:
    """Build stage 1's training data from the public sources.

    Args:
        request: What to build and where to.
        report: Called now and then with (phase, done, total or None).

    Returns:
        dataset_stats, as JSON values.

    Raises:
        OperatorError: A source or the tokenizer cannot be read, a setting is impossible, or nothing was left.
        NetworkError: The Hub cannot be reached.
    """
    return reuse_or_build(request, lambda: _build_stage1(request, report))


def _build_stage1(request: Stage1Request, report: Report) -> dict[str, Any]:
    recipe = _recipe(request)
    counter = TokenCounter(request.tokenizer)
    finalizer = Finalizer(counter, request.max_seq_length)
    with (
        scratch_beside(request.out) as scratch,
        closing(ExamplePool(scratch, finalizer, near_across_strata=True)) as pool,
    ):
        with closing(PublicCollector(scratch, request.context_lines, report)) as collector:
            for source in request.sources:
                collector.read(source)
            collector.fill(pool, Renderer(counter, request.max_seq_length, request.context_lines))
        per_source = collector.per_source(request.sources)
        dropped = total_drops([own["dropped"] for own in per_source.values()])
        if not len(pool):
            raise _nothing_public(request, dropped)
        built = _write_parts(request, Assembly(pool, recipe, finalizer, None, scratch / "parts"), report)
    return {
        "sources": [source.name for source in request.sources],
        **built.statistics,
        "per_source": per_source,
        "dropped": dropped,
    }


def build_stage2(request: Stage2Request, report: Report) -> dict[str, Any]:
    """Build stage 2's training data from a delivery's findings and a replay of stage 1.

    `train_examples` and `total_train_examples` are the rows of train.jsonl: the domain's own (with
    weighting's copies; `webauthn_examples` for the domain "webauthn") and the replayed ones.

    Args:
        request: What to build and where to.
        report: Called now and then with (phase, done, total or None).

    Returns:
        dataset_stats, as JSON values.

    Raises:
        DeliveryRefused: No finding has a fix that can be learned.
        OperatorError: The findings, stage 1's data or the tokenizer cannot be read, or a setting is
            impossible.
    """
    return reuse_or_build(request, lambda: _build_stage2(request, report))


def _build_stage2(request: Stage2Request, report: Report) -> dict[str, Any]:
    recipe = _recipe(request)
    counter = TokenCounter(request.tokenizer)
    renderer = FindingRenderer(counter, request.max_seq_length, request.domain, request.include_advice)
    finalizer = Finalizer(counter, request.max_seq_length)
    with (
        scratch_beside(request.out) as scratch,
        closing(Stage1Train(request.replay_from, scratch)) as stage1,
        closing(ExamplePool(scratch, finalizer, near_across_strata=False, elsewhere=stage1.refusal)) as pool,
    ):
        replay = Replay(stage1, request.replay_ratio)
        collector = FindingCollector(renderer, report)
        collector.read(request.findings, pool)
        if not len(pool):
            raise _nothing_delivered(request, collector.drops_by_reason())
        built = _write_parts(request, Assembly(pool, recipe, finalizer, replay, scratch / "parts"), report)
    return {
        "sources": [source_name(request.domain), "stage1_replay"],
        **built.statistics,
        **_replay_statistics(request, replay, built.plan),
        "per_tool": collector.per_tool(),
        "per_provenance": collector.per_provenance(),
        "dropped": collector.drops_by_reason(),
    }


def _write_parts(request: Stage1Request | Stage2Request, assembly: Assembly, report: Report) -> BuiltParts:
    total = len(assembly.pool)
    report("writing", 0, total)
    built = assembly.build()
    files.replace_folder(assembly.folder, request.out)
    report("writing", total, total)
    return built


def _replay_statistics(request: Stage2Request, replay: Replay, plan: PartsPlan) -> dict[str, Any]:
    wanted = replay_count(request.replay_ratio, plan.own_rows)
    return {
        f"{request.domain}_examples": plan.own_rows,
        "stage1_replay_examples": len(plan.replayed),
        "total_train_examples": plan.own_rows + len(plan.replayed),
        "replay": {
            "ratio": request.replay_ratio,
            "wanted": wanted,
            "available": len(replay.stage1),
            "capped": len(plan.replayed) < wanted,
        },
    }


def _recipe(request: Stage1Request | Stage2Request) -> Recipe:
    try:
        fractions = Fractions(request.valid_fraction, request.test_fraction)
    except ValueError as error:
        raise OperatorError(
            f"The dataset cannot be split: {error}", "Correct the fractions in the settings."
        ) from error
    if request.quality_weight_multiplier < 1:
        raise OperatorError(
            f"The quality weight multiplier is {request.quality_weight_multiplier}; it would drop examples.",
            "Set it to 1 or more.",
        )
    return Recipe(fractions, request.quality_weight_multiplier, request.seed, request.augmentation)


def _nothing_public(request: Stage1Request, dropped: dict[str, int]) -> OperatorError:
    names = (
        " and ".join(f"`datasets.{source.name}.source`" for source in request.sources) or "a public source"
    )
    return OperatorError(
        f"The public sources gave no example to train on. {_why(dropped)}",
        f"Check {names}, and whether max_seq_length ({request.max_seq_length}) is large enough.",
    )


def _nothing_delivered(request: Stage2Request, dropped: dict[str, int]) -> DeliveryRefused:
    return DeliveryRefused(
        f"No finding of this delivery has a fix that can be learned. {_why(dropped)}",
        "Deliver reports with fixed versions (Trivy, OSV-Scanner) or exact edits (Semgrep JSON with `fix`).",
    )


def _why(dropped: dict[str, int]) -> str:
    if not dropped:
        return "There was nothing to read."
    worst = sorted(dropped.items(), key=lambda item: (-item[1], item[0]))[:5]
    return "Left out: " + " ".join(f"{count} x {DROP_REASONS[reason][1]}" for reason, count in worst)
