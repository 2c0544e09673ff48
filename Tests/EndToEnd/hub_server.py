"""A hub on loopback: the routes that models are fetched by, a storage server it redirects to, and misbehaviour on request."""

import hashlib
import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Seen:
    """One request."""

    where: str  # "hub" or "storage"
    method: str
    path: str
    # First and last byte asked for, or None for the whole.
    range: tuple[int, int] | None
    token: str | None
    # The token of the hub's request that led here.
    who: str
    status: int = 0
    file: str | None = None


@dataclass
class Fault:
    """What happens to requests whose path a pattern finds, so many times."""

    pattern: str
    times: int = 10**9
    where: str | None = None
    # An answer in place of the right one.
    status: int | None = None
    # Header fields of that, or in place of the right ones.
    fields: dict = field(default_factory=dict)
    # The connection ends after so many bytes of contents.
    drop_after: int | None = None
    # After so many bytes nothing more is sent until the test is over.
    stall_after: int | None = None
    # A byte at this place of the file is another.
    flip: int | None = None
    ignores_range: bool = False
    # Called with the request before it is answered.
    before: object = None


class Repository:
    def __init__(self, files: dict[str, bytes], branch="main", gated=False, private=False):
        self.files = files
        self.commit = hashlib.sha1(b"".join(name.encode() + data for name, data in sorted(files.items()))).hexdigest()
        self.branches = {branch: self.commit}
        self.gated = gated
        self.private = private

    def is_large(self, name: str) -> bool:
        return name.endswith((".safetensors", ".gguf"))

    def digest(self, name: str) -> str:
        data = self.files[name]
        if self.is_large(name):
            return hashlib.sha256(data).hexdigest()
        return git_digest(data)

    def tree(self) -> list[dict]:
        entries = []
        for name, data in sorted(self.files.items()):
            entry = {"type": "file", "oid": git_digest(data), "size": len(data), "path": name}
            if self.is_large(name):
                entry["oid"] = git_digest(self.digest(name).encode())
                entry["lfs"] = {"oid": self.digest(name), "size": len(data), "pointerSize": 134}
            entries.append(entry)
        return entries + [{"type": "directory", "oid": "0" * 40, "size": 0, "path": "figures"}]


