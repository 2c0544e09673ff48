"""The same answer however the ring is cut, windowed, threaded or shared: identical tokens and identical log-probabilities."""

import concurrent.futures
import json
import random

import pytest

# Each way to cut six layers: the shards' layers in ring order and the flags all of them get.
CUTS = {
    "one shard": (["0-5"], []),
    "one shard, layers left out": ([None], []),
    "two shards": (["[0,1,2]", "[3,4,5]"], []),
    "three shards": (["0-1", "2-3", "4-5"], []),
    "uneven": (["0", "1-5"], []),
    "a shard for each layer": (["0", "1", "2", "3", "4", "5"], []),
    "two rounds": (["0-1,4", "2-3,5"], []),
    "three rounds": (["0,2,4", "1,3,5"], []),
    "shards in another order": (["3-5", "0-2"], []),
    "window of one": (["0-5"], ["--prefetch-window", "1"]),
    "window of two": (["0-5"], ["--prefetch-window", "2"]),
    "window of all": (["0-5"], ["--prefetch-window", "6"]),
    "two rounds, window of one": (["0-1,4-5", "2-3"], ["--prefetch-window", "1"]),
    "two threads": (["0-5"], ["--threads", "2"]),
    "portable kernels": (["0-2", "3-5"], "portable"),
}


def prompts() -> list[list[int]]:
    """Short, one token, and longer than a block of the cache."""
    draw = random.Random(7)
    return [[draw.randrange(1, 512) for _ in range(count)] for count in (9, 1, 150)]


def answers(ring) -> list:
    """Greedy and seeded answers to every prompt, with what was chosen and how likely it was."""
    collected = []
    for prompt in prompts():
        for parameters in ({"temperature": 0}, {"temperature": 0.9, "top_p": 0.9, "seed": 11, "repetition_penalty": 1.1}):
            answer = ring.complete(prompt, max_tokens=24, logprobs=5, ignore_eos=True, return_token_ids=True, **parameters)
            choice = answer["choices"][0]
            collected.append((choice["token_ids"], choice["logprobs"]["token_logprobs"], choice["logprobs"]["top_logprobs"]))
    return collected


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What one shard with one thread answers, for each model and mode, computed once."""
    known = {}

    def answers_of(ring_class, model, flags):
        key = (model, tuple(flags))
        if key not in known:
            directory = tmp_path_factory.mktemp("expected")
            with ring_class(directory, model, ["0-5"], shard_flags=["--threads", "1", *flags]) as ring:
                known[key] = answers(ring.start().wait_until_ready())
        return known[key]

    return answers_of


@pytest.mark.parametrize("cut", CUTS, ids=lambda name: name.replace(" ", "-"))
def test_however_the_ring_is_cut(cut, start_ring, tiny_quantized_model, expected, monkeypatch):
    from ring import Ring

    wanted = expected(Ring, tiny_quantized_model, [])
    assert len({tuple(ids) for ids, _, _ in wanted}) > 1, "the prompts must not all lead to one answer"
    shards, flags = CUTS[cut]
    if flags == "portable":
        monkeypatch.setenv("RING_ISA", "portable")
        flags = []
    ring = start_ring(shards, model=tiny_quantized_model, shard_flags=flags)
    assert answers(ring) == wanted


@pytest.mark.parametrize("flags", [[], ["--exact"]], ids=["default", "exact"])
def test_bfloat16_weights_in_two_rounds_with_a_window(flags, start_ring, tiny_model, expected):
    from ring import Ring

    ring = start_ring(["0-1,4-5", "2-3"], model=tiny_model, shard_flags=[*flags, "--prefetch-window", "2"])
    assert answers(ring) == expected(Ring, tiny_model, flags)


def test_an_eight_bit_cache_in_two_rounds_with_a_window(start_ring, tiny_quantized_model, expected):
    from ring import Ring

    flags = ["--kv-bits", "8"]
    ring = start_ring(["0-1,4-5", "2-3"], model=tiny_quantized_model, shard_flags=[*flags, "--prefetch-window", "2"])
    eight = answers(ring)
    assert eight == expected(Ring, tiny_quantized_model, flags)
    assert eight != expected(Ring, tiny_quantized_model, [])
    config = json.loads((tiny_quantized_model / "config.json").read_text())
    token = 2 * config["num_key_value_heads"] * (config["head_dim"] + 4)
    assert [shard["cache_bytes_per_token"] for shard in ring.health().json["shards"]] == [4 * token, 2 * token]
    assert "int8 keys and values" in ring.shards[0].log


def test_activations_in_bfloat16_are_the_same_in_every_cut(start_ring, tiny_model):
    flags = ["--activations", "bf16"]
    whole = answers(start_ring(["0-5"], model=tiny_model, api_flags=flags))
    assert answers(start_ring(["0-1,4-5", "2-3"], model=tiny_model, api_flags=flags)) == whole


def test_small_prefill_chunks(start_ring, tiny_quantized_model, expected):
    from ring import Ring

    ring = start_ring(["0-2", "3-5"], model=tiny_quantized_model, api_flags=["--rows-per-step", "7"])
    assert answers(ring) == expected(Ring, tiny_quantized_model, [])


def test_alone_or_among_others(start_ring, tiny_quantized_model, expected):
    """The answers do not change while other streams of all lengths share their steps."""
    from ring import Ring

    wanted = expected(Ring, tiny_quantized_model, [])
    ring = start_ring(["0-2", "3-5"], model=tiny_quantized_model)
    draw = random.Random(3)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        others = [
            pool.submit(ring.complete, [draw.randrange(1, 512) for _ in range(draw.randrange(1, 90))], max_tokens=40, temperature=1, seed=number)
            for number in range(24)
        ]
        assert answers(ring) == wanted
        for other in others:
            other.result()
