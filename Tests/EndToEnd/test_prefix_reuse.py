"""Requests that begin as others did: only what is new is read, and the answer is the same."""

import concurrent.futures
import random
import signal

import openai
import pytest

# Ways to cut the twelve layers of the example model.
CUTS = {
    "one shard": ["0-11"],
    "two shards": ["0-5", "6-11"],
    "three shards": ["0-3", "4-7", "8-11"],
    "two rounds": ["0-2,6-8", "3-5,9-11"],
}
QUESTIONS = ["What is 2+2? Please answer with the number and explain how you came to it.", "And what is 3+4?", "What is ring?"]


def client(ring):
    return openai.OpenAI(base_url=ring.url + "/v1", api_key="unused", max_retries=0, timeout=120)


def cached(usage) -> int:
    return usage.prompt_tokens_details.cached_tokens


def talk(ring, stream: bool = False) -> tuple[list, list]:
    """A conversation of three turns: texts with log-probabilities, and usages."""
    messages, answers, usages = [], [], []
    for number, question in enumerate(QUESTIONS):
        messages.append({"role": "user", "content": question})
        parameters = dict(model="default_model", messages=messages, max_tokens=24, temperature=0.7, seed=number, logprobs=True, top_logprobs=3)
        if stream:
            chunks = list(client(ring).chat.completions.create(**parameters, stream=True, stream_options={"include_usage": True}))
            content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            tokens = [token for chunk in chunks if chunk.choices and chunk.choices[0].logprobs for token in chunk.choices[0].logprobs.content]
            usages.append(chunks[-1].usage)
        else:
            answer = client(ring).chat.completions.create(**parameters)
            content, tokens = answer.choices[0].message.content, answer.choices[0].logprobs.content
            usages.append(answer.usage)
        answers.append((content, [token.model_dump() for token in tokens]))
        messages.append({"role": "assistant", "content": content})
    return answers, usages


@pytest.fixture(scope="module")
def without_reuse(tmp_path_factory):
    from ring import EXAMPLE_MODEL, Ring

    with Ring(tmp_path_factory.mktemp("off"), EXAMPLE_MODEL, ["0-11"], api_flags=["--no-prefix-caching"]) as ring:
        ring.start().wait_until_ready()
        answers, usages = talk(ring)
        assert [cached(usage) for usage in usages] == [0, 0, 0]
        yield answers


@pytest.mark.parametrize("cut", CUTS, ids=lambda name: name.replace(" ", "-"))
def test_the_next_turn_reads_only_what_is_new(cut, start_ring, without_reuse):
    ring = start_ring(CUTS[cut])
    answers, usages = talk(ring)
    assert answers == without_reuse
    assert cached(usages[0]) == 0
    for earlier, later in zip(usages, usages[1:]):
        # The earlier prompt and its answer; the answer's last token may end it differently in the template.
        assert earlier.prompt_tokens + earlier.completion_tokens - 1 <= cached(later) < later.prompt_tokens
    again, streamed = talk(ring, stream=True)
    assert again == without_reuse
    assert all(cached(usage) >= usage.prompt_tokens - 1 for usage in streamed)

    health = ring.health().json["prefix_cache"]
    assert health["hits"] == 5
    assert health["tokens_reused"] == sum(cached(usage) for usage in usages + streamed)
    assert health["sequences_kept"] >= 1 and health["bytes_held"] > 0


def test_a_common_system_prompt_is_read_once(start_ring, tiny_quantized_model):
    draw = random.Random(5)
    system = [draw.randrange(1, 512) for _ in range(300)]
    prompts = [system + [draw.randrange(1, 512) for _ in range(8)] for _ in range(20)]
    parameters = dict(max_tokens=12, logprobs=3, temperature=0, ignore_eos=True)
    alone = start_ring(["0-5"], model=tiny_quantized_model, api_flags=["--no-prefix-caching"])
    wanted = [alone.complete(prompt, **parameters)["choices"][0]["logprobs"] for prompt in prompts]

    ring = start_ring(["0-2", "3-5"], model=tiny_quantized_model)
    with concurrent.futures.ThreadPoolExecutor(len(prompts)) as pool:
        answers = list(pool.map(lambda prompt: ring.complete(prompt, **parameters), prompts))
    assert [answer["choices"][0]["logprobs"] for answer in answers] == wanted
    counts = sorted(answer["usage"]["prompt_tokens_details"]["cached_tokens"] for answer in answers)
    assert counts[0] == 0 and counts[1] >= 300
    assert ring.health().json["prefix_cache"]["tokens_computed"] <= 308 + 19 * 8


def test_several_answers_to_one_prompt_read_it_once(start_ring, tiny_quantized_model):
    ring = start_ring(["0-5"], model=tiny_quantized_model)
    answer = ring.complete(list(range(1, 201)), n=4, temperature=1, seed=3, max_tokens=5)
    assert answer["usage"]["prompt_tokens"] == 200
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    assert ring.health().json["prefix_cache"]["tokens_computed"] == 200 + 3


@pytest.mark.parametrize("victim", [0, 1])
def test_a_shard_killed_between_turns(victim, start_ring, without_reuse):
    ring = start_ring(CUTS["two shards"])
    assert talk(ring)[0] == without_reuse
    ring.shards[victim].stop(signal.SIGKILL)
    ring.shards[victim] = ring.start_shard(victim)
    ring.wait_until_ready()
    assert talk(ring)[0] == without_reuse


def test_caches_that_are_full_make_room(start_ring, tiny_quantized_model):
    """Room for some 900 tokens on each shard: what is kept goes before a request fails."""
    # 3 layers · (keys + values) · 2 heads · 32 columns · 2 bytes a token.
    limit = 900 * 3 * 2 * 2 * 32 * 2
    ring = start_ring(["0-2", "3-5"], model=tiny_quantized_model, shard_flags=["--cache-limit", str(limit)])
    draw = random.Random(9)
    for _ in range(12):
        prompt = [draw.randrange(1, 512) for _ in range(400)]
        ring.complete(prompt, max_tokens=4, ignore_eos=True)
        again = ring.complete(prompt, max_tokens=4, ignore_eos=True)
        assert again["usage"]["prompt_tokens_details"]["cached_tokens"] == 399
    health = ring.health().json
    assert 1 <= health["prefix_cache"]["sequences_kept"] <= 2
    assert all(shard["cache_bytes"] <= limit for shard in health["shards"])
