"""A stand-in for REANA servers of three generations, strict where they are, which really runs Snakemake.

Whatever a real server of the generation would not take is refused and noted in `violations`; so are requests
that no client of ours should make, such as a token where it doesn't belong. Faults are asked for one by one.
"""

import base64
import binascii
import difflib
import email.parser
import email.policy
import fnmatch
import io
import json
import os
import re
import shlex
import signal
import socket
import ssl
import string
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

from . import console

TOKEN = "only-for-tests-Zk3v9"  # noqa: S105
CAPABILITY = "workflow-specification-bundles-v1"
OPTIONS = ("--cores", "2", "--nocolor", "--printshellcmds")
STAMP = "+[%a %b %e %H:%M:%S %Y]"
YADAGE = Path(__file__).parents[2] / "machine/reana_yadage.py"
MOST_FILES, MOST_BYTES = 1_000, 100 << 20
STATES = ("created", "queued", "pending", "running", "finished", "failed", "stopped", "deleted")


class Generation(StrEnum):
    JSON = "0.9.4"
    BUNDLE = "0.95.0a5"
    BEARER = "0.95.0a6"


@dataclass(frozen=True)
class Fault:
    """What happens to the next requests that match, instead of or after what they ask for."""

    method: str
    path: str
    """A regular expression."""
    do: str
    """drop, drop after, slow, status, redirect, answer, cut, stall; of an upload also: hang up."""
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    value: object = None
    """For `hang up` and `stall` of an upload: after how many bytes."""
    times: int = 1
    file: str = ""
    """The only file whose upload is meant."""
    seconds: float = 0.0
    """How long it stalls, unless the server ends before."""
    until: threading.Event | None = None
    """What ends it before."""


@dataclass(frozen=True)
class Engine:
    """A Snakemake that runs what is submitted."""

    version: str
    program: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    """What jobs see beside the environment of the tests."""
    yadage: str = ""
    """A Python that has yadage, for workflows of it."""

    @property
    def names_commands(self) -> bool:
        """Whether it says before each command that it is one."""
        return int(self.version.partition(".")[0]) >= 9


HERE = Engine("9.27.1", (sys.executable, "-m", "snakemake"))


@dataclass
class Run:
    id: str
    name: str
    specification: dict
    workspace: Path
    created: str
    status: str = "created"
    parameters: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)
    log: str = ""
    process: subprocess.Popen | None = None
    starts: int = 0
    engine: Engine = HERE
    definition: Path = Path()
    """Folder of what its bundle held."""
    commands: tuple[str, ...] = ()
    """Of the jobs of a serial workflow."""


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    size: int


class Standin:
    """The state of a server; tests look at it and set what it does."""

    def __init__(self, folder: Path, generation: Generation, engine: Engine = HERE) -> None:
        self.folder = folder
        self.generation = generation
        self.engine = engine
        self.address = ""
        self.runs: dict[str, Run] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.asked: list[Asked] = []
        self.violations: list[str] = []
        self.faults: list[list] = []
        self.quota = 1 << 40
        self.page = 500
        self.lock = threading.RLock()
        self.threads: list[threading.Thread] = []
        self.uploading = 0
        self.most_uploading = 0
        self.pause_uploads = 0.0
        self.closing = threading.Event()

    @property
    def bundles(self) -> bool:
        return self.generation is not Generation.JSON

    def fault(self, fault: Fault) -> None:
        with self.lock:
            self.faults.append([fault, fault.times])

    def take_fault(self, method: str, path: str, file: str) -> Fault | None:
        with self.lock:
            for entry in self.faults:
                fault, left = entry
                meant = fault.method == method and re.search(fault.path, path) and fault.file in {"", file}
                if left and meant:
                    entry[1] -= 1
                    return fault
        return None

    def calls(self, method: str, path: str = "") -> list[Asked]:
        return [one for one in self.asked if one.method == method and re.search(path, one.path)]

    def only(self) -> Run:
        (run,) = self.runs.values()
        return run

    def find(self, name: str) -> Run | None:
        if name in self.runs:
            return self.runs[name]
        found = [run for run in self.runs.values() if name in {run.name, run.name.partition(".")[0]}]
        return found[-1] if found else None

    def renewed(self, run: Run) -> Run:
        """Make the run that goes on in a finished run's workspace."""
        again = replace(run, id=str(uuid.uuid4()), name=f"{run.name}.1", status="created", log="", starts=0)
        self.runs[again.id] = again
        return again

    def close(self) -> None:
        self.closing.set()
        for run in self.runs.values():
            self.kill(run)
        for thread in self.threads:
            thread.join()

    def kill(self, run: Run) -> None:
        if run.process is not None and run.process.poll() is None:
            os.killpg(run.process.pid, signal.SIGKILL)

    def execute(self, run: Run) -> None:
        run.status = "queued"
        run.starts += 1
        thread = threading.Thread(target=self._execute, args=(run,))
        self.threads.append(thread)
        thread.start()

    def _execute(self, run: Run) -> None:
        """Run Snakemake in the workspace, as the engine does: parameters over what the Snakefile reads."""
        config = self.folder / f"{run.id}.json"
        parameters = merged(run.specification.get("inputs", {}).get("parameters") or {}, run.parameters)
        if run.specification["workflow"]["type"] == "yadage":
            options = {**(run.specification.get("inputs", {}).get("options") or {}), **run.options}
            config.write_text(json.dumps({"parameters": parameters, "options": options}))
        else:
            config.write_text(json.dumps(parameters))
        home = str(self.folder)
        with self.lock:
            if run.status != "queued":
                return
            run.process = subprocess.Popen(
                command(run, parameters, config),
                cwd=run.workspace,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                env={**os.environ, "HOME": home, "XDG_CACHE_HOME": f"{home}/cache", **run.engine.environment},
            )
            run.status = "running"
        with run.process:
            for line in run.process.stdout or ():
                run.log += line
        ended = run.process.returncode
        with self.lock:
            if run.status == "running":
                run.status = "failed" if ended else "finished"


