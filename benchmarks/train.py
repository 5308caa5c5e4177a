"""Our training against stock mlx_lm.lora, in turns, on the same model and the same fixes.

`python -m benchmarks.train` measures two things, each side in a process of its own:

same   Batch 1 on identical examples (windows), the prompt masked on both sides, the same LoRA layers, no
       dropout: seconds per iteration and peak memory, ours / stock's. Aims: 0.95 and 0.95.
whole  Stock with the earlier settings (whole files cut at 2,048 tokens, prompt not masked, batch 1) against
       ours (windows of the same fixes): answer tokens per second that carry loss and are really inside the
       example. Aim: 5 times as many.

Not timed: start-up, loading, tokenising, and the first pass over the data, in which both compile their step
for every shape (told apart as `first_pass_ratio`). No validation and no checkpoint falls into the timed part.
Seconds are the wall clock (and, beside it, the processor's time) between the reports each side makes every
few iterations. Run it on a quiet machine; where it is shared, the processor's time says more.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import types
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.specimens import (
    Shape,
    build_model,
    fix,
    lengths,
    whole_file_row,
    window_rows,
    write_rows,
)
from config.load import load as load_settings
from jobs import files
from jobs.providers.mlx import Mlx
from jobs.providers.provider import Training

MAX_SEQ_LENGTH = 2048
SEED = 7
# CrossVul's files have about 7,000 tokens a pair (before and after); these lines have 6.4 tokens each.
MEAN_LINES, SIGMA = 540, 1.0
LEARNING_RATE = 1e-3
Row = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One training to time.

    Args:
        rows: The examples.
        mask_prompt: Whether the loss covers the answers only.
        batch_tokens: Ours only: fill batches up to so many tokens.
    """

    rows: list[Row]
    mask_prompt: bool
    batch_tokens: int | None = None


@dataclass(frozen=True)
class Measured:
    """What one training took."""

    seconds: float  # an iteration, after the first pass
    cpu_seconds: float  # the processor's, an iteration: says more where the machine is shared
    first_pass_seconds: float  # an iteration, from the first report to the end of the first pass
    peak_memory_gb: float
    losses: list[tuple[int, float]]


@dataclass(frozen=True)
class Bench:
    """Where and how: folder, passes over the data in all, iterations per report."""

    folder: Path
    passes: int
    report_every: int
    rounds: int
    shape: Shape = field(default_factory=Shape)

    @property
    def model(self) -> Path:
        """The model both sides train."""
        return self.folder / "model"

    def work(self) -> Path:
        """A new folder for one training."""
        return Path(tempfile.mkdtemp(dir=self.folder, prefix="run-"))


