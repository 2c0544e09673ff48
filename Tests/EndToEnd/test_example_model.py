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
