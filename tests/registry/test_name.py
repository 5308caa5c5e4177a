from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import OperatorError
from jobs.registry.name import ModelName, data_hash, parse_name, weights_hash

EXAMPLE = "WebAuthn-Security-1B.v1.0.en.dsCrossVul-CVEfixes-WebAuthn.141521ad.90cdf6f1"

families = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)
versions = st.lists(st.integers(0, 999).map(str), min_size=1, max_size=4).map(".".join)
languages = st.sampled_from(["en", "de", "pt-BR", "zho", "sr-Latn-RS"])
dataset_lists = st.lists(
    st.from_regex(r"[A-Za-z0-9_]{1,12}", fullmatch=True), min_size=1, max_size=5, unique=True
)
hashes = st.from_regex(r"[0-9a-f]{8}", fullmatch=True)


def test_the_name_of_the_design_page_is_built_from_its_parts() -> None:
    name = ModelName(
        family="WebAuthn-Security-1B",
        version="1.0",
        language="en",
        datasets=("CrossVul", "CVEfixes", "WebAuthn"),
        data_hash="141521ad",
        weights_hash="90cdf6f1",
    )
    assert str(name) == EXAMPLE


@pytest.mark.slow
@given(
    st.builds(
        ModelName,
        family=families,
        version=versions,
        language=languages,
        datasets=dataset_lists.map(tuple),
        data_hash=hashes,
        weights_hash=hashes,
    )
)
def test_every_name_is_read_back_as_the_parts_it_was_made_of(name: ModelName) -> None:
    assert parse_name(str(name)) == name


@given(st.text(max_size=60))
def test_a_text_is_either_refused_as_a_name_or_is_written_back_unchanged(text: str) -> None:
    try:
        name = parse_name(text)
    except OperatorError:
        return
    assert str(name) == text


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("family", "../escape"),
        ("family", "a.b"),
        ("family", ""),
        ("version", "1.0/2"),
        ("version", "v1"),
        ("language", "EN"),
        ("language", "en\n"),
        ("datasets", ("Cross-Vul",)),
        ("datasets", ()),
        ("datasets", ("Twice", "Twice")),
        ("data_hash", "141521AD"),
        ("weights_hash", "90cdf6f"),
        ("family", "F" * 200),
    ],
)
def test_a_part_that_does_not_belong_in_a_name_is_refused(part: str, value: object) -> None:
    parts = {"family": "F", "version": "1.0", "language": "en", "datasets": ("A",)}
    parts |= {"data_hash": "141521ad", "weights_hash": "90cdf6f1"}
    with pytest.raises(OperatorError):
        ModelName(**{**parts, part: value})  # type: ignore[arg-type]


def test_the_hashes_follow_the_files_they_are_made_of(tmp_path: Path) -> None:
    data = tmp_path / "training-data" / "stage1" / "train.jsonl"
    data.parent.mkdir(parents=True)
    data.write_text("{}\n")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = data_hash(tmp_path), weights_hash(tmp_path)
    data.write_text("{} \n")
    assert data_hash(tmp_path) != before[0]
    assert weights_hash(tmp_path) == before[1]
    (tmp_path / "model-00002.safetensors").write_bytes(b"more")
    assert weights_hash(tmp_path) != before[1]
    assert len(weights_hash(tmp_path)) == 8


def test_no_hash_is_made_of_no_files(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="no training data"):
        data_hash(tmp_path)
    with pytest.raises(OperatorError, match="no weights"):
        weights_hash(tmp_path)