def command(run: Run, parameters: dict, config: Path) -> list[str | Path]:
    workflow = run.specification["workflow"]
    if workflow["type"] == "snakemake":
        return [*run.engine.program, *OPTIONS, "--snakefile", workflow["file"], "--configfile", config]
    if workflow["type"] == "yadage":
        return [run.engine.yadage, YADAGE, run.definition, workflow["file"], run.workspace, config]
    lines = ["exec 2>&1", "mkdir -p logs", f"now() {{ LC_ALL=C date '{STAMP}'; }}"]
    named = serial_commands(run, parameters)
    run.commands = tuple(text for _, text in named)
    for number, (name, text) in enumerate(named):
        log = f"logs/{number}.log"
        lines.append(f"now; echo 'rule {name}:'; echo '    log: {log}'; echo '    jobid: {number}'")
        quoted = shlex.quote(text)
        lines.append(f"bash -c {quoted} > {log} 2>&1 || {{ echo 'Error in rule {name}:'; exit 1; }}")
        lines.append(f"now; echo 'Finished jobid: {number} (Rule: {name})'")
    return ["bash", "-c", "\n".join(lines)]


def serial_commands(run: Run, parameters: dict) -> list[tuple[str, str]]:
    """Return a job for each command of each step, with the step's name; all work in the workspace itself."""
    return [
        (step.get("name", f"step{position}"), string.Template(text).safe_substitute(parameters))
        for position, step in enumerate(run.specification["workflow"]["specification"]["steps"])
        for text in step["commands"]
    ]


def merged(below: dict, above: dict) -> dict:
    both = dict(below)
    for key, value in above.items():
        both[key] = (
            merged(both[key], value) if isinstance(value, dict) and isinstance(both.get(key), dict) else value
        )
    return both


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "")


def jobs(run: Run) -> dict[str, console.Job]:
    told = console.Console(named=run.engine.names_commands).read(run.log.splitlines())
    found = {console.key(run.id, job): job for job in told}
    for job in found.values():
        job.command = run.commands[int(job.number)] if run.commands else job.command
        if run.status == "stopped" and job.status == "running":
            job.status = "stopped"
    return found


def environments(run: Run) -> dict[str, str]:
    """Tell what steps run in, where the specification says it."""
    steps = (run.specification["workflow"].get("specification") or {}).get("steps") or ()
    return {step["name"]: step["environment"].removeprefix("docker://") for step in steps if "name" in step}


