"""Shards and the API find each other over mDNS, on hosts of their own."""

import json
import signal
import subprocess

import pytest

from hosts import Network, missing
from ring import BIN, DEADLINE_SECONDS, EXAMPLE_MODEL, Daemon, wait_until

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")

RING_PORT = 50501
API_PORT = 8080


class Cluster:
    """The API on the first host, one shard on each other one, none told where the first shard is."""

    def __init__(self, network: Network, directory):
        self.network = network
        self.directory = directory
        self.daemons: list[Daemon] = []

    def start_shard(self, number: int, layers: str, following: str, *flags: str) -> Daemon:
        host = self.network.hosts[number]
        command = [*host.prefix, BIN / "ring-shard", "-m", EXAMPLE_MODEL, "-p", RING_PORT, "-n", following, "-l", layers]
        return self._start(f"shard{number}", command + ["--name", f"shard{number}", "--threads", "1", *flags])

    def start_api(self, *flags: str) -> Daemon:
        host = self.network.hosts[0]
        command = [*host.prefix, BIN / "ring-api", "-a", f"{host.address}:{API_PORT}", "-m", EXAMPLE_MODEL, *flags]
        return self._start("api", command)

    def _start(self, name: str, command) -> Daemon:
        self.daemons.append(Daemon(name, command, self.directory / f"{name}.log"))
        return self.daemons[-1]

    def stop(self):
        for daemon in self.daemons:
            daemon.stop()

    def get(self, path: str, body: dict | None = None) -> tuple[int, dict]:
        """One HTTP exchange from the API's own host; status 0 while nothing answers."""
        host = self.network.hosts[0]
        command = [*host.prefix, "curl", "-s", "-m", str(DEADLINE_SECONDS), "-w", "\n%{http_code}"]
        if body is not None:
            command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        output = subprocess.run([*command, f"http://{host.address}:{API_PORT}{path}"], capture_output=True, text=True).stdout
        text, _, status = output.rpartition("\n")
        return int(status or 0), json.loads(text) if text else {}

    def wait_until_ready(self):
        wait_until(lambda: self.get("/health")[0] == 200, f"the ring to be complete\n{self.logs}")

    def wait_until_it_says(self, *phrases: str):
        wait_until(lambda: all(phrase in json.dumps(self.get("/health")[1]) for phrase in phrases), f"/health to say {phrases}")

    def answer(self) -> str:
        body = {"messages": [{"role": "user", "content": "What is 2+2?"}], "temperature": 0}
        status, answer = self.get("/v1/chat/completions", body)
        assert status == 200, (answer, self.logs)
        return answer["choices"][0]["message"]["content"]

    @property
    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in sorted(self.directory.glob("*.log")))


@pytest.fixture
def cluster(tmp_path):
    with Network(tmp_path, 3) as network:
        cluster = Cluster(network, tmp_path)
        try:
            yield cluster
        finally:
            cluster.stop()


def start_shards(cluster: Cluster):
    hosts = cluster.network.hosts
    first = cluster.start_shard(1, "0-5", f"{hosts[2].address}:{RING_PORT}")
    last = cluster.start_shard(2, "6-11", f"{hosts[0].address}:{API_PORT}")
    return first, last


def test_the_api_finds_the_first_shard_and_answers(cluster):
    for host in cluster.network.hosts:
        host.start_dbus()
        host.start_avahi()
    start_shards(cluster)
    cluster.start_api()
    cluster.wait_until_ready()
    assert "4" in cluster.answer()


def test_avahi_may_come_late_and_come_back(cluster):
    api_host, first_host, _ = cluster.network.hosts
    for host in cluster.network.hosts:
        host.start_dbus()
    api = cluster.start_api()
    first, _ = start_shards(cluster)
    wait_until(lambda: "Avahi daemon does not run" in api.log and "Avahi daemon does not run" in first.log, "the daemons to say what is missing")
    for host in cluster.network.hosts:
        host.start_avahi()
    cluster.wait_until_ready()
    # It dies and returns on both sides; then the first shard dies, and returns at another port.
    for host in [api_host, first_host]:
        host.stop_avahi(signal.SIGKILL)
    assert "4" in cluster.answer()
    first.stop(signal.SIGKILL)
    cluster.wait_until_it_says("first shard")
    for host in [api_host, first_host]:
        host.start_avahi()
    hosts = cluster.network.hosts
    cluster.start_shard(1, "0-5", f"{hosts[2].address}:{RING_PORT}", "-p", str(RING_PORT + 1))
    cluster.wait_until_ready()
    assert "4" in cluster.answer()


def test_without_dbus_the_log_says_what_to_do(cluster):
    api = cluster.start_api()
    wait_until(lambda: "D-Bus cannot be reached" in api.log, "the API to say what is missing")
    cluster.wait_until_it_says("mDNS shows no shard", "-s")


def test_shards_of_another_cluster_are_left_aside(cluster):
    for host in cluster.network.hosts:
        host.start_dbus()
        host.start_avahi()
    cluster.start_shard(1, "0-5", "127.0.0.1:1", "--cluster", "lab")
    cluster.start_api("--cluster", "home")
    cluster.wait_until_it_says("none of home", "shard1")


def test_two_shards_of_one_name_are_told_apart(cluster):
    for host in cluster.network.hosts:
        host.start_dbus()
        host.start_avahi()
    twins = [cluster.start_shard(number, "0-5", "127.0.0.1:1", "--name", "twin") for number in [1, 2]]
    wait_until(lambda: all("announced over mDNS as twin" in twin.log for twin in twins), "both shards to be announced")
    wait_until(lambda: sum("announced over mDNS as twin #2" in twin.log for twin in twins) == 1, "one of them to have another name")
