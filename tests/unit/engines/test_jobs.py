"""What a sandboxed Snakemake may ask for, and what is run for it."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.engines import jobs
from relance.engines.jobs import Order, Rules
from relance.engines.standin.program import RefusedCallError
from relance.model import Runtime, RuntimeKind

WRITTEN = "docker://relance/toy"
RULES = Rules(
    runtime=Runtime(RuntimeKind.PODMAN, "4.3", rootless=True),
    program="/usr/bin/podman",
    folder="/work/analysis",
    run="/work/runs/run-1",
    label="relance.run=run-1",
    environment={"LANG": "C.UTF-8"},
    images={WRITTEN: "sha256:" + "1" * 64},
    mounts=("/work/outside/data:/data",),
    libraries=("/opt/env",),
)
SCRIPT = "set -euo pipefail; echo 'x' > y"


def call(
    *command: str, folder: str = "/work/analysis", image: str = WRITTEN, binds: tuple[str, ...] = ()
) -> bytes:
    return "\0".join([folder, image, *binds, "", *(command or ("bash", "-c", SCRIPT))]).encode()


def test_a_job_as_snakemake_asks_for_it_is_run_as_it_is() -> None:
    order = Order.read(call(), RULES)
    assert order == Order("/work/analysis", "sha256:" + "1" * 64, (), ("bash", "-c", SCRIPT))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (call(image="docker://other"), "none of the capsule's"),
        (call(image="/etc"), "none of the capsule's"),
        (call(image="sha256:" + "1" * 64), "none of the capsule's"),
        (call("bash", "x.sh"), "expected SHELL -c TEXT"),
        (call("bash", "-c"), "expected SHELL -c TEXT"),
        (call("bash", "-c", "x", "y"), "expected SHELL -c TEXT"),
        (call("/bin/bash", "-c", "x"), "expected SHELL -c TEXT"),
        (call("--privileged", "-c", "x"), "expected SHELL -c TEXT"),
        (call("bash", "-l", "x"), "expected SHELL -c TEXT"),
        (call(folder="/"), "not in the work folder"),
        (call(folder="/work"), "not in the work folder"),
        (call(folder="/work/analysis2"), "not in the work folder"),
        (call(folder="/work/analysis/../runs"), "not in the work folder"),
        (call(folder="/work/analysis/\x1b"), "not in the work folder"),
        (b"\xff\xfe", "can't be read"),
        (b"", "can't be read"),
        (b"a\0b", "can't be read"),
    ],
)
def test_anything_else_is_refused_and_named(message: bytes, reason: str) -> None:
    with pytest.raises(RefusedCallError, match=reason):
        Order.read(message, RULES)


@given(st.lists(st.text(max_size=12), max_size=8))
def test_whatever_is_asked_only_the_capsules_image_and_the_work_folder_are_used(fields: list[str]) -> None:
    try:
        order = Order.read("\0".join(fields).encode("utf-8", "surrogatepass"), RULES)
    except RefusedCallError:
        return
    assert order.image in RULES.images.values()
    assert order.folder.startswith("/work/analysis")


@given(
    st.text(alphabet="/.:,ab mntsakeo_0" + "\n", max_size=30),
    st.sampled_from(["", ":/mnt/snakemake", ":/mnt/snakemake_searchpaths/item_0", ":/mnt/x", ":/etc"]),
)
def test_no_bind_shows_a_job_anything_but_snakemakes_modules(source: str, target: str) -> None:
    order = Order.read(call(binds=(source + target,)) if source + target else call(), RULES)
    for bind in order.binds:
        shown, _, place = bind.partition(":")
        assert shown == "/work/analysis" or Path(shown).is_relative_to("/opt/env")
        assert ".." not in shown
        assert place.startswith("/mnt/snakemake")


def test_snakemakes_modules_are_shown_read_only() -> None:
    binds = ("/opt/env/lib:/mnt/snakemake_searchpaths/item_0", "/home/relance/.cache/x", "/etc:/etc")
    order = Order.read(call(binds=binds), RULES)
    assert order.binds == binds[:1]
    line = jobs.command(RULES, order, "name")
    assert "/opt/env/lib:/mnt/snakemake_searchpaths/item_0:ro" in line
    assert not [word for word in line if "/etc" in word]


def volumes(line: list[str]) -> list[str]:
    return [value for option, value in pairwise(line) if option in {"--volume", "--bind"}]


def test_a_job_in_podman_sees_the_work_folder_its_scratch_and_the_inputs() -> None:
    line = jobs.command(RULES, Order.read(call(folder="/work/analysis/sub"), RULES), "name")
    assert volumes(line) == [
        "/work/analysis:/work/analysis",
        "/work/outside/data:/data:ro",
        "/work/runs/run-1/scratch/home:/home/relance",
        "/work/runs/run-1/scratch/tmp:/tmp",
    ]
    assert line[line.index("--network") + 1] == "none"
    assert line[line.index("--workdir") + 1] == "/work/analysis/sub"
    assert line[line.index("--cap-drop") + 1] == "all"
    assert "no-new-privileges" in line
    assert line[-3:] == ["sha256:" + "1" * 64, "-c", SCRIPT]


def test_a_job_in_apptainer_has_no_right_that_its_user_hasnt(analysis_rules: Callable[..., Rules]) -> None:
    rules = analysis_rules(RuntimeKind.APPTAINER)
    line = jobs.command(rules, Order.read(call(), rules), "name")
    assert line[:3] == ["/usr/bin/podman", "--silent", "exec"]
    assert {"--containall", "--no-privs", "--network"} <= set(line)
    assert "/proc/sys:/proc/sys:ro" in volumes(line)
    assert line[-4:] == ["sha256:" + "1" * 64, "bash", "-c", SCRIPT]


@pytest.fixture
def analysis_rules() -> Callable[..., Rules]:
    def rules(kind: RuntimeKind, **others: object) -> Rules:
        return Rules.from_json(
            {**RULES.to_json(), "runtime": {**_plain(RULES), "kind": kind.value}, **others}
        )

    return rules


def _plain(rules: Rules) -> dict[str, object]:
    value: dict[str, object] = rules.to_json()["runtime"]
    return value


def test_rules_survive_their_way_to_the_broker(analysis_rules: Callable[..., Rules]) -> None:
    assert Rules.from_json(RULES.to_json()) == RULES
    assert analysis_rules(RuntimeKind.DOCKER).runtime.kind is RuntimeKind.DOCKER
