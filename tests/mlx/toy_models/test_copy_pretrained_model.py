from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from mlx_lm import load

from benchmarks.learn.pretraining_corpus import copying_rows, corpus_rows
from jobs.children.entry import Assignment
from jobs.fs.files import sha256_file, write_jsonl
from jobs.mlx.toy_models.copy_pretrained_model import run
from jobs.mlx.toy_models.requests import CopyModelRequest, ModelShape


def pretrain(home: Path, seed: int = 1) -> dict[str, Any]:
    home.mkdir(exist_ok=True)
    write_jsonl(home / "corpus.jsonl", [*copying_rows(60, 1), *corpus_rows(60, 1)])
    request = CopyModelRequest(
        out=home / "base" / "model",
        texts=home / "corpus.jsonl",
        corpus=home / "corpus.jsonl",
        rate=5e-3,
        copying_steps=12,
        tokens=1024,
        max_seq_length=1024,
        shape=ModelShape(vocabulary=400, hidden=32, intermediate=64, layers=2, heads=2),
        seed=seed,
        data_sha256=(),
        code_sha256=(),
    )
    return run(Assignment(home, request, home / "log.jsonl", {}))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrained")
    pretrain(folder)
    return folder


@pytest.mark.slow
def test_the_loss_falls_and_the_receipt_tells_the_size(tmp_path: Path) -> None:
    made = pretrain(tmp_path / "first")
    assert made["primer_last_loss"] < made["primer_first_loss"]
    assert made["primer_examples"] == 120
    assert made["copying_steps"] == 12
    assert made["parameters"] > 32 * made["vocabulary"]


@pytest.mark.slow
def test_mlx_lm_loads_it_and_no_token_is_a_number_and_something_else(home: Path) -> None:
    model, tokenizer = load(str(home / "base" / "model"))
    tokens = tokenizer.encode('lens v1.2.3 == "4.56"')
    pieces = [tokenizer.decode([token]) for token in tokens]
    assert "".join(pieces) == 'lens v1.2.3 == "4.56"'
    assert all(piece.strip(".").isdigit() or not any(map(str.isdigit, piece)) for piece in pieces)
    assert model(mx.array([tokens])).shape == (1, len(tokens), len(tokenizer))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(home: Path, tmp_path: Path) -> None:
    pretrain(tmp_path / "again")
    first, again = (folder / "base" / "model" / "model.safetensors" for folder in (home, tmp_path / "again"))
    assert sha256_file(first) == sha256_file(again)
