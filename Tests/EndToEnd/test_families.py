"""Every family of models through real daemons: what its reference answers, however the ring is cut."""

import json
import random

import pytest

from ring import ROOT, wait_until

FIXTURES = ROOT / "Tests" / "ModelsTests" / "Fixtures"
# GGUF files have tests of their own.
FAMILIES = sorted(path.parent.name for path in FIXTURES.glob("tiny-*/config.json"))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_answers_as_its_reference_in_every_cut(family, start_ring):
    model = FIXTURES / family
    config = json.loads((model / "config.json").read_text())
    golden = json.loads((model / "golden.json").read_text())
    wanted = golden["float32"]["greedy"]
    layers = config.get("text_config", config)["num_hidden_layers"]

    def answer(shards: list[str], flags: list[str]):
        ring = start_ring(shards, model=model, shard_flags=flags)
        completion = ring.complete(
            golden["prompt"], max_tokens=len(wanted), temperature=0, logprobs=5, ignore_eos=True, return_token_ids=True
        )
        choice = completion["choices"][0]
        return choice["token_ids"], choice["logprobs"]["token_logprobs"], choice["logprobs"]["top_logprobs"]

    whole = answer([f"0-{layers - 1}"], ["--exact"])
    assert whole[0] == wanted
    # A shard for each layer; and one shard through a window of one layer, which takes experts, sinks and norms anew.
    assert answer([str(layer) for layer in range(layers)], ["--exact"]) == whole
    standard = answer([f"0-{layers - 1}"], ["--prefetch-window", "1"])
    assert answer([str(layer) for layer in range(layers)], []) == standard


def tokens(count: int, seed: int) -> list[int]:
    """Of the fixtures' vocabulary."""
    draw = random.Random(seed)
    return [draw.randrange(1, 96) for _ in range(count)]


def test_a_window_bounds_what_a_long_sequence_keeps(start_ring):
    """Three layers, of which two attend to 9 tokens."""
    ring = start_ring(["0-2"], model=FIXTURES / "tiny-gemma3")
    layer = 2 * 2 * 16 * 2  # keys and values, heads, columns, bytes
    shard = ring.health().json["shards"][0]
    assert (shard["cache_bytes_per_token"], shard["cache_bytes_per_token_windowed"]) == (3 * layer, 2 * layer)
    assert f"{3 * layer} bytes a token, {2 * layer} of them only within the sliding window" in ring.shards[0].log
    ring.complete(tokens(500, seed=1), max_tokens=8, temperature=0, ignore_eos=True)
    # The API asks its shards now and then.
    wait_until(lambda: ring.health().json["shards"][0]["cache_bytes"] > 0, "/health to see the sequence")
    # 508 tokens are eight blocks of 64 in the layer that attends to all, and four at the most in the others.
    assert 8 * 64 * layer < ring.health().json["shards"][0]["cache_bytes"] <= (8 + 2 * 4) * 64 * layer


def test_what_a_window_has_left_behind_is_computed_again(start_ring):
    first = tokens(500, seed=2)
    questions = [first, first[:200] + tokens(50, seed=3), first[:498] + tokens(30, seed=4), first[:100]]

    def answers(flags: list[str]):
        ring = start_ring(["0-1", "2"], model=FIXTURES / "tiny-gemma3", api_flags=flags)
        completions = [
            ring.complete(prompt, max_tokens=12, temperature=0, logprobs=5, ignore_eos=True, return_token_ids=True)
            for prompt in questions
        ]
        return [(answer["choices"][0]["token_ids"], answer["choices"][0]["logprobs"]) for answer in completions], completions

    anew, _ = answers(["--no-prefix-caching"])
    reused, completions = answers([])
    assert reused == anew
    # The end of a sequence can be gone on from, what lies far before it cannot; of the second question, of which less is
    # behind the window, the first hundred tokens are still there for the last one.
    cached = [completion["usage"].get("prompt_tokens_details", {}).get("cached_tokens", 0) for completion in completions]
    assert cached == [0, 0, 498, 99]
