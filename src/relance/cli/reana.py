"""`relance reana`: submit an analysis to a REANA server, follow it, and fetch what it made."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relance.cli import places, registries, signals
from relance.cli.inspect import size
from relance.cli.progress import counting
from relance.errors import AnalysisError, ExitCode, InputError

if TYPE_CHECKING:
    from relance.engines.reana.client import Client
    from relance.engines.reana.model import State, Transferred
    from relance.engines.reana.submitting import Request
    from relance.model import Digest
    from relance.store.registry.transfer import Moved

_SERVER, _TOKEN = "REANA_SERVER_URL", "REANA_ACCESS_TOKEN"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
_RUN = click.argument("run", metavar="[RUN]", required=False)
_NAMED = click.argument("run", metavar="RUN")
_THREADS = click.option(
    "--threads", type=click.IntRange(1, 32), default=4, show_default=True, help="Files moved at once."
)
_INTERVAL = click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 3600),
    default=5.0,
    show_default=True,
    help="How often the server is asked.",
)
_RUN_HELP = (
    "RUN is NAME, NAME.NUMBER or an identifier; left out, the run that was submitted last from this account. "
    f"The server is {_SERVER}, the token {_TOKEN}."
)


@click.group(epilog=f"The server is {_SERVER}, the token {_TOKEN}.")
def reana() -> None:
    """Run an analysis on a REANA server, and fetch what it made."""


@reana.command(epilog=f"The server is {_SERVER}, the token {_TOKEN}.")
@click.argument("analysis", metavar="DIR|CAPSULE", default=".")
@click.option(
    "--name", metavar="NAME", help="What the run is called; the folder's or capsule's name if left out."
)
@click.option("--set", "assignments", metavar="NAME=VALUE", multiple=True,
              help="Another value of a parameter: signal.mass='2.5 TeV'.")  # fmt: skip
@click.option("--option", "options", metavar="NAME=VALUE", multiple=True,
              help="An operational option of REANA, such as CACHE=off.")  # fmt: skip
@click.option("--follow", is_flag=True, help="Show the logs until the run is over.")
@click.option("--wait", is_flag=True, help="Wait until the run is over.")
@click.option("--fetch", "output", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Wait, then fetch the outputs into DIR.")  # fmt: skip
@click.option("--again", is_flag=True, help="Make another run though one of the same request is on its way.")
@click.option("--skip-images", is_flag=True, help="Don't look whether the registries have the images.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be sent; ask no REANA server.")
@_INTERVAL
@_THREADS
@registries.CA_FILE
@places.STORE
@_JSON
@_QUIET
def submit(  # noqa: PLR0917 - click passes each by name
    analysis: str,
    name: str | None,
    assignments: tuple[str, ...],
    options: tuple[str, ...],
    follow: bool,
    wait: bool,
    output: Path | None,
    again: bool,
    skip_images: bool,
    dry_run: bool,
    interval: float,
    threads: int,
    ca_file: Path | None,
    chosen_store: Path | None,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Run the analysis of DIR (default: here), or of CAPSULE, on a REANA server.

    Parameters are checked against the analysis's specification or reana.yaml, and images looked up in their
    registries, before anything is sent. The same command typed again goes on with an interrupted upload, and
    with a run that is on its way.

    \b
    relance reana submit --set signal.mass='2.5 TeV' --follow
    relance reana submit dilepton:1.0 --fetch results
    """
    from relance.cli import reana_source
    from relance.engines.reana import images, parameters, submitting

    environment = dict(os.environ)
    with signals.raising(), reana_source.opened(analysis, environment, chosen_store) as source:
        typed = parameters.typed(source.declared, _pairs(assignments, "--set"), source.interface)
        jobs = source.jobs(typed)
        steps = images.named(source.declared, jobs)
        found = images.check(steps, None if skip_images else _look(environment))
        request = submitting.Request(
            source.declared, _run_name(name or source.name), typed, _pairs(options, "--option"), jobs
        )
        if dry_run:
            _tell_plan(request, found, as_json=as_json)
            return ExitCode.OK
        with _connected(environment, ca_file) as client:
            with counting("uploading", quiet=quiet) as show:
                done = submitting.submit(
                    client,
                    request,
                    _notes(environment),
                    again=again,
                    threads=threads,
                    told=_shown(show),
                    say=_say(quiet=quiet),
                )
            say = _say(quiet=quiet)
            for warning in done.warnings:
                say(f"the server warns: {warning}")
            sent = [file for file in done.files if file.moved]
            told: dict[str, Any] = {
                "server": client.server.address,
                "id": done.workflow.id,
                "name": done.workflow.name,
                "sent": len(sent),
                "picked_up": done.picked_up,
            }
            say(f"{len(sent)} files sent, {size(sum(file.size for file in sent))}")
            if not as_json:
                click.echo(done.workflow.name)
            code = ExitCode.OK
            if follow or wait or output is not None:
                state = _watched(client, done.workflow.id, interval, logs=follow, quiet=quiet or as_json)
                told["status"] = state.status
                code = ExitCode.OK if state.status == "finished" else ExitCode.FAILED
                if code is ExitCode.OK and output is not None:
                    fetched = _fetch(client, state, (), output, threads, quiet=quiet)
                    told["files"] = [_row(file) for file in fetched]
                    say(f"{len(fetched)} files in {output}")
            if as_json:
                click.echo(json.dumps(told, indent=2))
            if code is not ExitCode.OK:
                raise _failed(client, state)
    return code


