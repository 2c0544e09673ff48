"""Fixtures: directories, checkpoints made once a session, and rings that are ended whatever happens."""

from pathlib import Path

import pytest

from checkpoint import write_checkpoint
from ring import EXAMPLE_MODEL, ROOT, Ring


@pytest.fixture
def start_ring(tmp_path):
    """Starts rings for one test: start_ring(["0-5", "6-11"], model=…, ready=True)."""
    rings = []

    def start(shards, model: Path = EXAMPLE_MODEL, ready: bool = True, **options) -> Ring:
        directory = tmp_path / f"ring-{len(rings) + 1}"
        directory.mkdir()
        ring = Ring(directory, model, shards, **options)
        rings.append(ring)
        ring.start()
        return ring.wait_until_ready() if ready else ring

    yield start
    for ring in rings:
        ring.stop()


@pytest.fixture(scope="module")
def example_ring(tmp_path_factory):
    """One ring of two shards with the example model, shared by the tests of a module."""
    with Ring(tmp_path_factory.mktemp("example"), EXAMPLE_MODEL, ["0-5", None]) as ring:
        ring.layers[1] = f"6-{example_layers() - 1}"
        ring.start().wait_until_ready()
        yield ring


def example_layers() -> int:
    import json

    return json.loads((EXAMPLE_MODEL / "config.json").read_text())["num_hidden_layers"]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """Six layers of random bfloat16 weights, no tokenizer."""
    return write_checkpoint(tmp_path_factory.mktemp("tiny"), layers=6, hidden=64, heads=4, kv_heads=2, head_dim=32, mlp=128, vocabulary=512, seed=1)


@pytest.fixture(scope="session")
def tiny_quantized_model(tmp_path_factory) -> Path:
    """Six layers of random MLX 4-bit weights in groups of 64, no tokenizer."""
    return write_checkpoint(
        tmp_path_factory.mktemp("tiny4"), layers=6, hidden=128, heads=4, kv_heads=2, head_dim=32, mlp=192, vocabulary=512, seed=2, bits=4
    )
