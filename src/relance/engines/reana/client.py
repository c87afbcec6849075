"""What REANA does for its users, one method each; answers are checked before anybody sees them."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import requests

from relance.engines.leavings import printable
from relance.engines.reana import answers
from relance.engines.reana.model import Logs, RemoteFile, Secret, Server, State, Workflow
from relance.engines.reana.refusals import RefusedError
from relance.engines.reana.session import Session
from relance.store.wire import Body

_PAGE = 500
_MOST_PAGES = 2_000
_BUNDLE = "bundle"


class Client:
    """Speaks with a server that was negotiated with; workflows are named by identifier or `NAME.RUN`."""

    def __init__(self, server: Server, session: Session) -> None:
        self.server = server
        self.session = session

    def create(self, name: str, specification: Mapping[str, Any]) -> Workflow:
        """Make a run from an expanded specification (0.9).

        Raises:
            RefusedError: the server won't.
            UnreachableError: it isn't known whether there is one now.
        """
        said = self.session.read(
            "POST",
            "/api/workflows",
            (201,),
            query={"workflow_name": name},
            content=specification,
            repeatable=False,
        )
        return answers.workflow(said, self.session.broken)

    def create_from_bundle(self, name: str, bundle: bytes) -> tuple[Workflow, tuple[str, ...]]:
        """Make a run from a bundle; return it with the server's warnings.

        Raises:
            RefusedError: the server won't.
            UnreachableError: it isn't known whether there is one now.
        """
        prepared = requests.Request(
            "POST",
            self.session.server,
            files={_BUNDLE: ("validation-bundle.zip", bundle, "application/zip")},
        ).prepare()
        data = prepared.body if isinstance(prepared.body, bytes) else b""
        said = self.session.read(
            "POST",
            "/api/workflows",
            (201,),
            query={"workflow_name": name},
            form=(prepared.headers["Content-Type"], data),
            repeatable=False,
        )
        warned = said.get("validation_warnings") if isinstance(said, dict) else None
        listed = warned if isinstance(warned, list) else []
        warnings = [item if isinstance(item, str) else json.dumps(item) for item in listed]
        return answers.workflow(said, self.session.broken), tuple(map(self.session.cleaned, warnings))

    def start(
        self,
        workflow: str,
        parameters: Mapping[str, Any],
        options: Mapping[str, Any],
        *,
        restart: bool = False,
    ) -> Workflow:
        """Start a run, or a finished one again in the same workspace; parameters keep their JSON types.

        Return the run that was started: a run that is started again gets a name and identifier of its own.

        Raises:
            RefusedError: the server won't; it says so of a run that was started already, too.
            UnreachableError: it isn't known whether it runs now.
        """
        content: dict[str, Any] = {"input_parameters": parameters, "operational_options": options}
        if restart:
            content["restart"] = True
        said = self.session.read("POST", _at(workflow, "start"), content=content, repeatable=False)
        return answers.workflow(said, self.session.broken)

    def upload(self, workflow: str, path: str, body: Body) -> None:
        """Send a file into the workspace, replacing what has its name there."""
        answer = self.session.send(
            "POST",
            _at(workflow, "workspace"),
            (200, 201),
            query={"file_name": path},
            headers={"Content-Type": "application/octet-stream"},
            body=body,
        )
        answer.close()

    def download(self, workflow: str, path: str) -> requests.Response:
        """Return the answer that holds a file, unread; the caller closes it."""
        return self.session.send("GET", _at(workflow, f"workspace/{quote(path)}"), (200,))

    def files(self, workflow: str, pattern: str | None = None) -> tuple[RemoteFile, ...]:
        """Return the files of a workspace by path.

        Raises:
            UnreachableError: the listing holds what no workspace may.
        """
        query = {"file_name": pattern} if pattern else {}
        found = [
            answers.file(item, self.session.broken) for item in self._pages(_at(workflow, "workspace"), query)
        ]
        known = {file.path for file in found}
        if len(known) < len(found):
            raise self.session.broken("a file twice in a listing")
        for path in known:
            if any(path[:position] in known for position, one in enumerate(path) if one == "/"):
                raise self.session.broken(f"{path} inside what is a file itself")
        return tuple(sorted(found, key=lambda file: file.path))

    def remove_files(self, workflow: str, pattern: str) -> None:
        """Delete files of a workspace."""
        self.session.read("DELETE", _at(workflow, f"workspace/{quote(pattern)}"))

    def state(self, workflow: str) -> State:
        """Return how far a run is."""
        return answers.state(self.session.read("GET", _at(workflow, "status")), self.session.broken)

    def logs(self, workflow: str, steps: Collection[str] = ()) -> Logs:
        """Return what the engine and the jobs said so far; of these steps only, if any are given."""
        said = self.session.read("GET", _at(workflow, "logs"), content=list(steps) if steps else None)
        return answers.logs(said, self.session.broken)

    def specification(self, workflow: str) -> Mapping[str, Any]:
        """Return the reana.yaml of a run as the server keeps it."""
        said = self.session.read("GET", _at(workflow, "specification"))
        found = answers.mapping(said, self.session.broken).get("specification")
        return answers.mapping(found, self.session.broken)

    def parameters(self, workflow: str) -> Mapping[str, Any]:
        """Return the parameters that a run has."""
        said = answers.mapping(self.session.read("GET", _at(workflow, "parameters")), self.session.broken)
        return answers.mapping(said.get("parameters"), self.session.broken)

    def snakemake(self) -> str | None:
        """Return the version of Snakemake that the server says it runs; None if it doesn't say."""
        said = self.session.read("GET", "/api/info")
        told = said.get("snakemake_engine_version") if isinstance(said, dict) else None
        version = told.get("value") if isinstance(told, dict) else None
        return self.session.cleaned(version) if isinstance(version, str) and version else None

    def stop(self, workflow: str) -> None:
        """Stop a run."""
        self.session.read("PUT", _at(workflow, "status"), query={"status": "stop"}, content={})

    def delete(self, workflow: str, *, all_runs: bool = False) -> None:
        """Delete a run and its workspace, or all runs of its name."""
        self.session.read(
            "PUT",
            _at(workflow, "status"),
            query={"status": "deleted"},
            content={"all_runs": all_runs, "workspace": True},
        )

    def prune(self, workflow: str, *, inputs: bool = False, outputs: bool = False) -> None:
        """Delete what is neither input nor output from a workspace, and those too if asked."""
        query = {"include_inputs": str(inputs).lower(), "include_outputs": str(outputs).lower()}
        self.session.read("POST", _at(workflow, "prune"), query=query)

    def workflows(self) -> tuple[State, ...]:
        """Return the user's runs as the server lists them, the latest first."""
        pages = self._pages("/api/workflows", {"type": "batch", "verbose": "false"})
        return tuple(answers.state(item, self.session.broken) for item in pages)

    def secrets(self) -> tuple[Secret, ...]:
        """Return the names of the user's secrets."""
        said = self.session.read("GET", "/api/secrets")
        if not isinstance(said, list):
            raise self.session.broken("no list of secrets")
        return tuple(answers.secret(item, self.session.broken) for item in said)

    def add_secrets(self, secrets: Mapping[Secret, bytes], *, overwrite: bool = False) -> None:
        """Give secrets to the server."""
        content = {
            secret.name: {
                "name": secret.name,
                "type": secret.kind,
                "value": base64.b64encode(value).decode(),
            }
            for secret, value in secrets.items()
        }
        query = {"overwrite": str(overwrite).lower()}
        self.session.read("POST", "/api/secrets/", (200, 201), query=query, content=content)

    def remove_secrets(self, names: Collection[str]) -> None:
        """Delete secrets by name."""
        try:
            self.session.read("DELETE", "/api/secrets/", content=sorted(names))
        except RefusedError as error:
            if error.status == requests.codes.not_found:
                error.expected = f"to have {', '.join(sorted(names))}"
                error.found = "no secret of that name"
                error.next_step = "see 'relance reana secrets' for what there is"
            raise

    def difference(self, one: str, other: str, *, brief: bool = False, context: int = 5) -> Mapping[str, str]:
        """Return how two runs differ, as text by subject: `specification`, `workspace_listing`."""
        query = {"brief": str(brief).lower(), "context_lines": str(context)}
        said = answers.mapping(
            self.session.read("GET", _at(one, f"diff/{quote(other, safe='')}"), query=query),
            self.session.broken,
        )
        try:
            return {
                key: _told(said[key]) for key in ("reana_specification", "workspace_listing") if said.get(key)
            }
        except RecursionError:
            raise self.session.broken("a difference that is nested too deeply") from None

    def _pages(self, path: str, query: Mapping[str, str]) -> Iterator[Any]:
        """Give the entries of all pages of a listing."""
        count = 0
        for page in range(1, _MOST_PAGES + 1):
            said = self.session.read("GET", path, query={**query, "page": str(page), "size": str(_PAGE)})
            found = answers.items(said, self.session.broken)
            yield from found
            count += len(found)
            total = said.get("total")
            more = said.get("has_next")
            if not isinstance(more, bool):
                more = count < total if isinstance(total, int) else len(found) == _PAGE
            if not found or not more:
                return
        raise self.session.broken(f"a listing of more than {_MOST_PAGES} pages")


def _at(workflow: str, what: str) -> str:
    return f"/api/workflows/{quote(workflow, safe='')}/{what}"


def _told(value: Any) -> str:
    """Return a part of a difference as text; REANA gives it as JSON in a text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return str(printable(value))
    if isinstance(value, dict):
        return "\n".join(f"{printable(key)}:\n{_told(item)}" for key, item in value.items() if item)
    if isinstance(value, list):
        return "\n".join(
            _told(item) if isinstance(item, (dict, list)) else str(printable(str(item))) for item in value
        )
    return "" if value is None else str(printable(str(value)))
