"""Models by Hugging Face id: what is fetched, what is kept, and that Hugging Face's own library agrees about both."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hub_server import HubServer, Seen
from ring import BIN, EXAMPLE_MODEL, Daemon, Ring, free_port, wait_until
from safetensors_files import cut, tensor_ranges

ID = "org/sums"
TEXT_FILES = {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}
HEAD_GUESS = 64 << 10
SAMPLE = 1024


@pytest.fixture
def hub():
    server = HubServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def cut_model(tmp_path_factory) -> Path:
    """The example model in four files: the ends, and layers 0–3, 4–7, 8–11."""

    def part(name: str) -> int:
        parts = name.split(".")
        return 1 + int(parts[2]) // 4 if parts[1] == "layers" else 0

    return cut(EXAMPLE_MODEL, tmp_path_factory.mktemp("cut"), part, 4)


class Machine:
    """A machine with a cache of its own, told apart from others on the hub by its token."""

    def __init__(self, directory: Path, hub: HubServer, name: str, **env):
        self.name = name
        self.home = directory / name
        self.env = {
            "HF_HOME": str(self.home), "HF_ENDPOINT": hub.endpoint, "HF_TOKEN": name, "HF_HUB_DOWNLOAD_TIMEOUT": "10",
            "no_proxy": "127.0.0.1", "HF_HUB_DISABLE_TELEMETRY": "1",
        } | env

    @property
    def cache(self) -> Path:
        return self.home / "hub" / "models--org--sums"

    def shard(self, directory: Path, layers: str | None = None, model: str = ID, env=(), prepare=None, flags=()) -> Daemon:
        number = len(list(directory.glob("*.log")))
        command = [BIN / "ring-shard", "-m", model, "-p", free_port(), "-n", f"127.0.0.1:{free_port()}", "--host", "127.0.0.1", *flags]
        command += ["-l", layers] if layers else []
        return Daemon(f"{self.name}-{number}", command, directory / f"{self.name}-{number}.log", prepare, self.env | dict(env))

    def load(self, directory: Path, layers: str | None = None, **options) -> str:
        """Starts a shard, ends it once it serves, and returns its log."""
        shard = self.shard(directory, layers, **options)
        try:
            wait_until(lambda: "serving layers" in shard.log or shard.process.poll() is not None, "the shard to serve")
            assert "serving layers" in shard.log, shard.log
        finally:
            shard.stop()
        return shard.log

    def refusal(self, directory: Path, layers: str | None = None, **options) -> str:
        """The one line with which a shard that cannot have its model ends."""
        shard = self.shard(directory, layers, **options)
        try:
            assert shard.wait_for_exit() not in (0, -signal.SIGSEGV, -signal.SIGILL, -signal.SIGABRT), shard.log
        finally:
            shard.stop()
        errors = [line for line in shard.log.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1 and "Fatal" not in shard.log, shard.log
        return errors[0]

    def python(self, code: str, **env) -> str:
        """Runs Hugging Face's own library on this machine."""
        result = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | self.env | env, capture_output=True, text=True, timeout=120
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def whole_files(self) -> set[str]:
        """Names that some snapshot has."""
        return {path.name for path in self.cache.glob("snapshots/*/*") if path.exists()}


@pytest.fixture
def machine(tmp_path, hub):
    return Machine(tmp_path, hub, "alone")


def layer_of(name: str) -> int | None:
    parts = name.split(".")
    return int(parts[2]) if parts[1] == "layers" else None


def covered(wanted: tuple[int, int], ranges: list[tuple[int, int]]) -> bool:
    return any(begin <= wanted[0] and wanted[1] <= end for begin, end in ranges)


def size(ranges: list[tuple[int, int]]) -> int:
    return sum(end - begin for begin, end in ranges)


# What is fetched