@reana.command("status", epilog=_RUN_HELP)
@_RUN
@registries.CA_FILE
@_JSON
def tell_status(run: str | None, ca_file: Path | None, as_json: bool) -> ExitCode:
    """Say how far RUN is."""
    with _connected(dict(os.environ), ca_file) as client:
        state = client.state(_meant(client, run))
        if as_json:
            click.echo(json.dumps(_state_row(state), indent=2))
        else:
            click.echo(_line(state))
    return ExitCode.OK


@reana.command("list")
@registries.CA_FILE
@_JSON
def list_runs(ca_file: Path | None, as_json: bool) -> ExitCode:
    """List your runs, the latest first."""
    with _connected(dict(os.environ), ca_file) as client:
        states = client.workflows()
    if as_json:
        click.echo(json.dumps([_state_row(state) for state in states], indent=2))
    for state in () if as_json else states:
        click.echo(_line(state))
    return ExitCode.OK


@reana.command(epilog=_RUN_HELP)
@_RUN
@click.option(
    "--step", "steps", metavar="NAME", multiple=True, help="Only this step; can be given several times."
)
@click.option("--follow", is_flag=True, help="Go on until the run is over.")
@_INTERVAL
@registries.CA_FILE
@_JSON
def logs(  # noqa: PLR0917 - click passes each by name
    run: str | None,
    steps: tuple[str, ...],
    follow: bool,
    interval: float,
    ca_file: Path | None,
    as_json: bool,
) -> ExitCode:
    """Show what the engine and the steps of RUN said."""
    with signals.raising(), _connected(dict(os.environ), ca_file) as client:
        workflow = _meant(client, run)
        if follow:
            state = _watched(client, workflow, interval, logs=True, quiet=False)
            if state.status != "finished":
                raise _failed(client, state)
            return ExitCode.OK
        found = client.logs(workflow)
        jobs = [job for job in found.jobs if not steps or job.name in steps]
        if as_json:
            rows = [
                {
                    "name": job.name,
                    "status": job.status,
                    "image": job.image,
                    "command": job.command,
                    "log": job.text,
                }
                for job in jobs
            ]
            click.echo(json.dumps({"engine": found.engine, "jobs": rows}, indent=2))
            return ExitCode.OK
        if found.engine and not steps:
            click.echo(found.engine.rstrip("\n"))
        for job in jobs:
            click.echo(f"\n{job.name}: {job.status}")
            click.echo(job.text.rstrip("\n") or "(no log)")
    return ExitCode.OK


@reana.command(epilog=_RUN_HELP)
@_RUN
@registries.CA_FILE
@_JSON
def files(run: str | None, ca_file: Path | None, as_json: bool) -> ExitCode:
    """List the files in the workspace of RUN."""
    with _connected(dict(os.environ), ca_file) as client:
        found = client.files(_meant(client, run))
    if as_json:
        click.echo(json.dumps([{"path": file.path, "size": file.size} for file in found], indent=2))
    for file in () if as_json else found:
        click.echo(f"{file.size:>14,d}  {file.path}")
    return ExitCode.OK


