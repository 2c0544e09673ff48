"""The example model answers right over the ring, and as transformers computed it."""

import json

import pytest

from ring import EXAMPLE_MODEL

QUESTIONS = [json.loads(line) for line in (EXAMPLE_MODEL / "questions.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("row", QUESTIONS, ids=lambda row: row["question"])
def test_question(row, example_ring):
    assert example_ring.chat(row["question"], max_tokens=100).strip() == row["answer"].strip()


def test_questions_cover_the_seeds():
    questions = {row["question"] for row in QUESTIONS}
    assert {"What is 2+2?", "What is the square root of 999"} <= questions
    assert len(QUESTIONS) >= 50


def test_a_conversation(example_ring):
    first = [{"role": "user", "content": "What is 12 times 9?"}]
    said = example_ring.request("/v1/chat/completions", {"messages": first, "temperature": 0}).json["choices"][0]["message"]
    assert "108" in said["content"]
    second = [*first, said, {"role": "user", "content": "What is 30 + 12?"}]
    answer = example_ring.request("/v1/chat/completions", {"messages": second, "temperature": 0}).json
    assert "42" in answer["choices"][0]["message"]["content"]


@pytest.mark.parametrize("shards", [[None], ["0-3,8-9", "4-7,10-11"]], ids=["one shard", "two rounds"])
def test_exact_numbers_are_those_of_transformers(shards, start_ring):
    """Log-probabilities of every prompt token within 1e-4, and the same greedy tokens."""
    ring = start_ring(shards, shard_flags=["--exact"])
    for golden in json.loads((EXAMPLE_MODEL / "golden.json").read_text())["cases"]:
        answer = ring.complete(
            golden["prompt"], max_tokens=len(golden["greedy"]), temperature=0, repetition_penalty=1, echo=True, logprobs=0, ignore_eos=True, return_token_ids=True
        )
        choice = answer["choices"][0]
        assert choice["token_ids"] == golden["greedy"]
        got = choice["logprobs"]["token_logprobs"][1 : len(golden["prompt"])]
        expected = golden["next_logprobs"]
        assert len(got) == len(expected)
        assert max(abs(a - b) for a, b in zip(got, expected)) < 1e-4
