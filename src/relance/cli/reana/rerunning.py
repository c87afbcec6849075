"""`relance verify --rerun --on reana`: the rerun of a capsule on a REANA server."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from relance.cli.reana import connecting, fetch, sending, submit, supply, waiting
from relance.model import UNKNOWN, Digest, RunStatus

if TYPE_CHECKING:
    from relance.cli.elsewhere import Elsewhere
    from relance.engines.reana.client import Client
    from relance.engines.reana.model import State
    from relance.model import RunRecord
    from relance.rerun.execution import Settings
    from relance.rerun.folder import Work
    from relance.store.registry.reference import Reference
    from relance.verify.reproduction import Ran

_THREADS = 4


def elsewhere(
    capsule: Digest, way: Elsewhere, environment: Mapping[str, str], *, quiet: bool
) -> Callable[[Work, Settings], Ran]:
    """Return what runs the work folder of a capsule on the server of the environment.

    A run of the same that is on its way is gone on with; one that is over is not taken for the rerun.
    """
    from relance.verify.reproduction import Ran

    target = submit.registry(way.registry)

    def run(work: Work, settings: Settings) -> Ran:
        with (
            connecting.connected(environment, way.ca_file) as client,
            tempfile.TemporaryDirectory(prefix="relance-") as scratch,
        ):
            made = _sending(work, settings, capsule, way, target, environment, Path(scratch))
            if target is not None:
                supply.push(made.choices, work.store.layout, target, environment, quiet=quiet)
            done = submit.sent(client, made, environment, again=False, threads=_THREADS, quiet=quiet)
            state = waiting.watched(client, done.workflow.id, way.interval, logs=False, quiet=quiet)
            if state.status != "finished":
                return Ran(RunStatus.FAILED, None, str(waiting.failed(client, state)))
            wanted = fetch.Wanted(work.analysis, record=False, threads=_THREADS)
            fetch.fetched(client, state, wanted, environment, quiet=quiet)
            return Ran(RunStatus.OK, _record(client, state, work, made.request.parameters))

    return run


def _sending(  # noqa: PLR0917 - one request, said whole
    work: Work,
    settings: Settings,
    capsule: Digest,
    way: Elsewhere,
    target: Reference | None,
    environment: Mapping[str, str],
    scratch: Path,
) -> sending.Sending:
    from relance.cli.reana import source
    from relance.engines.reana.notes import Origin

    origin = Origin(None, capsule, work.store.folder)
    given = source.of_capsule(work.analysis, work.capsule, origin, work.store.layout)
    asked = sending.Asked(None, (), (), target, way.look, settings.values)
    return sending.prepare(given, asked, environment, scratch)


def _record(client: Client, state: State, work: Work, chosen: Mapping[str, object]) -> RunRecord:
    from relance.recording import remote
    from relance.rerun import remote as of_capsule

    told = remote.Told(client.server, state, client.logs(state.workflow.id), client.snakemake() or UNKNOWN)
    return remote.completed(of_capsule.expected(work.capsule, work.analysis, chosen, work.digests), told)