def git_digest(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class HubServer:
    """Two servers: the hub, and the storage that large files are redirected to."""

    def __init__(self):
        self.repositories: dict[str, Repository] = {}
        self.tokens: dict[str, set[str]] = {}
        self.faults: list[Fault] = []
        self.log: list[Seen] = []
        self.page_size = 3
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.hub = self._serve("hub")
        self.storage = self._serve("storage")

    def _serve(self, where: str) -> ThreadingHTTPServer:
        owner = self

        class Handler(HubHandler):
            hub = owner
            role = where

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.hub.server_address[1]}"

    @property
    def storage_url(self) -> str:
        return f"http://127.0.0.1:{self.storage.server_address[1]}"

    def add(self, name: str, directory: Path, extra: dict[str, bytes] | None = None, **options) -> Repository:
        files = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
        self.repositories[name] = Repository(files | (extra or {}), **options)
        return self.repositories[name]

    def fault(self, pattern: str, **options) -> Fault:
        self.faults.append(Fault(pattern, **options))
        return self.faults[-1]

    def take_fault(self, where: str, path: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and fault.where in (None, where) and re.search(fault.pattern, path):
                    fault.times -= 1
                    return fault
        return None

    def forget(self):
        """An empty log, and no more faults."""
        with self.lock:
            self.log = []
            self.faults = []

    def requests(self, who: str | None = None, where: str | None = None) -> list[Seen]:
        with self.lock:
            return [seen for seen in self.log if who in (None, seen.who) and where in (None, seen.where)]

    def fetched(self, who: str | None = None) -> dict[str, list[tuple[int, int]]]:
        """The ranges of each file whose contents were sent, joined; last byte excluded."""
        ranges: dict[str, list[tuple[int, int]]] = {}
        for seen in self.requests(who):
            if seen.status in (200, 206) and seen.file and seen.method == "GET":
                ranges.setdefault(seen.file, []).append((seen.range[0], seen.range[1] + 1) if seen.range else (0, -1))
        return {name: join(parts) for name, parts in ranges.items()}

    def fetches(self) -> Counter:
        """How often each byte range of each file was sent."""
        return Counter((seen.file, seen.range) for seen in self.requests() if seen.status in (200, 206) and seen.file)

    def close(self):
        self.over.set()
        for server in (self.hub, self.storage):
            server.shutdown()
            server.server_close()


def join(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(ranges):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


class HubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer
    role: str

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        url = urlsplit(self.path)
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        who = token or parse_qs(url.query).get("who", [""])[0]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        self.seen = Seen(self.role, self.command, unquote(url.path), (int(wanted[1]), int(wanted[2])) if wanted else None, token, who)
        with self.hub.lock:
            self.hub.log.append(self.seen)
        self.fault = self.hub.take_fault(self.role, self.seen.path) or Fault("")
        if self.fault.before:
            self.fault.before(self.seen)
        if self.fault.status:
            return self.refuse(self.fault.status, **self.fault.fields)
        if self.role == "storage":
            return self.answer_storage(url)
        return self.answer_hub(url)

    def answer_hub(self, url):
        path = unquote(url.path)
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/(.+)", path)
        if match:
            found = self.find(match[1], match[2])
            return found and self.send_json({"id": match[1], "sha": found[1], "gated": found[0].gated})
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path)
        if match:
            found = self.find(match[1], match[2])
            return found and self.send_page(found[0].tree(), url)
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if match:
            found = self.find(match[1], match[2])
            return found and self.send_file(found[0], match[1], match[3])
        return self.refuse(404)

    def find(self, name: str, revision: str):
        repository = self.hub.repositories.get(name)
        token = self.seen.token
        # As on the real hub: who may not see something is not told whether it is there.
        if token is not None and self.hub.tokens and token not in self.hub.tokens:
            self.refuse(401, **{"X-Error-Message": "Invalid credentials in Authorization header"})
            return None
        may = name in self.hub.tokens.get(token or "", set())
        if repository is None or (repository.private and not may):
            self.refuse(401 if token is None else 404, **{"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
            return None
        if repository.gated and not may and "/resolve/" in self.path:
            self.refuse(401 if token is None else 403, **{"X-Error-Code": "GatedRepo", "X-Error-Message": f"Access to model {name} is restricted."})
            return None
        commit = repository.branches.get(revision, revision)
        if commit != repository.commit:
            self.refuse(404, **{"X-Error-Code": "RevisionNotFound", "X-Error-Message": f"Invalid rev id: {revision}"})
            return None
        return repository, commit

    def send_page(self, tree: list[dict], url):
        begin = int(parse_qs(url.query).get("cursor", ["0"])[0])
        end = begin + self.hub.page_size
        fields = {}
        if end < len(tree):
            fields["Link"] = f'<{self.hub.endpoint}{url.path}?recursive=true&cursor={end}>; rel="next"'
        self.send_json(tree[begin:end], **fields)

    def send_json(self, value, **fields):
        self.send_contents(json.dumps(value).encode(), 200, {"Content-Type": "application/json"} | fields)

    def send_file(self, repository: Repository, owner: str, name: str):
        if name not in repository.files:
            return self.refuse(404, **{"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
        digest = repository.digest(name)
        fields = {"X-Repo-Commit": repository.commit, "ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
        if repository.is_large(name):
            location = f"{self.hub.storage_url}/{owner}/{name}?X-Signature=abc&who={self.seen.who}"
            fields |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(repository.files[name])), "Location": location}
            return self.send_contents(b"Found. Redirecting", 302, fields)
        self.seen.file = name
        self.send_range(repository.files[name], fields)

    def answer_storage(self, url):
        owner, name = re.fullmatch(r"/([^/]+/[^/]+)/(.+)", unquote(url.path)).groups()
        if "X-Signature=abc" not in url.query:
            return self.refuse(403)
        self.seen.file = name
        # A tag of the storage's own, as storages have.
        self.send_range(self.hub.repositories[owner].files[name], {"ETag": '"storage-1"', "Accept-Ranges": "bytes"})

    def send_range(self, data: bytes, fields: dict):
        if self.fault.flip is not None:
            data = bytearray(data)
            data[self.fault.flip] ^= 1
        guard = self.headers.get("If-Range")
        if self.seen.range and not self.fault.ignores_range and guard in (None, fields["ETag"]):
            first, last = self.seen.range
            last = min(last, len(data) - 1)
            if first >= len(data):
                return self.refuse(416, **{"Content-Range": f"bytes */{len(data)}"})
            return self.send_contents(bytes(data[first : last + 1]), 206, fields | {"Content-Range": f"bytes {first}-{last}/{len(data)}"})
        self.seen.range = None
        self.send_contents(bytes(data), 200, fields)

    def refuse(self, status: int, **fields):
        self.send_contents(b"refused", status, fields)

    def send_contents(self, data: bytes, status: int, fields: dict):
        self.seen.status = status
        self.send_response(status)
        for name, value in (fields | self.fault.fields).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        fault = self.fault
        if fault.drop_after is not None and len(data) > fault.drop_after:
            self.write(data[: fault.drop_after])
            self.close_connection = True
            return self.connection.close()
        if fault.stall_after is not None and len(data) > fault.stall_after:
            self.write(data[: fault.stall_after])
            self.hub.over.wait()
            self.close_connection = True
            return
        self.write(data)

    def write(self, data: bytes):
        try:
            self.wfile.write(data)
            self.wfile.flush()
        except OSError:
            # The client has what it wanted, or is gone.
            self.close_connection = True