def test_each_shard_fetches_only_the_bytes_of_its_layers(tmp_path, hub):
    """One file, two shards and the API on three machines: the answer is that of the directory, from ranges."""
    repository = hub.add(ID, EXAMPLE_MODEL)
    machines = [Machine(tmp_path, hub, name) for name in ("first", "second", "api")]
    with Ring(tmp_path, ID, ["0-4", "5-11"], envs=[machine.env for machine in machines]) as ring:
        ring.start().wait_until_ready()
        answer = ring.chat("What is 2+2?")
        served = ring.request("/v1/models").json["data"][0]["id"]
        for name in (ID, "sums", "default_model"):
            assert ring.chat("What is 2+2?", model=name) == answer
        assert ring.request("/v1/chat/completions", {"model": "org/other", "messages": [{"role": "user", "content": "x"}]}).status == 404
    with Ring(tmp_path, EXAMPLE_MODEL, [None]) as ring:
        ring.start().wait_until_ready()
        assert ring.chat("What is 2+2?") == answer
    assert served == ID

    data = repository.files["model.safetensors"]
    tensors = tensor_ranges(data)
    ends = {"first": {"model.embed_tokens.weight"}, "second": {"model.embed_tokens.weight", "model.norm.weight"}}
    layers = {"first": range(0, 5), "second": range(5, 12)}
    for who in ("first", "second"):
        fetched = hub.fetched(who)
        assert set(fetched) == {"config.json", "model.safetensors"}
        needed = [place for name, place in tensors.items() if layer_of(name) in layers[who] or name in ends[who]]
        ranges = fetched["model.safetensors"]
        assert all(covered(place, ranges) for place in needed)
        # Beside these the header, and samples of the others for the fingerprint.
        assert size(ranges) <= size(needed) + HEAD_GUESS + 64 * SAMPLE
        assert size(ranges) < 0.75 * len(data)
    fetched = hub.fetched("api")
    assert set(fetched) == TEXT_FILES | {"model.safetensors"}
    assert size(fetched["model.safetensors"]) <= HEAD_GUESS + 64 * SAMPLE
    assert not any(machine.whole_files() & {"model.safetensors"} for machine in machines)


def test_files_without_layers_of_the_shard_are_left_alone(tmp_path, hub, cut_model, machine):
    repository = hub.add(ID, cut_model)
    machine.load(tmp_path, "0-3")
    fetched = hub.fetched()
    full = {name for name, ranges in fetched.items() if ranges == [(0, -1)] or size(ranges) == len(repository.files[name])}
    # The embedding, and the four layers.
    assert {name for name in full if name.endswith(".safetensors")} == {"model-00001-of-00004.safetensors", "model-00002-of-00004.safetensors"}
    for other in ("model-00003-of-00004.safetensors", "model-00004-of-00004.safetensors"):
        assert size(fetched[other]) <= HEAD_GUESS + 64 * SAMPLE
        assert other not in machine.whole_files()
    # Whole files are the cache's, for every tool.
    assert "model-00002-of-00004.safetensors" in machine.whole_files()


