"""Guessing ahead changes how fast an answer comes, and not one bit of it."""

import random

import pytest

# Ways to cut twelve and six layers, with the shards' flags.
EXAMPLE_CUTS = {"one shard": ([None], []), "two shards": (["0-5", "6-11"], []), "two rounds": (["0-2,6-8", "3-5,9-11"], ["--prefetch-window", "2"])}
TINY_CUTS = {"one shard": ["0-5"], "three shards": ["0-1", "2-3", "4-5"], "two rounds": ["0-1,4", "2-3,5"]}
SAMPLINGS = {
    "greedy": {"temperature": 0, "repetition_penalty": 1},
    "drawn": {"temperature": 0.8, "top_p": 0.95, "seed": 5},
    "penalized": {"temperature": 0.8, "seed": 6, "repetition_penalty": 1.15, "presence_penalty": 0.3, "frequency_penalty": 0.2},
}
# Text that goes on as it began: the example model repeats words, and counts.
TEXTS = [
    "Repeat: ring ring ring ring ring ring ring ring ring ring ring ring",
    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3,",
    "What is 2+2? 2 + 2 = 4. What is 2+2? 2 + 2 = 4. What is 2+2?",
]


def drafts(ring) -> dict:
    return ring.health().json["speculation"]


def answers(ring, prompts) -> list:
    collected = []
    for prompt in prompts:
        for parameters in SAMPLINGS.values():
            answer = ring.complete(prompt, max_tokens=80, logprobs=3, ignore_eos=True, return_token_ids=True, **parameters)
            choice = answer["choices"][0]
            collected.append((choice["text"], choice["token_ids"], choice["logprobs"], answer["usage"]))
    return collected


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What the example model answers token by token."""
    from ring import EXAMPLE_MODEL, Ring

    with Ring(tmp_path_factory.mktemp("plain"), EXAMPLE_MODEL, [None], api_flags=["--speculation", "off"]) as ring:
        collected = answers(ring.start().wait_until_ready(), TEXTS)
        assert drafts(ring) == {"drafted": 0, "accepted": 0}
        return collected


@pytest.mark.parametrize("mode", ["on", "auto"])
@pytest.mark.parametrize("cut", EXAMPLE_CUTS, ids=lambda name: name.replace(" ", "-"))
def test_the_same_answers(cut, mode, start_ring, plain):
    shards, flags = EXAMPLE_CUTS[cut]
    ring = start_ring(shards, shard_flags=flags, api_flags=["--speculation", mode])
    assert answers(ring, TEXTS) == plain
    if mode == "on":
        seen = drafts(ring)
        # Several hundred tokens, many of them repetitions.
        assert seen["drafted"] >= seen["accepted"] > 100


@pytest.mark.parametrize("cut", TINY_CUTS, ids=lambda name: name.replace(" ", "-"))
def test_the_same_tokens_of_random_weights(cut, start_ring, tiny_quantized_model):
    """Token ids that repeat and token ids that do not, to a model that says anything."""
    draw = random.Random(3)
    some = [draw.randrange(1, 512) for _ in range(20)]
    prompts = [some * 4, [draw.randrange(1, 512) for _ in range(70)]]
    off = start_ring(TINY_CUTS[cut], model=tiny_quantized_model, api_flags=["--speculation", "off"])
    wanted = answers(off, prompts)
    off.stop()
    assert answers(start_ring(TINY_CUTS[cut], model=tiny_quantized_model, api_flags=["--speculation", "on"]), prompts) == wanted


def ask_again(question: str, answer: str) -> list:
    """A conversation in which the question was already answered."""
    asked = {"role": "user", "content": question}
    return [asked, {"role": "assistant", "content": answer}, asked]


def test_an_answer_given_before_comes_in_few_steps(start_ring):
    ring = start_ring(["0-5", "6-11"], api_flags=["--speculation", "on"])
    question = "How do shards find each other?"
    messages = ask_again(question, ring.chat(question))
    before = drafts(ring)["accepted"]
    answer = ring.request("/v1/chat/completions", {"messages": messages, "temperature": 0}).json
    assert answer["choices"][0]["message"]["content"] == messages[1]["content"]
    # All but the first tokens, which tell what is repeated, and what ends each guess.
    assert drafts(ring)["accepted"] - before > answer["usage"]["completion_tokens"] / 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_stop_text_among_accepted_drafts(stream, start_ring):
    """The answer is cut wherever the stop text is, though the tokens after it came in the same step."""
    import openai

    ring = start_ring([None], api_flags=["--speculation", "on"])
    question = "How do shards find each other?"
    messages = ask_again(question, ring.chat(question))
    whole = messages[1]["content"]
    client = openai.OpenAI(base_url=ring.url + "/v1", api_key="none")
    before = drafts(ring)["accepted"]
    for stop in {whole[at : at + 4] for at in range(5, len(whole) - 4, 3)}:
        answer = client.chat.completions.create(model="default_model", messages=messages, temperature=0, stop=[stop], stream=stream)
        if stream:
            choices = [chunk.choices[0] for chunk in answer]
            said, reason = "".join(choice.delta.content or "" for choice in choices), choices[-1].finish_reason
        else:
            said, reason = answer.choices[0].message.content, answer.choices[0].finish_reason
        assert (said, reason) == (whole[: whole.index(stop)], "stop")
    assert drafts(ring)["accepted"] > before


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mode", ["on", "auto", "off"])
def test_a_prediction_makes_fewer_steps_and_no_other_answer(mode, stream, start_ring):
    import openai

    ring = start_ring(["0-5", "6-11"], api_flags=["--speculation", mode])
    question = [{"role": "user", "content": "How do shards find each other?"}]
    client = openai.OpenAI(base_url=ring.url + "/v1", api_key="none")

    def ask(**more):
        if stream:
            more |= {"stream": True, "stream_options": {"include_usage": True}}
        answer = client.chat.completions.create(model="default_model", messages=question, temperature=0, **more)
        if not stream:
            return answer.choices[0].message.content, answer.usage
        chunks = list(answer)
        return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices), chunks[-1].usage

    plain, usage = ask()
    assert usage.completion_tokens_details is None
    for prediction in (plain, [{"type": "text", "text": plain[:7]}, {"type": "text", "text": plain[7:]}]):
        before = drafts(ring)["accepted"]
        said, usage = ask(prediction={"type": "content", "content": prediction})
        assert said == plain
        details = usage.completion_tokens_details
        if mode == "off":
            assert details.accepted_prediction_tokens == 0 and details.rejected_prediction_tokens > 0
        else:
            assert details.accepted_prediction_tokens == usage.completion_tokens
            assert details.rejected_prediction_tokens == 0
        if mode == "on":
            assert drafts(ring)["accepted"] - before >= usage.completion_tokens - 2
    said, usage = ask(prediction={"type": "content", "content": "Something else altogether."})
    assert said == plain
    assert usage.completion_tokens_details.rejected_prediction_tokens > usage.completion_tokens_details.accepted_prediction_tokens
    with pytest.raises(openai.BadRequestError, match="prediction.type"):
        ask(prediction={"type": "guess", "content": "x"})
