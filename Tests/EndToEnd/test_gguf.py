"""A model in one GGUF file is served like any other: tokenizer, template and weights come from it."""

import pytest

from gguf_file import write_gguf
from ring import EXAMPLE_MODEL

PROMPT = "A ring of shards answers. What is 17 + 25?"


@pytest.fixture(scope="module")
def exact_file(tmp_path_factory):
    """The example model with the very weights that its directory has."""
    return write_gguf(EXAMPLE_MODEL, tmp_path_factory.mktemp("gguf") / "example-BF16.gguf")


@pytest.fixture(scope="module")
def quantized_file(tmp_path_factory):
    return write_gguf(EXAMPLE_MODEL, tmp_path_factory.mktemp("gguf8") / "example-Q8_0.gguf", quantized=True)


def answer(ring):
    """Tokens and log-probabilities of prompt and answer."""
    answer = ring.complete(PROMPT, max_tokens=24, temperature=0, echo=True, logprobs=3, ignore_eos=True, return_token_ids=True)
    choice = answer["choices"][0]
    return choice["text"], choice["token_ids"], choice["logprobs"]


def test_the_same_weights_give_the_same_answer(exact_file, start_ring):
    """A ring of two shards over the file and one over the directory agree in every bit."""
    from_file = start_ring(["0-4", "5-11"], model=exact_file)
    from_directory = start_ring([None])
    assert answer(from_file) == answer(from_directory)
    assert from_file.chat("What is 2+2?") == from_directory.chat("What is 2+2?") == "2 + 2 = 4."
    models = from_file.request("/v1/models").json["data"]
    assert [model["id"] for model in models] == ["example-BF16"]


def test_quantized_blocks_answer_alike_in_every_cut(quantized_file, start_ring):
    """Whole, in a directory, over two shards, and with a window that reads and converts layers in every pass."""
    whole = start_ring([None], model=quantized_file.parent)
    expected = answer(whole)
    assert whole.chat("What is 2+2?") == "2 + 2 = 4."
    cut = start_ring(["0-3,8-9", "4-7,10-11"], model=quantized_file, shard_flags=["--prefetch-window", "2"])
    assert answer(cut) == expected


def test_a_file_that_was_cut_off_is_refused_in_a_line(exact_file, tmp_path, start_ring):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(exact_file.read_bytes()[:-100])
    ring = start_ring([None], model=broken, ready=False)
    assert ring.shards[0].wait_for_exit() != 0
    assert "broken.gguf: tensor" in ring.shards[0].log and "copy or download it again" in ring.shards[0].log
    assert ring.api.wait_for_exit() != 0
    assert "broken.gguf: tensor" in ring.api.log
