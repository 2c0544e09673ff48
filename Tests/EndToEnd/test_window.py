"""A window bounds memory: a shard of a large checkpoint holds its layers' window and little else."""

import pytest

from checkpoint import tensor_shapes, write_checkpoint
from ring import wait_until

SHAPE = dict(layers=28, hidden=1024, heads=16, kv_heads=8, head_dim=128, mlp=3072, vocabulary=100_000)
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def large_model(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("large"), seed=3, **SHAPE)


def bytes_of(prefix: str) -> int:
    total = 0
    for name, shape in tensor_shapes(**SHAPE):
        if name.startswith(prefix):
            count = 1
            for side in shape:
                count *= side
            total += 2 * count
    return total


def test_peak_memory_with_a_window_of_two(start_ring, large_model):
    size = (large_model / "model.safetensors").stat().st_size
    assert size >= 1000 * MEGABYTE
    ring = start_ring(["0-27"], model=large_model, shard_flags=["--prefetch-window", "2"])
    answer = ring.complete([1, 2, 3, 4, 5, 6, 7, 8], max_tokens=3, temperature=0, ignore_eos=True, return_token_ids=True)
    assert len(answer["choices"][0]["token_ids"]) == 3
    # What shards say of themselves is asked every few seconds.
    shard = wait_until(
        lambda: next((shard for shard in ring.health().json["shards"] if shard["pass"]["bytes_read"]), None), "a pass to be reported"
    )
    # One block of 64 tokens a layer, keys and values in float16.
    cache = SHAPE["layers"] * 64 * SHAPE["kv_heads"] * SHAPE["head_dim"] * 2 * 2
    bound = 2 * bytes_of("model.layers.0.") + bytes_of("model.embed_tokens.") + cache + 200 * MEGABYTE
    assert ring.shards[0].peak_resident_bytes() < bound < size
    # Pinning all but the streaming slots: a pass reads at most L - W + 2 layers.
    assert shard["pass"]["bytes_read"] <= (28 - 2 + 2) * bytes_of("model.layers.0.")
    assert shard["window_layers"] == 2
