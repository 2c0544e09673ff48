"""Starts real daemons on free loopback ports and ends them by process id."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("RING_BIN", ROOT / ".build" / "release"))
EXAMPLE_MODEL = ROOT / "examples" / "model"

# A daemon on a loaded machine may take long to start; this bounds a hang, it measures nothing.
DEADLINE_SECONDS = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what: str, seconds: float = DEADLINE_SECONDS):
    """Polls until condition() is truthy and returns it; fails naming what was awaited."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}")


@dataclass
class Daemon:
    """One process and its log."""

    name: str
    command: list[str]
    log_path: Path
    # Called in the new process before the program begins.
    prepare: Callable[[], None] | None = None
    # Environment variables besides those of the tests.
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen = field(init=False)

    def __post_init__(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in self.command], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                preexec_fn=self.prepare, env=os.environ | self.env,
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def stop(self, how: int = signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not end within 30 s of signal {how}:\n{self.log[-2000:]}")

    def wait_for_exit(self) -> int:
        return self.process.wait(timeout=DEADLINE_SECONDS)

    def peak_resident_bytes(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM")


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict

    @property
    def json(self):
        return json.loads(self.body)


class Ring:
    """Shards and an API that belong together. `shards` names each shard's layers, in ring order."""

    def __init__(
        self, directory: Path, model: Path | str, shards: list[str | None], shard_flags=(), api_flags=(), api_model=None, envs=None
    ):
        self.directory = directory
        # A directory, or an id on the hub.
        self.model = model
        # Environment variables of each shard and, last, of the API.
        self.envs = envs or [{}] * (len(shards) + 1)
        self.ports = [free_port() for _ in shards]
        self.api_port = free_port()
        self.layers = shards
        self.shard_flags = list(shard_flags)
        self.api_flags = list(api_flags)
        self.api_model = api_model or model
        self.shards: list[Daemon] = []
        self.api: Daemon | None = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def start(self) -> "Ring":
        for index in range(len(self.layers)):
            self.shards.append(self.start_shard(index))
        self.start_api()
        return self

    def start_shard(self, index: int, flags=(), next_port: int | None = None, model: Path | None = None, prepare=None) -> Daemon:
        following = next_port or (self.ports + [self.api_port])[index + 1]
        command = [BIN / "ring-shard", "-m", model or self.model, "-p", self.ports[index], "-n", f"127.0.0.1:{following}"]
        if self.layers[index] is not None:
            command += ["-l", self.layers[index]]
        command += ["--name", f"shard-{index + 1}", *self.shard_flags, *flags]
        return Daemon(f"shard-{index + 1}", command, self.directory / f"shard-{index + 1}.log", prepare, self.envs[index])

    def start_api(self) -> Daemon:
        command = [BIN / "ring-api", "-a", f"127.0.0.1:{self.api_port}", "-s", f"127.0.0.1:{self.ports[0]}"]
        command += ["-m", self.api_model, *self.api_flags]
        self.api = Daemon("api", command, self.directory / "api.log", env=self.envs[-1])
        return self.api

    def stop(self):
        daemons = [daemon for daemon in [self.api, *self.shards] if daemon]
        for daemon in daemons:
            if daemon.process.poll() is None:
                daemon.process.send_signal(signal.SIGTERM)
        for daemon in daemons:
            daemon.stop()

    @property
    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in sorted(self.directory.glob("*.log")))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    def request(self, path: str, body=None, data: bytes | None = None, method: str | None = None) -> Answer:
        """One HTTP exchange; an error status is an answer too."""
        if body is not None:
            data = json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers={"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as response:
                return Answer(response.status, response.read(), dict(response.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), dict(error.headers))

    def health(self):
        """The body of /health, whatever its status, or None while nothing listens."""
        try:
            return self.request("/health")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def wait_until_ready(self) -> "Ring":
        def ready():
            for daemon in [self.api, *self.shards]:
                assert daemon.process.poll() is None, f"{daemon.name} ended:\n{self.logs}"
            answer = self.health()
            return answer is not None and answer.status == 200

        try:
            wait_until(ready, "the ring to be complete")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs}") from None
        return self

    def wait_until_unready(self, *phrases: str) -> str:
        """Waits until /health refuses with a sentence that holds every phrase, and returns that sentence."""
        seen = {}

        def refused():
            answer = self.health()
            if answer is None or answer.status == 200:
                return None
            seen["message"] = answer.body.decode()
            return all(phrase in seen["message"] for phrase in phrases) and seen["message"]

        try:
            return wait_until(refused, f"/health to say {phrases}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it said {seen.get('message')}\n{self.logs}") from None

    def complete(self, prompt, **parameters) -> dict:
        """One /v1/completions answer; `prompt` is text or token ids."""
        answer = self.request("/v1/completions", {"prompt": prompt, **parameters})
        assert answer.status == 200, f"{answer.status}: {answer.body.decode()}\n{self.logs}"
        return answer.json

    def chat(self, content: str, **parameters) -> str:
        body = {"messages": [{"role": "user", "content": content}], "temperature": 0, **parameters}
        answer = self.request("/v1/chat/completions", body)
        assert answer.status == 200, f"{answer.status}: {answer.body.decode()}\n{self.logs}"
        return answer.json["choices"][0]["message"]["content"]