class RefusalError(Exception):
    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    state: Standin

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.any()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def any(self) -> None:
        parts = urlsplit(self.path)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        self.query = dict(pairs)
        self.left = int(self.headers.get("Content-Length", "0") or 0)
        size = self.headers.get("Content-Length", "")
        with self.state.lock:
            headers = {key.lower(): value for key, value in self.headers.items()}
            length = int(size) if size.isdecimal() else -1
            self.state.asked.append(Asked(self.command, parts.path, dict(self.query), headers, length))
        if len(pairs) > len(self.query):
            self.state.violations.append(f"a repeated query parameter: {parts.path}")
        fault = self.state.take_fault(self.command, parts.path, self.query.get("file_name", ""))
        self.after = fault.do if fault else ""
        self.fault = fault
        try:
            if fault is not None and fault.do in {"drop", "status", "redirect", "answer", "slow"}:
                self.faulty(fault)
                if fault.do != "slow":
                    return
            self.dispatch(parts.path)
        except RefusalError as refusal:
            self.drain()
            self.answer(refusal.status, {"message": refusal.message})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def faulty(self, fault: Fault) -> None:
        if fault.do == "drop":
            self.abort()
        elif fault.do == "status":
            self.drain()
            self.answer(fault.status, fault.value or {"message": "not now"}, fault.headers)
        elif fault.do == "redirect":
            self.drain()
            self.answer(fault.status, {}, {"Location": str(fault.value)})
        elif fault.do == "answer":
            self.drain()
            self.answer(200, fault.value, fault.headers)
        else:
            time.sleep(float(str(fault.value)))

    def abort(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def drain(self) -> None:
        """Read what is sent with a request that is refused, if it is little; real servers hang up on more."""
        if "Transfer-Encoding" in self.headers or self.left > 1 << 20:
            self.close_connection = True
        elif self.left:
            self.take(self.left)

    def take(self, size: int) -> bytes:
        data = self.rfile.read(min(size, self.left))
        self.left -= len(data)
        return data

    def answer(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        if self.after == "drop after":
            self.abort()
            return
        self.send_response(status)
        sent = {"Content-Type": "application/json", **(headers or {})}
        if sent.pop("X-Length", None) is None:
            sent["Content-Length"] = str(len(data))
        for key, one in sent.items():
            self.send_header(key, one)
        self.end_headers()
        if self.after == "cut":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.abort()
            return
        if self.after == "stall":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.stall()
            self.abort()
            return
        self.wfile.write(data)

    # --- who asks

    def authorise(self) -> None:
        given = self.query.pop("access_token", None)
        header = self.headers.get("Authorization")
        if self.state.generation is Generation.BEARER:
            if given is not None:
                self.state.violations.append("a token in the address")
            if header is None:
                raise RefusalError(401, "User not signed in")
            given = header.removeprefix("Bearer ")
        elif header is not None and given is None:
            raise RefusalError(401, "User not signed in")
        if given is None:
            raise RefusalError(401, "User not signed in")
        if given != TOKEN:
            raise RefusalError(403, "Token is not valid")

    def known(self, *names: str) -> None:
        """Refuse query parameters that the operation doesn't have."""
        unknown = set(self.query) - set(names)
        if unknown:
            self.state.violations.append(f"{self.command} {self.path.partition('?')[0]}: {sorted(unknown)}")
            raise RefusalError(400, f"unknown parameters {sorted(unknown)}")

    def body(self, kind: str) -> bytes:
        if "Transfer-Encoding" in self.headers or "Content-Length" not in self.headers:
            raise RefusalError(411, "Content-Length is required")
        found = self.headers.get("Content-Type", "").partition(";")[0]
        if found != kind:
            self.state.violations.append(f"{self.command} {self.path.partition('?')[0]}: content {found!r}")
            raise RefusalError(400, f"Content-Type must be {kind}")
        length = int(self.headers["Content-Length"])
        data = self.take(length)
        if len(data) < length:
            raise ConnectionResetError
        return data

    def json(self) -> object:
        try:
            return json.loads(self.body("application/json"))
        except ValueError:
            raise RefusalError(400, "The request body is not JSON") from None

    # --- what is asked

    def dispatch(self, path: str) -> None:
        if path == "/api/ping":
            if "access_token" in self.query or "Authorization" in self.headers:
                self.state.violations.append("a token that nobody asked for")
            extra = {"reana_server_version": str(self.state.generation), "api_capabilities": [CAPABILITY]}
            self.answer(200, {"message": "OK", "status": "200", **(extra if self.state.bundles else {})})
            return
        try:
            self.authorise()
        except RefusalError as refusal:
            self.drain()
            bearer = self.state.generation is Generation.BEARER
            headers = {"WWW-Authenticate": 'Bearer realm="reana"'} if bearer else {}
            self.answer(refusal.status, {"message": refusal.message}, headers)
            return
        for method, pattern, name in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == self.command:
                getattr(self, name)(*map(unquote, match.groups()))
                return
        raise RefusalError(404, "Not found")

    def run(self, name: str) -> Run:
        found = self.state.find(name)
        if found is None:
            # The server of 0.9 gives no hint whether there is such a run.
            status = 404 if self.state.bundles else 403
            raise RefusalError(status, f"REANA_WORKON is set to {name}, but that workflow does not exist.")
        return found

    def you(self) -> None:
        self.known()
        self.answer(200, {"email": "jane.doe@example.org", "full_name": "Jane Doe"})

    def info(self) -> None:
        self.known()
        engine = {"title": "Snakemake engine version", "value": self.state.engine.version}
        backends = {"title": "List of supported compute backends", "value": ["kubernetes"]}
        self.answer(200, {"compute_backends": backends, "snakemake_engine_version": engine})

    def create(self) -> None:
        self.known("workflow_name", "spec")
        name = self.query.get("workflow_name", "workflow")
        if "." in name or not name or re.fullmatch(r"[0-9a-f-]{36}", name):
            raise RefusalError(400, f"Workflow name {name} is not valid")
        if self.state.bundles:
            archive = self.unbundled()
            specification = yaml.safe_load(archive.read("reana.yaml"))
        else:
            archive = None
            given = self.json()
            specification = given if isinstance(given, dict) else {}
            self.check_expanded(specification)
        check_inputs(specification)
        with self.state.lock:
            number = 1 + sum(run.name.startswith(f"{name}.") for run in self.state.runs.values())
            known = str(uuid.uuid4())
            workspace = self.state.folder / "workspaces" / known
            workspace.mkdir(parents=True)
            run = Run(known, f"{name}.{number}", specification, workspace, now(), engine=self.state.engine)
            run.definition = self.state.folder / "definitions" / known
            if archive is not None:
                archive.extractall(run.definition)
            self.state.runs[known] = run
        told = {"message": "The workflow has been successfully created.", "workflow_id": known}
        told["workflow_name"] = f"{name}.{number}"
        self.answer(201, {**told, **({"validation_warnings": []} if self.state.bundles else {})})

    def check_expanded(self, specification: dict) -> None:
        workflow = specification.get("workflow") or {}
        unknown = set(workflow) - {"type", "file", "specification", "resources"}
        if unknown:
            raise RefusalError(400, f"The workflow has keys that its schema doesn't: {sorted(unknown)}")
        found = workflow.get("specification")
        if not isinstance(found, dict) or not found.get("steps"):
            raise RefusalError(400, "The workflow's specification is not expanded")
        for step in found["steps"]:
            if not {"name", "environment", "commands"} <= set(step) or not step["commands"]:
                raise RefusalError(400, f"The step {step.get('name')} is not complete")

    def unbundled(self) -> zipfile.ZipFile:
        kind = self.headers.get("Content-Type", "")
        data = self.body("multipart/form-data")
        parser = email.parser.BytesParser(policy=email.policy.HTTP)
        message = parser.parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + data)
        parts = list(message.iter_parts())
        names = [part.get_param("name", header="Content-Disposition") for part in parts]
        if names != ["bundle"]:
            raise RefusalError(400, f"fields {names} where one, 'bundle', is expected")
        content = parts[0].get_payload(decode=True)
        try:
            archive = zipfile.ZipFile(io.BytesIO(content))
            entries = archive.infolist()
        except zipfile.BadZipFile:
            raise RefusalError(400, "The bundle is not a ZIP archive") from None
        if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_BYTES:
            raise RefusalError(413, "The bundle is too large")
        for entry in entries:
            if (
                entry.compress_type != zipfile.ZIP_STORED
                or (entry.external_attr >> 28) == 0xA
                or unsafe(entry.filename)
            ):
                raise RefusalError(400, f"The bundle's entry {entry.filename} is not allowed")
        found = {entry.filename for entry in entries}
        if "reana.yaml" not in found:
            raise RefusalError(400, "The bundle has no reana.yaml at its root")
        specification = yaml.safe_load(archive.read("reana.yaml"))
        if specification["workflow"].get("file") not in {None, *found}:
            raise RefusalError(400, "The bundle lacks the workflow's file")
        return archive

    def workflows(self) -> None:
        self.known("type", "verbose", "page", "size", "status", "search")
        rows = [
            {
                "id": run.id,
                "name": run.name,
                "status": run.status,
                "created": run.created,
                "progress": progress(run),
            }
            for run in reversed(self.state.runs.values())
            if run.status != "deleted"
        ]
        self.paged(rows)

    def paged(self, rows: list[dict]) -> None:
        size = min(int(self.query.get("size", 10)), self.state.page)
        page = int(self.query.get("page", 1))
        shown = rows[(page - 1) * size : page * size]
        self.answer(
            200, {"items": shown, "total": len(rows), "page": page, "has_next": page * size < len(rows)}
        )

    def upload(self, name: str) -> None:
        self.known("file_name")
        run = self.run(name)
        path = self.query.get("file_name", "")
        if unsafe(path):
            raise RefusalError(400, f"The path {path} is not allowed")
        if "Content-Length" not in self.headers:
            self.state.violations.append("an upload whose size isn't told")
            raise RefusalError(411, "Content-Length is required")
        if self.headers.get("Content-Type") != "application/octet-stream":
            raise RefusalError(400, "Content-Type must be application/octet-stream")
        length = int(self.headers["Content-Length"])
        used = sum(one.stat().st_size for one in run.workspace.rglob("*") if one.is_file())
        if used + length > self.state.quota:
            raise RefusalError(413, "User quota exceeded. Please consider cleaning up your workspaces.")
        target = run.workspace / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.state.lock:
            self.state.uploading += 1
            self.state.most_uploading = max(self.state.most_uploading, self.state.uploading)
        try:
            time.sleep(self.state.pause_uploads)
            # Under its name from the first byte on, as on a real server.
            with target.open("wb") as stream:
                while self.left and (data := self.take(1 << 18)):
                    stream.write(data)
                    self.hindered(length - self.left)
        finally:
            with self.state.lock:
                self.state.uploading -= 1
        if self.left:
            raise ConnectionResetError  # what came stays, as on a real server
        self.answer(200, {"message": f"{path} has been successfully uploaded."})

    def hindered(self, received: int) -> None:
        """Hang up on an upload, or read no more of it for a while, once so much has come."""
        if self.after not in {"hang up", "stall"} or received < int(str(self.fault.value)):
            return
        if self.after == "hang up":
            self.abort()
            raise ConnectionResetError
        self.after = ""
        self.stall()

    def stall(self) -> None:
        (self.fault.until or self.state.closing).wait(self.fault.seconds)

    def files(self, name: str) -> None:
        self.known("file_name", "page", "size", "search")
        run = self.run(name)
        rows = []
        for path in sorted(run.workspace.rglob("*")):
            inside = path.relative_to(run.workspace).as_posix()
            wanted = self.query.get("file_name", "*")
            there = path.is_file() or path.is_symlink()
            if there and not inside.startswith(".snakemake/") and fnmatch.fnmatch(inside, wanted):
                status = path.lstat()
                size = {"raw": status.st_size, "human_readable": f"{status.st_size} Bytes"}
                modified = datetime.fromtimestamp(status.st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%S")
                rows.append({"name": inside, "size": size, "last-modified": modified})
        self.paged(rows)

    def download(self, name: str, path: str) -> None:
        self.known("preview")
        run = self.run(name)
        if (run.workspace / path).is_symlink():
            raise RefusalError(500, f"Opening symlink '{path}' is not allowed")
        if unsafe(path) or not (run.workspace / path).is_file():
            raise RefusalError(404, f"{path} does not exist.")
        data = (run.workspace / path).read_bytes()
        self.answer(200, data, {"Content-Type": "application/octet-stream"})

    def remove(self, name: str, path: str) -> None:
        self.known()
        run = self.run(name)
        found = {}
        for file in sorted(run.workspace.rglob("*")):
            inside = file.relative_to(run.workspace).as_posix()
            if file.is_file() and fnmatch.fnmatch(inside, path):
                found[inside] = {"size": file.stat().st_size}
                file.unlink()
        self.answer(200, {"deleted": found, "failed": {}})

    def start(self, name: str) -> None:
        self.known()
        run = self.run(name)
        given = self.json()
        if not isinstance(given, dict) or set(given) - {"input_parameters", "operational_options", "restart"}:
            raise RefusalError(400, "The request body is not as it should be")
        with self.state.lock:
            if given.get("restart") and run.status not in {"finished", "failed"}:
                raise RefusalError(409, f"Workflow {run.name} cannot be restarted")
            if not given.get("restart") and run.status != "created":
                raise RefusalError(
                    403, f"Workflow {run.name} could not be started because it is already {run.status}."
                )
            if given.get("restart"):
                run = self.state.renewed(run)
            run.parameters = given.get("input_parameters") or run.parameters
            run.options = given.get("operational_options") or {}
            self.state.execute(run)
        told = {"message": "Workflow successfully launched", "workflow_id": run.id, "workflow_name": run.name}
        self.answer(200, {**told, "status": run.status, "run_number": int(run.name.rpartition(".")[2])})

    def status(self, name: str) -> None:
        self.known()
        run = self.run(name)
        told = {"id": run.id, "name": run.name, "status": run.status, "created": run.created, "logs": "{}"}
        self.answer(200, {**told, "progress": progress(run), "user": str(uuid.UUID(int=7))})

    def set_status(self, name: str) -> None:
        self.known("status")
        run = self.run(name)
        given = self.json()
        with self.state.lock:
            match self.query.get("status"):
                case "stop":
                    if run.status not in {"queued", "pending", "running"}:
                        raise RefusalError(409, f"Workflow {run.name} is not running.")
                    run.status = "stopped"
                    self.state.kill(run)
                case "deleted":
                    if run.status in {"queued", "pending", "running"}:
                        raise RefusalError(409, f"Workflow {run.name} is running; stop it first.")
                    if not isinstance(given, dict) or set(given) - {"all_runs", "workspace"}:
                        raise RefusalError(400, "The request body is not as it should be")
                    family = run.name.partition(".")[0] if given.get("all_runs") else None
                    for one in self.state.runs.values():
                        if one is run or one.name.partition(".")[0] == family:
                            one.status = "deleted"
                            empty(one.workspace)
                case _:
                    raise RefusalError(400, "Not a status to set")
        told = {"workflow_id": run.id, "workflow_name": run.name, "status": run.status, "message": "done"}
        self.answer(200, told)

    def logs(self, name: str) -> None:
        self.known("steps", "page", "size")
        run = self.run(name)
        images = environments(run)
        by_snakemake = run.specification["workflow"]["type"] == "snakemake"
        shown = {
            known: {
                "workflow_uuid": run.id,
                "job_name": job.rule,
                "compute_backend": "Kubernetes",
                "docker_img": images.get(job.rule, ""),
                "cmd": job.command,
                "status": job.status,
                "logs": text(run.workspace / job.log) if job.log else "",
                "started_at": job.started,
                "finished_at": job.finished,
            }
            for known, job in jobs(run).items()
            if job.command or not by_snakemake  # rules that only name others are no jobs of a controller
        }
        told = {"workflow_logs": run.log, "job_logs": shown, "engine_specific": None}
        self.answer(
            200, {"workflow_id": run.id, "workflow_name": run.name, "logs": json.dumps(told), "user": "7"}
        )

    def specification(self, name: str) -> None:
        self.known()
        run = self.run(name)
        self.answer(200, {"specification": run.specification, "parameters": run.parameters})

    def parameters(self, name: str) -> None:
        self.known()
        run = self.run(name)
        told = run.parameters or run.specification.get("inputs", {}).get("parameters", {})
        self.answer(200, {"id": run.id, "name": run.name, "type": "snakemake", "parameters": told})

    def prune(self, name: str) -> None:
        self.known("include_inputs", "include_outputs")
        run = self.run(name)
        kept = {section: run.specification.get(section) or {} for section in ("inputs", "outputs")}
        names = [
            str(path)
            for section, content in kept.items()
            if self.query.get(f"include_{section}") != "true"
            for path in [*(content.get("files") or ()), *(content.get("directories") or ())]
        ]
        for path in run.workspace.rglob("*"):
            inside = path.relative_to(run.workspace).as_posix()
            if path.is_file() and not any(inside == one or inside.startswith(f"{one}/") for one in names):
                path.unlink()
        self.answer(200, {"message": "The workspace has been correctly pruned.", "workflow_id": run.id})

    def diff(self, one: str, other: str) -> None:
        self.known("brief", "context_lines")
        first, second = self.run(one), self.run(other)
        lines = [
            yaml.safe_dump({**run.specification, "parameters": run.parameters}).splitlines()
            for run in (first, second)
        ]
        told = list(difflib.unified_diff(*lines, lineterm="", n=int(self.query.get("context_lines", 5))))
        listed = [sorted(p.name for p in run.workspace.rglob("*")) for run in (first, second)]
        only = [f"Only in {second.name}: {name}" for name in listed[1] if name not in listed[0]]
        found = {
            "reana_specification": json.dumps({"workflow": told}),
            "workspace_listing": json.dumps("\n".join(only)),
        }
        self.answer(200, found)

    def list_secrets(self) -> None:
        self.known()
        if self.path.partition("?")[0].endswith("/"):
            self.state.violations.append("GET /api/secrets/ is /api/secrets")
        self.answer(200, [{"name": name, "type": one["type"]} for name, one in self.state.secrets.items()])

    def add_secrets(self) -> None:
        self.known("overwrite")
        given = self.json()
        if not isinstance(given, dict):
            raise RefusalError(400, "no mapping of secrets")
        taken = sorted(set(given) & set(self.state.secrets))
        if taken and self.query.get("overwrite") != "true":
            raise RefusalError(409, f"The submitted secrets {', '.join(taken)} already exist.")
        for one in given.values():
            try:
                base64.b64decode(one["value"], validate=True)
            except (binascii.Error, KeyError):
                raise RefusalError(400, "a value that isn't base64") from None
        self.state.secrets |= given
        self.answer(201, {"message": "Secret(s) successfully added."})

    def remove_secrets(self) -> None:
        self.known()
        given = self.json()
        missing = (
            [name for name in given if name not in self.state.secrets] if isinstance(given, list) else []
        )
        if missing:
            self.answer(404, missing)
            return
        for name in given if isinstance(given, list) else ():
            del self.state.secrets[name]
        self.answer(200, given)


W = "/api/workflows/([^/]+)"
ROUTES = (
    ("GET", "/api/you", "you"),
    ("GET", "/api/info", "info"),
    ("POST", "/api/workflows", "create"),
    ("GET", "/api/workflows", "workflows"),
    ("POST", f"{W}/workspace", "upload"),
    ("GET", f"{W}/workspace", "files"),
    ("GET", f"{W}/workspace/(.+)", "download"),
    ("DELETE", f"{W}/workspace/(.+)", "remove"),
    ("POST", f"{W}/start", "start"),
    ("GET", f"{W}/status", "status"),
    ("PUT", f"{W}/status", "set_status"),
    ("GET", f"{W}/logs", "logs"),
    ("GET", f"{W}/specification", "specification"),
    ("GET", f"{W}/parameters", "parameters"),
    ("POST", f"{W}/prune", "prune"),
    ("GET", f"{W}/diff/([^/]+)", "diff"),
    ("GET", "/api/secrets/?", "list_secrets"),
    ("POST", "/api/secrets/", "add_secrets"),
    ("DELETE", "/api/secrets/", "remove_secrets"),
)


def unsafe(path: str) -> bool:
    return not path or path.startswith("/") or ".." in path.split("/")


def check_inputs(specification: dict) -> None:
    inputs = specification.get("inputs") or {}
    for path in [*(inputs.get("files") or ()), *(inputs.get("directories") or ())]:
        if unsafe(path):
            raise RefusalError(400, f"The input {path} is not allowed")


def progress(run: Run) -> dict:
    found = jobs(run)
    states = [job.status for job in found.values()]
    total = re.findall(r"^total +(\d+)", run.log, re.MULTILINE)
    counts = {
        name: {"total": states.count(name), "job_ids": []} for name in ("running", "finished", "failed")
    }
    return {"total": {"total": int(total[-1]) if total else 0, "job_ids": []}, **counts}


def text(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.is_file() else ""


def empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


@contextmanager
def serving(
    folder: Path,
    generation: Generation = Generation.BEARER,
    certificate: tuple[Path, Path] | None = None,
    engine: Engine = HERE,
) -> Iterator[Standin]:
    """Start a server on loopback; with a certificate and its key, by TLS. It ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    state = Standin(folder, generation, engine)
    handler = type("Bound", (Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    state.address = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        state.close()
        server.server_close()
        thread.join()
