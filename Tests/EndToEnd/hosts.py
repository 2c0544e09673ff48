"""Hosts on one machine: network namespaces on a bridge, each with its own D-Bus and Avahi daemon. Needs root."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from ring import wait_until

NETWORK = "10.77.0"


def missing() -> str:
    """Why there can be no such hosts here; empty when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in ["ip", "dbus-daemon", "avahi-daemon"]:
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            return f"{program} is not installed"
    made = subprocess.run(["ip", "netns", "add", f"ring{os.getpid()}probe"], capture_output=True, text=True)
    if made.returncode != 0:
        return f"network namespaces cannot be made: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", f"ring{os.getpid()}probe"], check=True)
    return ""


class Host:
    """A namespace with an address of its own and, once started, an Avahi daemon."""

    def __init__(self, directory: Path, number: int):
        self.name = f"ring{os.getpid()}h{number}"
        self.address = f"{NETWORK}.{number}"
        self.interface = "lan"
        self.directory = directory
        self.bus = directory / f"bus{number}"
        self.number = number
        self.dbus: subprocess.Popen | None = None
        self.avahi: subprocess.Popen | None = None

    @property
    def prefix(self) -> list[str]:
        """What a command line begins with that is to run on this host."""
        return ["env", f"DBUS_SYSTEM_BUS_ADDRESS=unix:path={self.bus}", "ip", "netns", "exec", self.name]

    def start_dbus(self):
        self.dbus = subprocess.Popen(
            ["dbus-daemon", "--system", f"--address=unix:path={self.bus}", "--nopidfile", "--nofork"],
            stdout=open(self.directory / f"dbus{self.number}.log", "ab"), stderr=subprocess.STDOUT,
        )
        wait_until(self.bus.exists, "D-Bus to listen")

    def start_avahi(self):
        configuration = self.directory / f"avahi{self.number}.conf"
        configuration.write_text(
            f"[server]\nhost-name=ringhost{self.number}\nuse-ipv4=yes\nuse-ipv6=no\nallow-interfaces={self.interface}\n"
            "[publish]\npublish-hinfo=no\npublish-workstation=no\n"
        )
        # The daemon's own run directory, as several run at a time.
        script = f"mkdir -p /run/avahi-daemon && mount -t tmpfs tmpfs /run/avahi-daemon && exec avahi-daemon --no-drop-root --no-chroot -f {configuration}"
        self.avahi = subprocess.Popen(
            [*self.prefix, "sh", "-c", script],
            stdout=open(self.directory / f"avahi{self.number}.log", "ab"), stderr=subprocess.STDOUT,
        )

    def stop_avahi(self, how: int = signal.SIGTERM):
        self._stop(self.avahi, how)
        self.avahi = None

    def stop(self):
        self._stop(self.avahi, signal.SIGTERM)
        self._stop(self.dbus, signal.SIGTERM)

    @staticmethod
    def _stop(process: subprocess.Popen | None, how: int):
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Network:
    """Hosts joined by a bridge that no other interface of the machine belongs to."""

    def __init__(self, directory: Path, count: int):
        self.directory = directory
        self.switch = f"ring{os.getpid()}sw"
        self.hosts = [Host(directory, number) for number in range(1, count + 1)]

    def __enter__(self) -> "Network":
        self._ip("netns", "add", self.switch)
        self._ip("-n", self.switch, "link", "add", "bridge", "type", "bridge")
        self._ip("-n", self.switch, "link", "set", "bridge", "up")
        for host in self.hosts:
            port = f"port{host.number}"
            self._ip("netns", "add", host.name)
            self._ip("link", "add", host.interface, "netns", host.name, "type", "veth", "peer", "name", port, "netns", self.switch)
            self._ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", host.interface)
            self._ip("-n", host.name, "link", "set", "lo", "up")
            self._ip("-n", host.name, "link", "set", host.interface, "up")
            self._ip("-n", self.switch, "link", "set", port, "master", "bridge", "up")
        return self

    def __exit__(self, *error):
        for host in self.hosts:
            host.stop()
            subprocess.run(["ip", "netns", "delete", host.name], capture_output=True)
        subprocess.run(["ip", "netns", "delete", self.switch], capture_output=True)

    @staticmethod
    def _ip(*arguments: str):
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
