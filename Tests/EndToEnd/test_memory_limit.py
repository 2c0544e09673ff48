"""A model larger than the memory allowed: --memory-limit chooses a window that stays inside a limit that kills what exceeds it."""

import random
import resource
import signal
import subprocess
import uuid
from pathlib import Path

import pytest

from checkpoint import write_checkpoint
from ring import BIN, Daemon, Ring, free_port, wait_until

MEBIBYTE = 1 << 20
LIMIT = 400 * MEBIBYTE
# 24 layers of 30 MiB and an embedding of 20 MiB.
SHAPE = dict(layers=24, hidden=1024, heads=16, kv_heads=8, head_dim=128, mlp=3072, vocabulary=10_000)


@pytest.fixture(scope="module")
def large_model(tmp_path_factory):
    model = write_checkpoint(tmp_path_factory.mktemp("large"), seed=5, **SHAPE)
    assert (model / "model.safetensors").stat().st_size > 1.75 * LIMIT
    return model


class ControlGroup:
    """A control group of version 1 or 2 with LIMIT bytes and no swap, for processes that join it."""

    def __init__(self):
        roots = [(Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max")]
        for root, name in roots:
            self.path = root / f"ring-test-{uuid.uuid4()}"
            try:
                self.path.mkdir()
                (self.path / name).write_text(str(LIMIT))
            except OSError as error:
                self.reason = str(error)
                if self.path.exists():
                    self.path.rmdir()
                continue
            swap = self.path / "memory.swap.max"
            if swap.exists():
                swap.write_text("0")
            return
        pytest.skip(f"no control group for memory can be made here: {self.reason}")

    def join(self):
        (self.path / "cgroup.procs").write_text("0")

    def close(self):
        self.path.rmdir()


class DataLimit:
    """A resource limit on private writable memory: beyond it the system gives no more."""

    def join(self):
        # Stacks count in full, touched or not, so the limit is wider than what the shard is told.
        limit = LIMIT + 256 * MEBIBYTE
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    def close(self):
        pass


@pytest.fixture(params=[ControlGroup, DataLimit], ids=["control-group", "resource-limit"])
def confinement(request):
    limit = request.param()
    yield limit
    limit.close()


def question(ring) -> list:
    """A prompt of a full step, so that the largest working memory is used, and then single tokens."""
    draw = random.Random(5)
    prompt = [draw.randrange(1, SHAPE["vocabulary"]) for _ in range(600)]
    answer = ring.complete(prompt, max_tokens=4, temperature=0, ignore_eos=True, return_token_ids=True, logprobs=1)
    return [answer["choices"][0]["token_ids"], answer["choices"][0]["logprobs"]["token_logprobs"]]


@pytest.fixture(scope="module")
def expected(large_model, tmp_path_factory):
    with Ring(tmp_path_factory.mktemp("whole"), large_model, ["0-23"]) as ring:
        return question(ring.start().wait_until_ready())


def test_a_model_larger_than_the_limit_answers_the_same(large_model, expected, confinement, tmp_path):
    with Ring(tmp_path, large_model, ["0-23"]) as ring:
        flags = ["--memory-limit", f"{LIMIT // MEBIBYTE}MiB", "--threads", "2"]
        ring.shards.append(ring.start_shard(0, flags=flags, prepare=confinement.join))
        ring.start_api()
        ring.wait_until_ready()
        assert question(ring) == expected
        shard = ring.health().json["shards"][0]
        assert 2 <= shard["window_layers"] < SHAPE["layers"]
        assert ring.shards[0].peak_resident_bytes() <= LIMIT


def test_without_the_flag_the_limit_ends_the_shard(large_model, confinement, tmp_path):
    """The limit is a real one: the same shard with all its layers does not survive in it."""
    with Ring(tmp_path, large_model, ["0-23"]) as ring:
        ring.shards.append(ring.start_shard(0, prepare=confinement.join))
        assert ring.shards[0].wait_for_exit() in (-signal.SIGKILL, 1), ring.logs


def test_a_limit_too_small_is_refused_with_one_that_works(large_model, tmp_path):
    def refusal(limit: str) -> str:
        command = [BIN / "ring-shard", "-m", large_model, "-p", free_port(), "-n", "127.0.0.1:1", "--memory-limit", limit]
        ended = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
        assert ended.returncode != 0
        lines = ended.stderr.strip().splitlines()
        assert len(lines) == 1, ended.stderr
        return lines[0]

    line = refusal("100MiB")
    assert "--memory-limit 100MiB is too little for layers 0-23" in line
    advised = line.split("give --memory-limit ")[1].split()[0]
    assert "is too little" in refusal(f"{int(advised.removesuffix('MiB')) - 1}MiB")
    daemon = Daemon(
        "shard", [BIN / "ring-shard", "-m", large_model, "-p", free_port(), "-n", "127.0.0.1:1", "--memory-limit", advised],
        tmp_path / "shard.log",
    )
    try:
        wait_until(lambda: "1 of them at a time in memory" in daemon.log, "the shard to serve")
    finally:
        daemon.stop()