@reana.command(epilog=_RUN_HELP)
@_RUN
@click.argument("paths", metavar="[PATH]…", nargs=-1)
@click.option("-o", "--output", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Folder that they come into; the run's name, here, if left out.")  # fmt: skip
@_THREADS
@registries.CA_FILE
@_JSON
@_QUIET
def fetch(  # noqa: PLR0917 - click passes each by name
    run: str | None,
    paths: tuple[str, ...],
    output: Path | None,
    threads: int,
    ca_file: Path | None,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Fetch files or folders of the workspace of RUN; its outputs if none are named.

    Each file is verified against the server's listing, and gets its name when it is whole. What was fetched
    before and has not changed isn't fetched again.
    """
    with signals.raising(), _connected(dict(os.environ), ca_file) as client:
        state = client.state(_meant(client, run))
        folder = output or Path(state.workflow.name.replace("/", "-"))
        done = _fetch(client, state, paths, folder, threads, quiet=quiet)
    if as_json:
        click.echo(json.dumps([_row(file) for file in done], indent=2))
    elif not quiet:
        moved = [file for file in done if file.moved]
        click.echo(f"{len(moved)} files fetched, {len(done) - len(moved)} were there already; in {folder}")
    return ExitCode.OK


@reana.command(epilog=_RUN_HELP)
@_NAMED
@registries.CA_FILE
def stop(run: str, ca_file: Path | None) -> ExitCode:
    """Stop RUN."""
    with _connected(dict(os.environ), ca_file) as client:
        client.stop(run)
        click.echo(_line(client.state(run)))
    return ExitCode.OK


@reana.command(epilog=_RUN_HELP)
@_NAMED
@click.option("--all-runs", is_flag=True, help="All runs of this name.")
@registries.CA_FILE
def delete(run: str, all_runs: bool, ca_file: Path | None) -> ExitCode:
    """Delete RUN and its workspace from the server."""
    with _connected(dict(os.environ), ca_file) as client:
        name = client.state(run).workflow.name
        client.delete(run, all_runs=all_runs)
    click.echo(f"deleted {name.partition('.')[0] + ', all runs' if all_runs else name}")
    return ExitCode.OK


@reana.command(epilog=_RUN_HELP)
@_NAMED
@click.option("--inputs", is_flag=True, help="Delete inputs, too.")
@click.option("--outputs", is_flag=True, help="Delete outputs, too.")
@registries.CA_FILE
def prune(run: str, inputs: bool, outputs: bool, ca_file: Path | None) -> ExitCode:
    """Delete from the workspace of RUN what is neither input nor output."""
    with _connected(dict(os.environ), ca_file) as client:
        before = client.files(run)
        client.prune(run, inputs=inputs, outputs=outputs)
        after = client.files(run)
    freed = sum(file.size for file in before) - sum(file.size for file in after)
    click.echo(f"{len(before) - len(after)} files deleted, {size(max(freed, 0))}")
    return ExitCode.OK


@reana.command("diff", epilog=_RUN_HELP)
@click.argument("one", metavar="RUN")
@click.argument("other", metavar="RUN")
@click.option("--brief", is_flag=True, help="Only which files differ.")
@registries.CA_FILE
def tell_difference(one: str, other: str, brief: bool, ca_file: Path | None) -> ExitCode:
    """Show how two runs differ: specification and workspace."""
    with _connected(dict(os.environ), ca_file) as client:
        for subject, text in client.difference(one, other, brief=brief).items():
            if text:
                click.echo(f"{subject}:\n{text}")
    return ExitCode.OK


@reana.group(invoke_without_command=True)
@registries.CA_FILE
@click.pass_context
def secrets(context: click.Context, ca_file: Path | None) -> ExitCode | None:
    """List your secrets on the server, or change them; values are never shown."""
    if context.invoked_subcommand is None:
        with _connected(dict(os.environ), ca_file) as client:
            for secret in client.secrets():
                click.echo(f"{secret.name}  ({secret.kind})")
        return ExitCode.OK
    return None


@secrets.command("add")
@click.option(
    "--env", "variables", metavar="NAME", multiple=True, help="The value of this environment variable."
)
@click.option("--file", "given", metavar="FILE", multiple=True,
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="The content of this file.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@registries.CA_FILE
def add_secrets(
    variables: tuple[str, ...], given: tuple[Path, ...], overwrite: bool, ca_file: Path | None
) -> ExitCode:
    """Give secrets to the server: values come from the environment or files, never the command line."""
    from relance.engines.reana.model import Secret

    found: dict[Secret, bytes] = {}
    for name in variables:
        if name not in os.environ or name == _TOKEN:
            raise InputError(
                f"--env {name}",
                expected="a variable of the environment other than the token",
                found="none" if name != _TOKEN else "the token itself",
                next_step=f"set it: read -rs {name} && export {name}",
            )
        found[Secret(name, "env")] = os.environ[name].encode()
    for path in given:
        found[Secret(path.name, "file")] = path.read_bytes()
    if not found:
        raise InputError(
            "no secrets", expected="--env NAME or --file FILE", found="neither", next_step="name one"
        )
    with _connected(dict(os.environ), ca_file) as client:
        client.add_secrets(found, overwrite=overwrite)
    click.echo(f"{len(found)} secrets kept by {client.server.address}")
    return ExitCode.OK


@secrets.command("remove")
@click.argument("names", metavar="NAME…", nargs=-1, required=True)
@registries.CA_FILE
def remove_secrets(names: tuple[str, ...], ca_file: Path | None) -> ExitCode:
    """Remove secrets from the server."""
    with _connected(dict(os.environ), ca_file) as client:
        client.remove_secrets(names)
    return ExitCode.OK


@contextmanager
def _connected(environment: Mapping[str, str], ca_file: Path | None) -> Iterator[Client]:
    from relance.engines.reana import session
    from relance.engines.reana.client import Client
    from relance.engines.reana.negotiation import negotiate

    for name, example in ((_SERVER, "https://reana.example.org"), (_TOKEN, "…")):
        if not environment.get(name):
            raise InputError(
                "the REANA server", expected=f"{name} set", found="none", next_step=f"export {name}={example}"
            )
    token = environment[_TOKEN].strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(
            _TOKEN,
            expected="a token",
            found="characters that no token has",
            next_step="copy it again from the server's page 'Your profile'",
        )
    access = session.Access(token, ca_file)
    with session.Session(session.address(environment[_SERVER]), access) as first:
        server, ours = negotiate(first)
    with ours:
        yield Client(server, ours)


def _notes(environment: Mapping[str, str]) -> Path:
    return places.cache(environment) / "relance" / "reana"


def _meant(client: Client, run: str | None) -> str:
    from relance.engines.reana import submitting

    if run:
        return run
    known = submitting.notes(_notes(os.environ), client.server.address)
    if known:
        return known[0].workflow.id
    raise InputError(
        "no run is named",
        expected="a name, or a run that was submitted from here before",
        found="neither",
        next_step="see 'relance reana list'",
    )


def _run_name(name: str) -> str:
    """Return a name as REANA takes it.

    Raises:
        InputError: it was given, and isn't one.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")
    if not _NAME.fullmatch(plain) or _UUID.fullmatch(plain):
        raise InputError(
            f"name {name!r}",
            expected="letters, digits, '-' and '_', and no UUID",
            found=repr(plain),
            next_step="give another with '--name'",
        )
    return plain


def _look(environment: Mapping[str, str]) -> Callable[[Any], Digest]:
    """Return what looks an image up in its registry."""
    from relance.store.registry import pulling
    from relance.store.registry.reference import Reference
    from relance.store.registry.session import Session

    def look(reference: Reference) -> Digest:
        with Session(reference, registries.access(environment, reference.host, None)) as session:
            return pulling.resolve(session, reference)[0].digest

    return look


def _watched(client: Client, workflow: str, interval: float, *, logs: bool, quiet: bool) -> State:
    """Show the news of a run until it is over, and return how it ended."""
    from relance.engines.reana import following

    state: State | None = None
    last = ""
    try:
        for news in following.follow(client, workflow, interval=interval, logs=logs):
            if news.state is not None:
                state = news.state
                if not quiet:
                    click.echo(f"relance: {_line(state)}", err=True)
            if news.status and not quiet:
                click.echo(f"relance: {news.step}: {news.status}", err=True)
            if news.text and not quiet:
                if news.step != last:
                    click.echo(f"--- {news.step or 'engine'}")
                    last = news.step
                click.echo(news.text, nl=news.text[-1:] != "\n")
    except BaseException:
        click.echo(f"relance: the run goes on; follow it: relance reana logs --follow {workflow}", err=True)
        raise
    return state or client.state(workflow)


def _failed(client: Client, state: State) -> AnalysisError:
    jobs = [job.name for job in client.logs(state.workflow.id).jobs if job.status == "failed"]
    return AnalysisError(
        f"run {state.workflow.name}",
        expected="status finished",
        found=f"status {state.status}" + (f"; failed: {', '.join(sorted(set(jobs)))}" if jobs else ""),
        next_step=f"see 'relance reana logs {state.workflow.name}'",
    )


def _fetch(
    client: Client, state: State, wanted: tuple[str, ...], folder: Path, threads: int, *, quiet: bool
) -> tuple[Transferred, ...]:
    from relance.engines.reana import fetching
    from relance.engines.reana.journal import Journal

    paths = wanted or _outputs(client.specification(state.workflow.id), state)
    chosen = fetching.choose(client.files(state.workflow.id), paths)
    journal = Journal(_notes(os.environ) / state.workflow.id / "fetched.jsonl")
    folder.mkdir(parents=True, exist_ok=True)
    with counting("fetching", quiet=quiet) as show:
        return fetching.fetch(
            client, state.workflow.id, chosen, folder, journal, threads=threads, told=_shown(show)
        )


def _outputs(specification: Mapping[str, Any], state: State) -> tuple[str, ...]:
    declared = specification.get("outputs")
    declared = declared if isinstance(declared, dict) else {}
    listed = [path for kind in ("files", "directories") for path in declared.get(kind) or ()]
    paths = tuple(path for path in listed if isinstance(path, str))
    if not paths:
        raise InputError(
            f"run {state.workflow.name} declares no outputs",
            expected="'outputs:' in its reana.yaml, or paths",
            found="neither",
            next_step="name what to fetch; 'relance reana files' lists it",
        )
    return paths


def _tell_plan(request: Request, found: Mapping[str, Digest | None], *, as_json: bool) -> None:
    declared = request.declared
    sizes = {path: (declared.folder / path).stat().st_size for path in declared.inputs}
    if as_json:
        plan = {
            "name": request.name,
            "language": declared.language,
            "parameters": request.parameters,
            "options": request.options,
            "definition": declared.definition,
            "inputs": [{"path": path, "size": count} for path, count in sizes.items()],
            "ignored": declared.ignored,
            "outputs": declared.outputs,
            "images": found,
        }
        click.echo(json.dumps(plan, indent=2))
        return
    click.echo(f"{request.name}: a workflow in {declared.language}")
    for name, value in request.parameters.items():
        click.echo(f"    {name} = {json.dumps(value)}")
    for written, digest in found.items():
        click.echo(f"    image {written}{f'  {digest}' if digest else ''}")
    click.echo(f"    {len(sizes)} files would be sent, {size(sum(sizes.values()))}")
    if declared.ignored:
        click.echo(f"    {len(declared.ignored)} files are left out by .gitignore or .reanaignore")
    click.echo(f"    outputs: {', '.join(declared.outputs) or 'none declared'}")


def _pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name or name != name.strip() or name in found:
            raise InputError(
                f"{option} {pair}",
                expected="NAME=VALUE, each name once",
                found=f"'{name}' twice" if name in found else repr(pair),
                next_step="write both, without spaces around '='",
            )
        found[name] = value
    return found


def _line(state: State) -> str:
    counts = state.progress
    of = f", {counts.finished} of {counts.total} jobs done" if counts.total else ""
    failed = f", {counts.failed} failed" if counts.failed else ""
    return f"{state.workflow.name}: {state.status}{of}{failed}"


def _state_row(state: State) -> dict[str, Any]:
    counts = state.progress
    return {
        "id": state.workflow.id,
        "name": state.workflow.name,
        "status": state.status,
        "created": state.created,
        "jobs": {"total": counts.total, "finished": counts.finished, "failed": counts.failed},
    }


def _row(file: Transferred) -> dict[str, Any]:
    return {"path": file.path, "size": file.size, "digest": file.digest, "moved": file.moved}


def _say(*, quiet: bool) -> Callable[[str], None]:
    def say(text: str) -> None:
        if not quiet:
            click.echo(f"relance: {text}", err=True)

    return say


def _shown(show: Callable[[int, int], None]) -> Callable[[Moved], None]:
    def told(moved: Moved) -> None:
        show(moved.size, moved.of_size)

    return told
