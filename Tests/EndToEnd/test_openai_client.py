"""The official openai client against a ring of two shards with the example model."""

import json
import socket

import openai
import pytest

from ring import wait_until

QUESTION = [{"role": "user", "content": "What is 2+2?"}]


@pytest.fixture(scope="module")
def client(example_ring):
    return openai.OpenAI(base_url=example_ring.url + "/v1", api_key="unused", max_retries=0, timeout=120)


def test_models(client, example_ring):
    served = client.models.list().data
    assert [model.id for model in served] == [example_ring.model.name]
    assert client.models.retrieve(served[0].id).id == served[0].id


def test_chat(client):
    answer = client.chat.completions.create(model="default_model", messages=QUESTION, temperature=0, max_tokens=30)
    assert "4" in answer.choices[0].message.content
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_chat_streams_the_same_text(client):
    whole = client.chat.completions.create(model="default_model", messages=QUESTION, temperature=0, max_tokens=30)
    stream = client.chat.completions.create(
        model="default_model", messages=QUESTION, temperature=0, max_tokens=30, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert len([chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]) > 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    counts = {"prompt_tokens", "completion_tokens", "total_tokens"}
    assert chunks[-1].usage.model_dump(include=counts) == whole.usage.model_dump(include=counts)
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("name", ["default_model", "model", None])
def test_model_names(name, example_ring):
    body = {"messages": QUESTION, "max_tokens": 5} | ({"model": name} if name else {})
    assert example_ring.request("/v1/chat/completions", body).status == 200


def test_unknown_model_is_refused_by_name(client):
    with pytest.raises(openai.NotFoundError, match="gpt-4o"):
        client.chat.completions.create(model="gpt-4o", messages=QUESTION)


def test_completion_with_echo_and_logprobs(client):
    answer = client.completions.create(model="default_model", prompt="What is 2+2?", max_tokens=1, echo=True, logprobs=3, temperature=0)
    logprobs = answer.choices[0].logprobs
    assert "".join(logprobs.tokens) == answer.choices[0].text
    assert answer.choices[0].text.startswith("What is 2+2?")
    assert logprobs.token_logprobs[0] is None
    assert all(value <= 0 for value in logprobs.token_logprobs[1:])
    assert len(logprobs.tokens) == answer.usage.prompt_tokens + 1
    assert logprobs.text_offset[0] == 0 and logprobs.text_offset == sorted(logprobs.text_offset)


def test_echoed_logprobs_are_those_of_the_same_tokens_generated(example_ring):
    """What a token costs as part of the prompt is what it cost when it was chosen."""
    made = example_ring.complete("The square root", max_tokens=12, temperature=0, logprobs=1, return_token_ids=True, ignore_eos=True)
    choice = made["choices"][0]
    whole = choice["prompt_token_ids"] + choice["token_ids"]
    echoed = example_ring.complete(whole, max_tokens=1, echo=True, logprobs=1, temperature=0)["choices"][0]
    begin = len(choice["prompt_token_ids"])
    assert echoed["logprobs"]["token_logprobs"][begin : begin + 12] == choice["logprobs"]["token_logprobs"]


def test_chat_logprobs(client):
    answer = client.chat.completions.create(
        model="default_model", messages=QUESTION, temperature=0, max_tokens=8, logprobs=True, top_logprobs=4
    )
    content = answer.choices[0].logprobs.content
    assert "".join(token.token for token in content).startswith(answer.choices[0].message.content)
    for token in content:
        assert len(token.top_logprobs) == 4
        assert token.top_logprobs[0].token == token.token, "greedy chooses the likeliest"
        assert bytes(token.bytes).decode(errors="replace") == token.token


def test_several_choices_and_seeds(client):
    def ask(seed):
        answer = client.chat.completions.create(
            model="default_model", messages=QUESTION, temperature=2.0, n=3, seed=seed, max_tokens=12
        )
        return [choice.message.content for choice in sorted(answer.choices, key=lambda choice: choice.index)]

    first = ask(5)
    assert first == ask(5), "a seed repeats its answers"
    assert len(set(first)) > 1, "choices differ"
    assert first != ask(6)


def test_stop_strings_are_never_part_of_the_text(client):
    whole = client.chat.completions.create(model="default_model", messages=QUESTION, temperature=0, max_tokens=30)
    text = whole.choices[0].message.content
    stop = text[3:6]
    for stream in (False, True):
        answer = client.chat.completions.create(
            model="default_model", messages=QUESTION, temperature=0, max_tokens=30, stop=[stop, "never"], stream=stream
        )
        got = "".join(chunk.choices[0].delta.content or "" for chunk in answer) if stream else answer.choices[0].message.content
        assert got == text[: text.index(stop)]


def test_token_ids_in_and_out(example_ring):
    answer = example_ring.complete([10, 11, 12], max_tokens=4, temperature=0, ignore_eos=True, return_token_ids=True)
    assert answer["choices"][0]["prompt_token_ids"] == [10, 11, 12]
    assert len(answer["choices"][0]["token_ids"]) == 4
    assert answer["usage"]["completion_tokens"] == 4


@pytest.mark.parametrize(
    "change, parameter",
    [
        ({"temperature": -1}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"top_logprobs": 5}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"stop": [7]}, "stop"),
        ({"frequency_penalty": "much"}, "frequency_penalty"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_parameters_are_named(change, parameter, example_ring):
    answer = example_ring.request("/v1/chat/completions", {"messages": QUESTION} | change)
    assert answer.status == 400, answer.body
    error = answer.json["error"]
    assert error["param"].startswith(parameter), error
    assert error["type"] == "invalid_request_error" and error["message"]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"messages": [' + b"[" * 100_000, b"\xff\xfe"])
def test_bodies_that_are_no_json_object(data, example_ring):
    answer = example_ring.request("/v1/chat/completions", data=data)
    assert answer.status == 400
    assert answer.json["error"]["message"]


def test_unknown_routes(example_ring):
    answer = example_ring.request("/v1/nothing")
    assert answer.status == 404 and answer.json["error"]["message"]


def test_prompt_beyond_the_context_says_the_numbers(example_ring):
    limit = json.loads((example_ring.model / "config.json").read_text())["max_position_embeddings"]
    answer = example_ring.request("/v1/completions", {"prompt": [5] * (limit + 1), "max_tokens": 1})
    assert answer.status == 400
    assert str(limit) in answer.json["error"]["message"] and str(limit + 1) in answer.json["error"]["message"]


def test_a_hang_up_frees_every_shard(example_ring):
    """A client that goes away in the middle of a stream leaves no sequence on any shard but what is kept for others."""
    body = json.dumps({"messages": QUESTION, "stream": True, "max_tokens": 900, "ignore_eos": True}).encode()
    with socket.create_connection(("127.0.0.1", example_ring.api_port)) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: ring\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")

    def idle():
        health = example_ring.health().json
        kept = health["prefix_cache"]["sequences_kept"]
        return health["active"] == 0 and all(shard["sequences"] == kept for shard in health["shards"])

    wait_until(idle, "the shards to forget the sequence")
    assert "900" not in example_ring.api.log