def main() -> None:
    """Measure and print; or, as one side's process, train."""
    child = {"--stock": _stock_child, "--ours": _ours_child}.get(sys.argv[1] if sys.argv[1:] else "")
    if child is not None:
        child(files.read_json(Path(sys.argv[2])))
        return
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="sectune-benchmark-") as folder:
        bench = Bench(Path(folder), given.passes, given.report_every, given.rounds)
        chance = random.Random(SEED)
        fixes = [fix(chance, count) for count in lengths(chance, given.examples, MEAN_LINES, SIGMA)]
        whole = [whole_file_row(each) for each in fixes]
        windows = [window_rows(each)[0] for each in fixes]
        build_model(bench.model, [*whole, *windows], bench.shape, SEED)
        results: dict[str, Any] = {"examples": len(fixes), **_circumstances(bench)}
        if given.only != "whole":
            results["same"] = _same(bench, windows)
        if given.only != "same":
            results["whole"] = _whole(bench, whole, windows, given.batch_tokens)
    sys.stdout.write(json.dumps(results, indent=2) + "\n" if given.json else _told(results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--examples", type=int, default=40)
    parser.add_argument("--passes", type=int, default=3, help="over the data; the first is not timed")
    parser.add_argument("--report-every", type=int, default=10, help="iterations; must divide --examples")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-tokens", type=int, help="ours, in `whole`: a token budget per batch")
    parser.add_argument("--only", choices=["same", "whole"])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.examples % given.report_every or given.passes < 2:
        parser.error("--report-every must divide --examples, and --passes be at least 2")
    return given


def _circumstances(bench: Bench) -> dict[str, Any]:
    return {
        "shape": asdict(bench.shape),
        "passes": bench.passes,
        "report_every": bench.report_every,
        "preload": os.environ.get("LD_PRELOAD"),
    }


def _same(bench: Bench, windows: list[Row]) -> dict[str, Any]:
    side = Side(windows, mask_prompt=True)
    stock, ours = _in_turns(bench, side, side)
    return {
        "tokens": _token_counts(bench, windows, MAX_SEQ_LENGTH),
        "time_ratio": _median_ratio(ours, stock, "seconds"),
        "cpu_ratio": _median_ratio(ours, stock, "cpu_seconds"),
        "first_pass_ratio": _median_ratio(ours, stock, "first_pass_seconds"),
        "memory_ratio": _median_ratio(ours, stock, "peak_memory_gb"),
        "aims": {"time_ratio": 0.95, "memory_ratio": 0.95},
        "stock": [asdict(each) for each in stock],
        "ours": [asdict(each) for each in ours],
    }


def _whole(bench: Bench, whole: list[Row], windows: list[Row], batch_tokens: int | None) -> dict[str, Any]:
    stock, ours = _in_turns(bench, Side(whole, False), Side(windows, True, batch_tokens))
    counts = {
        "stock": _token_counts(bench, whole, MAX_SEQ_LENGTH),
        "ours": _token_counts(bench, windows, MAX_SEQ_LENGTH),
    }
    # Both sides see every example once in so many iterations; a token budget makes ours fewer.
    inside = {name: count["answer_tokens_inside"] / count["examples"] for name, count in counts.items()}
    rates = {
        "stock": [inside["stock"] / each.seconds for each in stock],
        "ours": [inside["ours"] / each.seconds for each in ours],
    }
    ratios = [mine / theirs for mine, theirs in zip(rates["ours"], rates["stock"], strict=True)]
    return {
        "tokens": counts,
        "answer_tokens_per_second": rates,
        "answer_token_ratio": statistics.median(ratios),
        "answer_token_ratios": ratios,
        "answer_token_cpu_ratio": inside["ours"]
        / inside["stock"]
        / _median_ratio(ours, stock, "cpu_seconds"),
        "aims": {"answer_token_ratio": 5.0},
        "memory_ratio": _median_ratio(ours, stock, "peak_memory_gb"),
        "stock": [asdict(each) for each in stock],
        "ours": [asdict(each) for each in ours],
    }


def _median_ratio(ours: list[Measured], stock: list[Measured], name: str) -> float:
    pairs = zip(ours, stock, strict=True)
    return float(statistics.median(getattr(mine, name) / getattr(theirs, name) for mine, theirs in pairs))


def _in_turns(bench: Bench, stock: Side, ours: Side) -> tuple[list[Measured], list[Measured]]:
    """Each round both sides, the other one first each time: what else the machine does hits both."""
    theirs, mine = [], []
    for number in range(bench.rounds):
        for is_ours in (bool(number % 2), not number % 2):
            if is_ours:
                mine.append(_ours(bench, ours))
            else:
                theirs.append(_stock(bench, stock))
        sys.stderr.write(f"round {number + 1}: {mine[-1].seconds / theirs[-1].seconds:.3f}\n")
    return theirs, mine


def _ours(bench: Bench, side: Side) -> Measured:
    work = bench.work()
    for name, rows in (("train", side.rows), ("valid", [])):
        write_rows(work / "data" / f"{name}.jsonl", rows)
    iterations = bench.passes * len(side.rows)
    changes = {
        "seed": SEED,
        "stage1__iters": iterations,
        "stage1__learning_rate": LEARNING_RATE,
        "training__max_seq_length": MAX_SEQ_LENGTH,
        "training__lora__dropout": 0.0,
        "training__mask_prompt": str(side.mask_prompt).lower(),
        "training__report_every": bench.report_every,
        "training__checkpoint_every": iterations + 1,
        "training__evaluate_every": iterations + 1,
        **({"training__batch_tokens": side.batch_tokens} if side.batch_tokens else {}),
    }
    environ = {f"SECTUNE__{key.upper()}": str(value) for key, value in changes.items()}
    request = Mlx().translate(
        load_settings(environ=environ).settings,
        Training(1, bench.model, work / "data", work / "adapters", work / "metrics.jsonl"),
    )
    _in_a_process("--ours", work, {"payload": request, "work": str(work)})
    rows = [row for row in files.read_jsonl(work / "metrics.jsonl") if "train_loss" in row]
    return _measured(rows, len(side.rows), len(side.rows) * bench.passes / rows[-1]["iteration"])


def _stock(bench: Bench, side: Side) -> Measured:
    work = bench.work()
    write_rows(work / "train.jsonl", side.rows)
    options = {
        "model": str(bench.model),
        "data": str(work / "train.jsonl"),
        "reports": str(work / "reports.jsonl"),
        "adapter_path": str(work / "adapters"),
        "iters": bench.passes * len(side.rows),
        "steps_per_report": bench.report_every,
        "mask_prompt": side.mask_prompt,
    }
    _in_a_process("--stock", work, options)
    return _measured(list(files.read_jsonl(work / "reports.jsonl")), len(side.rows), 1.0)


def _in_a_process(side: str, work: Path, options: dict[str, Any]) -> None:
    files.write_json(work / "options.json", options)
    command = [sys.executable, "-m", "benchmarks.train", side, str(work / "options.json")]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{side} failed:\n{done.stderr[-2000:]}")


def _ours_child(options: dict[str, Any]) -> None:
    """The training child's own work; each report also tells the processor's time."""
    from jobs.child import Assignment
    from jobs.mlx import reports, train

    tell = reports.Reports._tell

    def tell_more(self: reports.Reports, **facts: Any) -> None:
        tell(self, cpu=time.process_time(), **facts)

    reports.Reports._tell = tell_more  # type: ignore[method-assign]
    work = Path(options["work"])
    train.run(Assignment(files.private_folder(work / "child"), options["payload"], work / "log", {}))


def _stock_child(options: dict[str, Any]) -> None:
    """mlx_lm.lora's own steps: load, create_dataset, train_model; its seed, its iterator, its loss."""
    import numpy as np
    from mlx_lm import lora
    from mlx_lm.tuner.callbacks import TrainingCallback
    from mlx_lm.tuner.datasets import create_dataset

    class Clock(TrainingCallback):  # type: ignore[misc]
        def on_train_loss_report(self, train_info: dict[str, Any]) -> None:
            files.append_jsonl(
                Path(options["reports"]), {"time": time.time(), "cpu": time.process_time(), **train_info}
            )

    settings = {
        **lora.CONFIG_DEFAULTS,
        "train": True,
        "seed": SEED,
        "num_layers": -1,
        "batch_size": 1,
        "learning_rate": LEARNING_RATE,
        "optimizer": "adamw",
        "optimizer_config": {"adamw": {"weight_decay": 0.0}},
        "max_seq_length": MAX_SEQ_LENGTH,
        "save_every": options["iters"] + 1,
        "lora_parameters": {
            "rank": 8,
            "scale": 2.0,
            "dropout": 0.0,
            "keys": ["self_attn.q_proj", "self_attn.v_proj"],
        },
        **options,
    }
    arguments = types.SimpleNamespace(**settings)
    np.random.seed(SEED)
    model, tokenizer = lora.load(options["model"])
    train = create_dataset(list(files.read_jsonl(Path(options["data"]))), tokenizer, arguments)
    lora.train_model(arguments, model, train, [], Clock())


def _measured(reports: list[dict[str, Any]], examples: int, per_iteration: float) -> Measured:
    """Seconds an example, whatever a batch holds: `per_iteration` examples, 1 at batch 1."""
    first = next(row for row in reports if row["iteration"] * per_iteration >= examples - 0.5)
    begun, last = reports[0], reports[-1]
    timed = (last["iteration"] - first["iteration"]) * per_iteration
    compiled = (first["iteration"] - begun["iteration"]) * per_iteration
    return Measured(
        (last["time"] - first["time"]) / timed,
        (last["cpu"] - first["cpu"]) / timed,
        (first["time"] - begun["time"]) / compiled if compiled else float("nan"),
        last["peak_memory_gb"] if "peak_memory_gb" in last else last["peak_memory"],
        [(row["iteration"], row["train_loss"]) for row in reports],
    )


def _token_counts(bench: Bench, rows: list[Row], limit: int) -> dict[str, Any]:
    from transformers import AutoTokenizer

    from jobs.mlx.examples import tokenise

    tokenizer = AutoTokenizer.from_pretrained(bench.model)
    encoded = [tokenise(tokenizer, row["messages"]) for row in rows]
    return {
        "examples": len(rows),
        "tokens": sum(len(tokens) for tokens, _ in encoded),
        "tokens_inside": sum(min(limit, len(tokens)) for tokens, _ in encoded),
        "answer_tokens": sum(len(tokens) - start for tokens, start in encoded),
        "answer_tokens_inside": sum(max(0, min(limit, len(tokens)) - start) for tokens, start in encoded),
        "without_any_answer": sum(start >= limit for _, start in encoded),
    }


def _told(results: dict[str, Any]) -> str:
    lines = []
    if same := results.get("same"):
        lines.append(
            f"same examples, batch 1: time {same['time_ratio']:.3f} of stock's (aim 0.95), "
            f"peak memory {same['memory_ratio']:.3f} (aim 0.95); "
            f"processor time {same['cpu_ratio']:.3f}; first pass {same['first_pass_ratio']:.3f}"
        )
        lines += _curves(same)
    if whole := results.get("whole"):
        rates = {name: statistics.median(each) for name, each in whole["answer_tokens_per_second"].items()}
        lines.append(
            f"whole files against windows: {whole['answer_token_ratio']:.1f} times as many answer tokens per "
            f"second (aim 5): {rates['ours']:.0f} against {rates['stock']:.0f}; "
            f"peak memory {whole['memory_ratio']:.3f}"
        )
        lines += _curves(whole)
    return "\n".join(lines) + "\n"


def _curves(part: dict[str, Any]) -> list[str]:
    pairs = zip(part["stock"][0]["losses"], part["ours"][0]["losses"], strict=False)
    return [
        "  iteration  stock  ours",
        *(f"  {at:9}  {theirs:.3f}  {mine:.3f}" for (at, theirs), (_, mine) in pairs),
    ]


if __name__ == "__main__":
    main()