def test_a_second_start_asks_nothing(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    machine.load(tmp_path, "0-4")
    hub.forget()
    machine.load(tmp_path, "0-4")
    machine.load(tmp_path, "2-3", env={"HF_HUB_OFFLINE": "1"})
    assert hub.log == []
    # A layer that is not here costs its own bytes.
    machine.load(tmp_path, "4-5")
    wanted = [place for name, place in tensor_ranges(hub.repositories[ID].files["model.safetensors"]).items() if layer_of(name) == 5]
    assert 0 < size(hub.fetched()["model.safetensors"]) <= size(wanted)


def test_parts_that_make_a_whole_become_one(tmp_path, hub, machine):
    repository = hub.add(ID, EXAMPLE_MODEL)
    machine.load(tmp_path, "0-4")
    assert "model.safetensors" not in machine.whole_files()
    machine.load(tmp_path, "5-11")
    blob = machine.cache / "blobs" / repository.digest("model.safetensors")
    assert blob.read_bytes() == repository.files["model.safetensors"]
    assert machine.whole_files() == {"config.json", "model.safetensors"}
    hub.forget()
    machine.load(tmp_path)
    assert hub.log == []


def test_a_range_that_was_not_fetched_is_never_computed_with(tmp_path, hub, machine):
    """A record that says less than the file holds is believed; a file without its record counts as nothing."""
    hub.add(ID, EXAMPLE_MODEL)
    machine.load(tmp_path, "0-4")
    record = next((machine.cache / "ring").glob("*.ranges"))
    record.unlink()
    said = machine.refusal(tmp_path, "0-4", env={"HF_HUB_OFFLINE": "1"})
    assert "model.safetensors" in said and "HF_HUB_OFFLINE" in said


# Agreement with huggingface_hub


def test_a_cache_filled_by_huggingface_hub_is_used_without_a_request(tmp_path, hub, cut_model, machine):
    hub.add(ID, cut_model, extra={"README.md": b"# sums", ".gitattributes": b"*.safetensors filter=lfs"})
    machine.python(f"import huggingface_hub; huggingface_hub.snapshot_download('{ID}')")
    hub.forget()
    with Ring(tmp_path, ID, ["0-5", "6-11"], envs=[machine.env] * 3) as ring:
        ring.start().wait_until_ready()
        assert ring.chat("What is 2+2?")
    assert hub.log == []


def test_huggingface_hub_uses_what_was_fetched_here(tmp_path, hub, cut_model, machine):
    repository = hub.add(ID, cut_model)
    machine.load(tmp_path)
    hub.forget()
    code = f"""
import huggingface_hub
path = huggingface_hub.snapshot_download({ID!r}, local_files_only=True, allow_patterns=["config.json", "*.safetensors*"])
info = huggingface_hub.scan_cache_dir()
assert not info.warnings, info.warnings
repository, = info.repos
revision, = repository.revisions
assert repository.repo_id == {ID!r} and revision.refs == {{"main"}}
print(path)
"""
    path = Path(machine.python(code))
    assert path.name == repository.commit
    for name, data in repository.files.items():
        if ".safetensors" in name:
            assert (path / name).read_bytes() == data
    assert hub.log == []
    # What a shard fetched only in part is not passed off as a snapshot.
    other = Machine(tmp_path, hub, "other")
    other.load(tmp_path, "0-3")
    code = f"""
import huggingface_hub
try:
    huggingface_hub.snapshot_download({ID!r}, local_files_only=True, allow_patterns="*.safetensors")
except Exception as error:
    print(type(error).__name__)
assert not huggingface_hub.scan_cache_dir().warnings
"""
    assert other.python(code) == "IncompleteSnapshotError"


def test_revisions(tmp_path, hub, machine):
    repository = hub.add(ID, EXAMPLE_MODEL, branch="v1.0")
    assert f"'main'" in machine.refusal(tmp_path)
    machine.load(tmp_path, "0-1", model=f"{ID}@v1.0")
    machine.load(tmp_path, "0-1", model=f"{ID}@{repository.commit}", env={"HF_HUB_OFFLINE": "1"})
    assert (machine.cache / "refs" / "v1.0").read_text() == repository.commit


# Several processes


def test_two_shards_that_start_together_fetch_nothing_twice(tmp_path, hub, machine):
    """Both have the same layers, so that they want the same bytes; one waits for what the other is at."""
    hub.add(ID, EXAMPLE_MODEL)
    both_asked = threading.Barrier(2, timeout=60)
    # Neither gets on before both have begun.
    hub.fault(r"/revision/", times=2, before=lambda seen: both_asked.wait())
    shards = [machine.shard(tmp_path, "0-4") for _ in range(2)]
    try:
        for shard in shards:
            wait_until(lambda: "serving layers" in shard.log, "both to serve")
        doubled = {place: count for place, count in hub.fetches().items() if count > 1 and place[0] == "model.safetensors"}
        assert not doubled
    finally:
        for shard in shards:
            shard.stop()


def test_two_shards_with_halves_and_the_api_share_a_cache(tmp_path, hub, machine):
    repository = hub.add(ID, EXAMPLE_MODEL)
    with Ring(tmp_path, ID, ["0-5", "6-11"], envs=[machine.env] * 3) as ring:
        ring.start().wait_until_ready()
        assert ring.chat("What is 2+2?")
    blob = machine.cache / "blobs" / repository.digest("model.safetensors")
    assert blob.read_bytes() == repository.files["model.safetensors"]


# Breaks


def test_a_broken_connection_goes_on_where_it_ended(tmp_path, hub, machine):
    repository = hub.add(ID, EXAMPLE_MODEL)
    hub.fault("model.safetensors", where="storage", drop_after=700_000, times=3)
    machine.load(tmp_path)
    sent = sum(min(seen.range[1] - seen.range[0] + 1, 10**9) for seen in hub.requests(where="storage") if seen.status == 206)
    begins = [seen.range[0] for seen in hub.requests(where="storage")]
    assert len(set(begins)) == len(begins), "no byte is asked for twice"
    assert (machine.cache / "blobs" / repository.digest("model.safetensors")).read_bytes() == repository.files["model.safetensors"]
    assert sent > 0


def test_an_interruption_ends_soon_and_is_continued(tmp_path, hub, machine):
    repository = hub.add(ID, EXAMPLE_MODEL)
    # The whole of what is missing is one piece, of which two thirds arrive.
    hub.fault("model.safetensors", where="storage", stall_after=3_000_000)
    shard = machine.shard(tmp_path)
    wait_until(lambda: any((r.range or (0, 0))[1] > 4_000_000 for r in hub.requests(where="storage")), "the download to begin")
    part = next((machine.cache / "ring").glob("*.part"))
    wait_until(lambda: part.stat().st_blocks * 512 >= 3_000_000, "most to arrive")
    assert shard.stop(signal.SIGINT) == -signal.SIGINT
    assert "goes on from there" in shard.log and "Error" not in shard.log
    assert "model.safetensors" not in machine.whole_files()
    hub.forget()
    machine.load(tmp_path)
    assert size(hub.fetched()["model.safetensors"]) <= len(repository.files["model.safetensors"]) - 3_000_000
    assert (machine.cache / "blobs" / repository.digest("model.safetensors")).read_bytes() == repository.files["model.safetensors"]


def test_a_kill_leaves_nothing_that_is_taken_for_whole(tmp_path, hub, machine):
    repository = hub.add(ID, EXAMPLE_MODEL)
    hub.fault("model.safetensors", where="storage", stall_after=3_000_000)
    shard = machine.shard(tmp_path)
    wait_until(lambda: any((r.range or (0, 0))[1] > 4_000_000 for r in hub.requests(where="storage")), "the download to begin")
    shard.stop(signal.SIGKILL)
    assert "model.safetensors" not in machine.whole_files()
    hub.forget()
    machine.load(tmp_path)
    assert (machine.cache / "blobs" / repository.digest("model.safetensors")).read_bytes() == repository.files["model.safetensors"]


def test_a_silent_server_is_asked_again(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    hub.fault("model.safetensors", where="storage", stall_after=1000, times=1)
    machine.load(tmp_path, "0-4", env={"HF_HUB_DOWNLOAD_TIMEOUT": "1"})


@pytest.mark.parametrize(
    "fault", [dict(status=500), dict(status=503, fields={"Retry-After": "0"}), dict(status=429, fields={"Retry-After": "1"})], ids=str
)
def test_a_server_that_fails_is_asked_again(fault, tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    hub.fault("/revision/", times=2, **fault)
    hub.fault("model.safetensors", where="storage", times=1, **fault)
    machine.load(tmp_path, "0-4")


def test_an_address_that_expires_is_renewed(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    hub.fault("model.safetensors", where="storage", drop_after=200_000, times=1)
    machine.load(tmp_path, "0-1")
    hub.forget()
    hub.fault("model.safetensors", where="storage", status=403, times=2)
    machine.load(tmp_path, "0-4")


def test_a_server_without_ranges(tmp_path, hub, machine):
    repository = hub.add(ID, EXAMPLE_MODEL)
    hub.fault("model.safetensors", where="storage", ignores_range=True)
    machine.load(tmp_path, "0-4")
    assert (machine.cache / "blobs" / repository.digest("model.safetensors")).read_bytes() == repository.files["model.safetensors"]


def test_the_token_stays_with_the_hub(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    machine.load(tmp_path, "0-4")
    assert {seen.token for seen in hub.requests(where="hub")} == {"alone"}
    storage = hub.requests(where="storage")
    assert storage and {seen.token for seen in storage} == {None}


def test_the_token_file(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL, private=True)
    hub.tokens = {"secret": {ID}}
    machine.home.mkdir(parents=True)
    (machine.home / "token").write_text("secret\n")
    machine.load(tmp_path, "0-1", env={"HF_TOKEN": ""})


# Refusals


@pytest.mark.parametrize("token, phrases", [("", ["gated", "accept its terms", "HF_TOKEN"]), ("stranger", ["gated", "no access"])])
def test_gated(token, phrases, tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL, gated=True)
    hub.tokens = {"stranger": set(), "member": {ID}}
    said = machine.refusal(tmp_path, env={"HF_TOKEN": token})
    assert all(phrase in said for phrase in [*phrases, ID]), said
    machine.load(tmp_path, "0-1", env={"HF_TOKEN": "member"})


@pytest.mark.parametrize("token", ["", "stranger"])
def test_a_model_that_cannot_be_seen(token, tmp_path, hub, machine):
    hub.tokens = {"stranger": set()}
    said = machine.refusal(tmp_path, env={"HF_TOKEN": token})
    assert ID in said and "neither a directory here nor a model" in said and hub.endpoint in said


def test_a_wrong_token(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    hub.tokens = {"right": {ID}}
    said = machine.refusal(tmp_path)
    assert "does not accept the token in HF_TOKEN" in said


def test_offline(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    said = machine.refusal(tmp_path, env={"HF_HUB_OFFLINE": "1"})
    assert ID in said and "HF_HUB_OFFLINE" in said and hub.log == []
    machine.load(tmp_path, "0-1")
    hub.forget()
    said = machine.refusal(tmp_path, "5", env={"HF_HUB_OFFLINE": "1"})
    assert "model.safetensors" in said and hub.log == []


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_wrong_bytes(name, tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    hub.fault(rf"/{name}$", flip=700 if name == "config.json" else 3_000_000)
    said = machine.refusal(tmp_path)
    assert name in said and "checksum" in said
    assert name not in machine.whole_files() and not list((machine.cache / "ring").glob("*.ranges"))
    hub.forget()
    machine.load(tmp_path)


def test_a_server_that_stays_broken(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    hub.fault("/revision/", status=500)
    said = machine.refusal(tmp_path)
    assert "status 500" in said and hub.endpoint in said
    assert len(hub.log) == 6


def test_a_server_that_asks_to_come_back_tomorrow(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    hub.fault("/revision/", status=429, fields={"Retry-After": "86400"})
    assert "86400 seconds" in machine.refusal(tmp_path)
    assert len(hub.log) == 1


def test_no_server(tmp_path, hub, machine):
    said = machine.refusal(tmp_path, env={"HF_ENDPOINT": f"http://127.0.0.1:{free_port()}"})
    assert "cannot be reached" in said


@pytest.mark.parametrize("fault", [dict(status=302, fields={"Location": "/api/models/org/sums/revision/main"}), dict(status=302, fields={"Location": "ftp://127.0.0.1/"})], ids=["in circles", "elsewhere"])
def test_redirects_that_lead_nowhere(fault, tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    hub.fault("/revision/", **fault)
    assert "redirects" in machine.refusal(tmp_path)
    assert len(hub.log) <= 6


@pytest.mark.parametrize(
    "pattern, where, fields, phrase",
    [
        ("model.safetensors", "hub", {"X-Linked-Etag": f'"{"1" * 64}"'}, "1111"),
        ("model.safetensors", "hub", {"X-Linked-Size": "77"}, "77 bytes"),
        ("config.json", "hub", {"X-Repo-Commit": "2" * 40}, "2222"),
        ("model.safetensors", "storage", {"Content-Range": "bytes 5-10/99"}, "5-10/99"),
        ("config.json", "hub", {"ETag": f'"{"3" * 40}"'}, "3333"),
    ],
    ids=["checksum", "size", "commit", "range", "tag"],
)
def test_a_server_that_contradicts_its_listing(pattern, where, fields, phrase, tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    hub.fault(pattern, where=where, fields=fields)
    said = machine.refusal(tmp_path, "0-4")
    assert phrase in said and "unlike its listing" in said
    assert not machine.whole_files() & {pattern}


def test_a_listing_that_leads_out_of_the_cache(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL, extra={"../../escape": b"x"})
    assert "impossible name" in machine.refusal(tmp_path)


@pytest.mark.parametrize("reference", ["./absent", "absent", "a/b/c", "org/na me", "org/sums@"])
def test_what_is_neither_path_nor_id(reference, tmp_path, hub, machine):
    said = machine.refusal(tmp_path, model=reference)
    assert reference in said and "no such model directory" in said and hub.log == []


def test_a_repository_without_a_model(tmp_path, hub, machine):
    (tmp_path / "empty").mkdir()
    hub.add(ID, tmp_path / "empty", extra={"README.md": b"nothing"})
    assert "config.json" in machine.refusal(tmp_path)


def test_layers_are_checked_before_weights_are_fetched(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    assert "layer 12 does not exist" in machine.refusal(tmp_path, "0-12")
    assert size(hub.fetched()["model.safetensors"]) == HEAD_GUESS


def test_a_full_disk(tmp_path, hub, machine):
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"]).returncode != 0:
        pytest.skip("a small file system needs root")
    hub.add(ID, EXAMPLE_MODEL)
    machine.home.mkdir(parents=True)
    script = f"mount -t tmpfs -o size=3m tmpfs {machine.home} && exec env " + " ".join(f"{k}={v}" for k, v in machine.env.items())
    command = f"{script} {BIN}/ring-shard -m {ID} -p {free_port()} -n 127.0.0.1:1"
    result = subprocess.run(["unshare", "-m", "sh", "-c", command], capture_output=True, text=True, timeout=120)
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1 and str(machine.home) in errors[0] and "HF_HUB_CACHE" in errors[0], result.stderr


def test_a_disk_that_fills_while_bytes_arrive(tmp_path, hub, machine):
    """Room enough at the start, none in the end: files may only grow to some size."""
    import resource

    hub.add(ID, EXAMPLE_MODEL)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))

    said = machine.refusal(tmp_path, prepare=limit)
    assert "too large" in said.lower() and "model.safetensors" not in machine.whole_files()
    machine.load(tmp_path)


def test_a_cache_that_cannot_be_written(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    (machine.home.parent / "file").write_text("")
    said = machine.refusal(tmp_path, env={"HF_HUB_CACHE": str(machine.home.parent / "file" / "hub")})
    assert str(machine.home.parent / "file") in said


# Progress


def test_progress_in_the_log(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    log = machine.load(tmp_path)
    assert "downloading 4.9 MB in 1 files of org/sums" in log and "downloaded 4.9 MB of 4.9 MB" in log, log


def test_progress_on_a_terminal(tmp_path, hub, machine):
    hub.add(ID, EXAMPLE_MODEL)
    master, terminal = os.openpty()
    command = [BIN / "ring-shard", "-m", ID, "-p", str(free_port()), "-n", "127.0.0.1:1", "--host", "127.0.0.1"]
    process = subprocess.Popen(command, env=os.environ | machine.env, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal)
    os.close(terminal)
    seen = b""
    try:
        while b"serving layers" not in seen:
            seen += os.read(master, 4096)
    finally:
        process.terminate()
        process.wait(timeout=60)
        os.close(master)
    assert b"\r[#" in seen and b"4.9 MB of 4.9 MB" in seen
