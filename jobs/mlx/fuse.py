"""The fusing child: base model and adapter become one complete model folder, proven to load and answer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_unflatten
from mlx_lm import load as load_model
from mlx_lm.utils import dequantize_model, save

from jobs.children import entry
from jobs.children.entry import Assignment
from jobs.children.request import to_json
from jobs.fs import files
from jobs.mlx.reference_decoding import Prompt, StopCriteria, greedy
from jobs.mlx.requests import FusingRequest

PROBE_TOKENS = 32


def run(assignment: Assignment[FusingRequest]) -> dict[str, Any]:
    """Fuse, write, load again, compare.

    Returns:
        `max_logit_difference` between adapter and fused model on the probe (nats; 0 where fusing is
        exact, more where a quantised base is quantised again), and the fused model's short answer.
    """
    request = assignment.payload
    model, tokenizer, config = load_model(
        str(request.model), adapter_path=str(request.adapters), return_config=True
    )
    probe = [to_json(message) for message in request.probe]
    prompt = tokenizer.apply_chat_template(probe, add_generation_prompt=True, return_dict=False)
    before = _logits(model, prompt)
    assignment.report(phase="fusing")
    fused = [
        (name, _fuse_layer(module, request.dequantize))
        for name, module in model.named_modules()
        if hasattr(module, "fuse")
    ]
    if fused:  # trained in full, the adapter's weights have taken the place of the model's already
        model.update_modules(tree_unflatten(fused))
    if request.dequantize:
        model = dequantize_model(model)
        config.pop("quantization", None)
        config.pop("quantization_config", None)
    staging = assignment.work / "final-model"
    shutil.rmtree(staging, ignore_errors=True)
    save(staging, str(request.model), model, tokenizer, config, donate_model=False)
    assignment.report(phase="loading the fused model")
    result = _prove(staging, prompt, before)
    files.replace_folder(staging, request.target)
    return {"fused_layers": len(fused), **result}


def _fuse_layer(module: Any, dequantize: bool) -> Any:
    """The layer that an adapter becomes, in the base model's own numbers: DoRA's magnitude is always fp32."""
    before = module.linear if "linear" in module else module.embedding
    kind = (before.scales if "scales" in before else before.weight).dtype
    after = module.fuse(dequantize=dequantize)
    after.apply(lambda array: array.astype(kind) if mx.issubdtype(array.dtype, mx.floating) else array)
    return after


def _prove(folder: Path, prompt: list[int], before: mx.array) -> dict[str, Any]:
    model, tokenizer = load_model(str(folder))
    difference = mx.max(mx.abs(_logits(model, prompt) - before)).item()
    stop = StopCriteria(frozenset(tokenizer.eos_token_ids), PROBE_TOKENS)
    answer = greedy(model, Prompt(prompt, [], stop))
    return {
        "max_logit_difference": difference,
        "probe_answer": tokenizer.decode(answer.tokens),
        "probe_tokens": len(answer.tokens),
    }


def _logits(model: Any, tokens: list[int]) -> mx.array:
    logits = model(mx.array(tokens)[None])[0].astype(mx.float32)
    mx.eval(logits)
    return logits


if __name__ == "__main__":
    entry.main(run, FusingRequest)
