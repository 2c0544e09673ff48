"""Every family of models through real daemons: what its reference answers, however the ring is cut."""

import json

import pytest

from ring import ROOT

FIXTURES = ROOT / "Tests" / "ModelsTests" / "Fixtures"
FAMILIES = sorted(path.name for path in FIXTURES.glob("tiny-*"))


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
