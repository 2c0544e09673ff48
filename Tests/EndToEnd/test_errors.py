"""What goes wrong is said in one clear line, and nothing is lost by it."""

import json
import shutil
import signal
import socket
import subprocess

import pytest

from ring import BIN, Daemon, free_port, wait_until


def run(*command) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


def refusal(*command) -> str:
    """What a command that must fail says, which is short and no stack trace."""
    result = run(*command)
    said = (result.stderr + result.stdout).strip()
    assert result.returncode not in (0, -signal.SIGILL, -signal.SIGSEGV, -signal.SIGABRT), said
    assert "Fatal error" not in said and len(said.splitlines()) <= 4, said
    return said


def shard_command(model, *flags):
    return [BIN / "ring-shard", "-m", model, "-p", free_port(), "-n", f"127.0.0.1:{free_port()}", *flags]


def test_gap_in_the_layers(start_ring, tiny_model):
    ring = start_ring(["0-1", "4-5"], model=tiny_model, ready=False)
    ring.wait_until_unready("layers 2–3", "no shard")
    answer = ring.request("/v1/completions", {"prompt": [1], "max_tokens": 1})
    assert answer.status == 503 and "layers 2–3" in answer.json["error"]["message"]


def test_overlapping_layers(start_ring, tiny_model):
    ring = start_ring(["0-3", "3-5"], model=tiny_model, ready=False)
    ring.wait_until_unready("layer 3", "shard-1", "shard-2")


def test_shards_with_different_models(start_ring, tiny_model, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    weights = other / "model.safetensors"
    data = bytearray(weights.read_bytes())
    header = int.from_bytes(data[:8], "little")
    data[8 + header] ^= 1  # one bit of the first tensor
    weights.write_bytes(data)
    ring = start_ring(["0-5"], model=tiny_model, api_model=other, ready=False)
    ring.wait_until_unready("shard-1", "model")


def test_a_missing_shard_is_named_and_used_when_it_comes(start_ring, tiny_model):
    ring = start_ring(["0-2", "3-5"], model=tiny_model)
    ring.shards[1].stop(signal.SIGKILL)
    ring.wait_until_unready("3–5")
    ring.shards[1] = ring.start_shard(1)
    ring.wait_until_ready()
    assert len(ring.complete([1, 2], max_tokens=3, ignore_eos=True, return_token_ids=True)["choices"][0]["token_ids"]) == 3


def test_any_order_of_starting(start_ring, tiny_model, tmp_path):
    """The API first, then the last shard, then the first."""
    from ring import Ring

    with Ring(tmp_path, tiny_model, ["0-2", "3-5"]) as ring:
        ring.start_api()
        ring.wait_until_unready("127.0.0.1")
        ring.shards = [None, ring.start_shard(1)]
        ring.shards[0] = ring.start_shard(0)
        ring.wait_until_ready()


def test_busy_port(tiny_model):
    with socket.socket() as holder:
        holder.bind(("0.0.0.0", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert f"{port}" in refusal(BIN / "ring-shard", "-m", tiny_model, "-p", port, "-n", "127.0.0.1:1")
        said = refusal(BIN / "ring-api", "-m", tiny_model, "-a", f"0.0.0.0:{port}", "-s", "127.0.0.1:1")
        assert f"{port}" in said and "in use" in said


@pytest.mark.parametrize(
    "flags, phrase",
    [
        (["-l", "0-9"], "6 layers"),
        (["-l", "x"], "layer list"),
        (["--prefetch-window", "0"], "prefetch-window"),
        (["--threads", "0"], "threads"),
        (["--kv-bits", "4"], "kv-bits"),
        (["--exact", "--kv-bits", "8"], "float32"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_flags(flags, phrase, tiny_model):
    assert phrase in refusal(*shard_command(tiny_model, *flags))


def test_wrong_addresses(tiny_model):
    assert "nowhere" in refusal(BIN / "ring-shard", "-m", tiny_model, "-p", free_port(), "-n", "nowhere")
    assert "99999" in refusal(BIN / "ring-shard", "-m", tiny_model, "-p", "99999", "-n", "127.0.0.1:1")


def test_model_directory_that_is_none(tmp_path):
    assert str(tmp_path / "absent") in refusal(*shard_command(tmp_path / "absent"))
    assert "config.json" in refusal(*shard_command(tmp_path))


@pytest.fixture
def copy_of_model(tiny_model, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_model, copy)
    return copy


def test_truncated_weights(copy_of_model):
    weights = copy_of_model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    said = refusal(*shard_command(copy_of_model))
    assert "model.safetensors" in said and "truncated" in said


def test_unknown_model_type(copy_of_model):
    path = copy_of_model / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "mamba9"}))
    said = refusal(*shard_command(copy_of_model))
    assert "mamba9" in said and "qwen3" in said


def test_missing_tensor(copy_of_model):
    weights = copy_of_model / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data.replace(b"layers.4.mlp.up_proj", b"layers.4.mlp.xx_proj"))
    assert "layers.4.mlp.up_proj" in refusal(*shard_command(copy_of_model))


@pytest.mark.parametrize(
    "stream",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\x00\x00\x00\x05hello", b"\x00\xff\xff\xff" + b"\x00" * 64, b"\xff" * 1000],
    ids=["http", "tls", "no frame", "length too large", "noise"],
)
def test_foreign_bytes_on_the_ring_port(stream, start_ring, tiny_model):
    ring = start_ring(["0-5"], model=tiny_model)
    with socket.create_connection(("127.0.0.1", ring.ports[0])) as connection:
        connection.settimeout(60)
        try:
            connection.sendall(stream)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        except OSError as error:
            # The shard may be done with it before everything is sent; hanging it must not.
            assert not isinstance(error, TimeoutError)
    wait_until(lambda: "127.0.0.1" in ring.shards[0].log, "the log to name the source")
    assert len(ring.complete([1, 2], max_tokens=2, ignore_eos=True, return_token_ids=True)["choices"][0]["token_ids"]) == 2


def test_ring_bytes_on_the_api_port_leave_http_alone(start_ring, tiny_model):
    ring = start_ring(["0-5"], model=tiny_model)
    for stream in (b"\x00\x00\x00\x05hello", b"\x00\xff\xff\xff", b"\x00"):
        with socket.create_connection(("127.0.0.1", ring.api_port)) as connection:
            connection.sendall(stream)
    assert ring.health().status == 200


def test_text_without_a_tokenizer_is_refused(start_ring, tiny_model):
    ring = start_ring(["0-5"], model=tiny_model)
    answer = ring.request("/v1/completions", {"prompt": "hello"})
    assert answer.status == 400 and "tokenizer" in answer.json["error"]["message"]


def test_api_without_a_shard_says_whom_it_waits_for(tmp_path, tiny_model):
    port = free_port()
    daemon = Daemon("api", [BIN / "ring-api", "-a", f"127.0.0.1:{free_port()}", "-s", f"127.0.0.1:{port}", "-m", tiny_model], tmp_path / "api.log")
    try:
        wait_until(lambda: f"127.0.0.1:{port}" in daemon.log, "the log to name the shard")
    finally:
        assert daemon.stop() == 0
