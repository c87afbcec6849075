"""Puts the two JSON-LD contexts of a Provenance Run Crate where the validator looks without a network.

    python rocrate_contexts.py CACHE

The vocabulary of RO-Crate comes with the package rocrate, of a later version; the terms that are others in
version 1.1, and those of workflow runs, are from the specifications (https://w3id.org/ro/crate/1.1/context,
https://w3id.org/ro/terms/workflow-run).
"""

import io
import json
import sys
from pathlib import Path

import requests
import rocrate
from requests.adapters import BaseAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

BIOSCHEMAS = "https://bioschemas.org/"
OTHERS = {
    "ComputationalWorkflow": f"{BIOSCHEMAS}ComputationalWorkflow",
    "FormalParameter": f"{BIOSCHEMAS}FormalParameter",
    "input": f"{BIOSCHEMAS}ComputationalWorkflow#input",
    "output": f"{BIOSCHEMAS}ComputationalWorkflow#output",
}
RUN = "https://w3id.org/ro/terms/workflow-run#"
RUN_TERMS = (
    "ContainerImage",
    "DockerImage",
    "ParameterConnection",
    "SIFImage",
    "connection",
    "containerImage",
    "environment",
    "registry",
    "resourceUsage",
    "sha256",
    "sourceParameter",
    "tag",
    "targetParameter",
)


def contexts() -> dict[str, bytes]:
    """Return the contexts by their address."""
    crate = json.loads((Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_text("utf-8"))
    crate["@context"].update(OTHERS)
    run = {"@context": {term: RUN + term for term in RUN_TERMS}}
    return {
        "https://w3id.org/ro/crate/1.1/context": json.dumps(crate).encode(),
        "https://w3id.org/ro/terms/workflow-run/context": json.dumps(run).encode(),
    }


class AtHand(BaseAdapter):
    """Answers requests from what is at hand."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        super().__init__()
        self._bodies = bodies

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        answer = requests.Response()
        answer.status_code = 200
        answer.url = str(request.url)
        answer.request = request
        answer.headers["Content-Type"] = "application/ld+json"
        body = io.BytesIO(self._bodies[answer.url])
        answer.raw = HTTPResponse(body, dict(answer.headers), 200, preload_content=False)
        return answer

    def close(self) -> None:
        """Nothing is open."""


def main(cache: str) -> None:
    """Fill the cache."""
    bodies = contexts()
    session = CachedSession(cache_name=cache, backend="sqlite", expire_after=-1, allowable_codes=(200,))
    session.mount("https://", AtHand(bodies))
    for address in bodies:
        session.get(address).raise_for_status()


if __name__ == "__main__":
    main(sys.argv[1])
