"""What a reana.yaml declares: what is sent, what is refused, how parameters are typed, what a bundle is."""

import io
import os
import zipfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from relance.drafting.graph import Job
from relance.engines.reana import bundle, declared, expansion, images, parameters, paths
from relance.engines.reana.declared import Declared, Language
from relance.engines.reana.journal import Journal
from relance.engines.reana.model import Transferred
from relance.errors import InputError, MissingPartError, RelanceError
from relance.model import Digest
from relance.specification.model import Interface, Parameter, ParameterType
from relance.store.registry.reference import Reference
from relance.store.registry.refusals import BrokenError, NotFoundError, RefusedError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "analysis"
    for name in ("Snakefile", "rules/a.smk", "data/one.txt", "data/deep/two.txt", "data/.git/config"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(name)
    return made


def written(folder: Path, **sections: object) -> Path:
    content = {"workflow": {"type": "snakemake", "file": "Snakefile"}, **sections}
    (folder / "reana.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_folders_are_sent_file_by_file_without_what_programs_keep(folder: Path) -> None:
    found = declared.read(written(folder, inputs={"files": ["Snakefile"], "directories": ["./data/"]}))
    assert found.inputs == ("Snakefile", "data/deep/two.txt", "data/one.txt")


def test_files_that_are_ignored_stay_here_unless_they_are_named(folder: Path) -> None:
    (folder / ".gitignore").write_text("*.local\n/data/deep/\n")
    (folder / ".reanaignore").write_text("one.*\n")
    for name in ("data/a.local", "data/b.txt", "data/ä ö.local"):
        (folder / name).write_text("")
    found = declared.read(written(folder, inputs={"files": ["Snakefile"], "directories": ["data"]}))
    assert found.inputs == ("Snakefile", "data/b.txt")
    assert found.ignored == ("data/a.local", "data/deep/two.txt", "data/one.txt", "data/ä ö.local")
    named = declared.read(written(folder, inputs={"files": ["data/a.local"]}))
    assert named.inputs == ("data/a.local",)


def test_inputs_belong_to_the_definition_only_where_the_workflow_lists_nothing(folder: Path) -> None:
    inputs = {"files": ["Snakefile"], "directories": ["data"]}
    assert "data/one.txt" in declared.read(written(folder, inputs=inputs)).definition
    workflow = {"type": "snakemake", "file": "Snakefile", "directories": ["rules"]}
    found = declared.read(written(folder, inputs=inputs, workflow=workflow))
    assert found.definition == ("Snakefile", "reana.yaml", "rules/a.smk")


def test_a_folder_of_which_nothing_is_sent_is_told(folder: Path) -> None:
    for name in ("empty/below", "ignored", "some/below"):
        (folder / name).mkdir(parents=True)
    (folder / "ignored/a.log").touch()
    (folder / "some/below/a.txt").touch()
    (folder / ".gitignore").write_text("*.log\n")
    found = declared.read(written(folder, inputs={"directories": ["empty", "ignored", "some"]}))
    assert (found.empty, found.inputs) == (("empty", "ignored"), ("some/below/a.txt",))


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"inputs": {"files": ["../outside"]}}, "inside the analysis"),
        ({"inputs": {"files": ["/etc/passwd"]}}, "inside the analysis"),
        ({"inputs": {"files": ["missing.txt"]}}, "missing.txt"),
        ({"inputs": {"files": ["data"]}}, "'directories'"),
        ({"inputs": {"directories": ["Snakefile"]}}, "'files'"),
        ({"inputs": {"files": ["data/one.txt"], "directories": ["data"]}}, "two places"),
        ({"inputs": {"files": "Snakefile"}}, "list of paths"),
        ({"inputs": ["Snakefile"]}, "a mapping"),
        ({"inputs": {"files": ["link"]}}, "leads out of it"),
        ({"inputs": {"directories": ["linked"]}}, "a link to one"),
        ({"workflow": {"type": "make", "file": "Snakefile"}}, "snakemake, serial"),
        ({"workflow": {"type": "snakemake"}}, "'file' or 'specification'"),
        ({"workflow": {"type": "snakemake", "file": "../Snakefile"}}, "../Snakefile"),
        ({"outputs": {"files": ["../../home"]}}, "inside the analysis"),
        ({"inputs": {"files": ["pipe"]}}, "a pipe, a socket or a device"),
        ({"inputs": {"directories": ["odd"]}}, "another name"),
    ],
)
def test_what_a_server_or_this_machine_must_not_get_is_refused_with_its_line(
    folder: Path, tmp_path: Path, sections: dict[str, object], told: str
) -> None:
    (tmp_path / "outside").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "linked").mkdir()
    (folder / "linked/inner").symlink_to(folder / "data")
    os.mkfifo(folder / "pipe")
    (folder / "odd").mkdir()
    (folder / "odd/a\\b.txt").touch()
    with pytest.raises(InputError) as error:
        declared.read(written(folder, **sections))
    assert told in str(error.value)
    assert "reana.yaml:" in str(error.value)


def test_equal_files_give_equal_bundles_that_are_not_compressed(folder: Path) -> None:
    found = declared.read(written(folder, inputs={"files": ["Snakefile"]}))
    first = bundle.of(found)
    (folder / "Snakefile").touch()
    (folder / "Snakefile").chmod(0o755)
    assert bundle.of(found) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.namelist() == ["Snakefile", "reana.yaml"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.read("reana.yaml") == (folder / "reana.yaml").read_bytes()


def test_a_bundle_of_more_than_servers_take_is_refused(folder: Path) -> None:
    (folder / "many").mkdir()
    for number in range(bundle.MOST_FILES):
        (folder / f"many/{number}").write_text("")
    found = declared.read(written(folder, inputs={"directories": ["many"]}))
    with pytest.raises(InputError, match="1000 files"):
        bundle.of(found)
    with (folder / "many/0").open("wb") as stream:
        stream.truncate(bundle.MOST_BYTES + 1)
    one = declared.read(written(folder, inputs={"files": ["many/0"]}))
    with pytest.raises(InputError, match="100 MiB"):
        bundle.of(one)


def test_a_snakemake_workflow_is_expanded_with_its_steps_and_their_order() -> None:
    def job(rule: str, inputs: tuple[str, ...], outputs: tuple[str, ...], command: str) -> Job:
        return Job(rule, inputs, outputs, frozenset(), (), (), "docker://bash:5", command)

    jobs = (
        job("a", ("x",), ("1",), "make"),
        job("a", ("y",), ("2",), "make"),
        job("b", ("1", "2"), ("3",), "add"),
    )
    content = {"workflow": {"type": "snakemake", "file": "Snakefile"}}
    found = Declared(Path(), content, Language.SNAKEMAKE, "Snakefile", {}, {}, (), (), ())
    made = expansion.expanded(found, (*jobs, job("all", ("3",), (), "")))["workflow"]["specification"]
    assert made["job_dependencies"] == {"a": [], "all": ["b"], "b": ["a"]}
    assert [(step["name"], step["environment"], step["commands"]) for step in made["steps"]] == [
        ("a", "bash:5", ["make"]),
        ("b", "bash:5", ["add"]),
    ]


def test_what_belongs_to_bundles_is_not_told_to_a_server_that_knows_none(folder: Path) -> None:
    workflow = {"type": "snakemake", "file": "Snakefile", "files": [], "directories": ["rules"]}
    found = expansion.expanded(declared.read(written(folder, workflow=workflow)), ())
    assert sorted(found["workflow"]) == ["file", "specification", "type"]


@pytest.mark.parametrize("language", [Language.YADAGE, Language.CWL])
def test_a_language_that_is_not_expanded_here_is_named(language: Language) -> None:
    found = Declared(Path(), {"workflow": {"type": str(language)}}, language, "x", {}, {}, (), (), ())
    with pytest.raises(InputError, match=str(language)):
        expansion.expanded(found, ())


def typed(defaults: dict[str, object], given: dict[str, str], interface: Interface | None = None) -> object:
    found = Declared(Path(), {}, Language.SNAKEMAKE, None, defaults, {}, (), (), ())
    return parameters.typed(found, given, interface)


def test_parameters_have_the_types_of_their_defaults() -> None:
    defaults = {"n": 1, "x": 1.5, "on": True, "word": "a", "many": [1], "any": None}
    given = {"n": "3", "x": "2", "on": "false", "word": "007", "many": "[2, 3]", "any": "4"}
    assert typed(defaults, given) == {"n": 3, "x": 2.0, "on": False, "word": "007", "many": [2, 3], "any": 4}


@pytest.mark.parametrize(
    ("name", "text"), [("n", "1.5"), ("n", "true"), ("on", "1"), ("many", "2"), ("x", "a")]
)
def test_a_value_of_another_type_is_refused(name: str, text: str) -> None:
    with pytest.raises(InputError, match=f"parameter '{name}'"):
        typed({"n": 1, "x": 1.5, "on": True, "many": [1]}, {name: text})


def test_the_specification_gives_units_and_places_and_keeps_what_stands_beside() -> None:
    mass = Parameter("Mass", ParameterType.NUMBER, "signal.mass", "GeV", minimum=100)
    interface = Interface({}, {}, {"mass": mass})
    defaults = {"signal": {"mass": 2000, "width": 0.1}, "seed": 1}
    assert typed(defaults, {"mass": "2.5 TeV", "seed": "7"}, interface) == {
        "signal": {"mass": 2500.0, "width": 0.1},
        "seed": 7,
    }
    with pytest.raises(InputError, match="mass"):
        typed(defaults, {"mass": "50 GeV"}, interface)


@pytest.mark.parametrize(
    "written", ["", "/data/image.sif", "images/fit.sqsh", "oras://host/x:1", "./x", "docker://UPPER/x"]
)
def test_an_image_that_no_server_can_pull_is_refused_with_its_steps(written: str) -> None:
    with pytest.raises(InputError, match="'fit', 'plot'"):
        images.choose({"fit": written, "plot": written}, None, lambda _: None, None)


def test_each_image_is_looked_up_once_and_all_that_are_missing_are_told() -> None:
    asked = []

    def look(reference: object) -> images.Seen:
        asked.append(str(reference))
        if "gone" in str(reference):
            raise InputError("x", expected="", found="HTTP status 404", next_step="")
        return images.Seen(Digest("sha256:" + "0" * 64), None)

    steps = {
        "a": "docker://host.org/gone:1",
        "b": "docker://host.org/gone2:1",
        "c": "host.org/there:1",
        "d": "host.org/there:1",
    }
    with pytest.raises(InputError) as error:
        images.choose(steps, look, lambda _: None, None)
    assert str(error.value).count("HTTP status 404") == 2
    assert len(asked) == 3


def refusal(kind: type[RelanceError]) -> RelanceError:
    return kind("x", expected="", found="what it said", next_step="log in")


@pytest.mark.parametrize(
    ("said", "kind", "step"),
    [
        (BrokenError, MissingPartError, "--skip-images"),
        (NotFoundError, InputError, "podman push"),
        (RefusedError, InputError, "log in"),
    ],
)
def test_a_registry_that_is_silent_is_no_wrong_name_and_one_that_refuses_wants_a_login(
    said: type[RelanceError], kind: type[RelanceError], step: str
) -> None:
    def look(reference: Reference) -> images.Seen:
        raise refusal(NotFoundError if "gone" in reference.name else said)

    with pytest.raises(kind, match=step):
        images.choose({"a": "host.org/x:1"}, look, lambda _: None, None)
    with pytest.raises(InputError) as error:
        images.choose({"a": "host.org/x:1", "b": "host.org/gone:1"}, look, lambda _: None, None)
    assert len(error.value.also) == 1


@given(st.text())
def test_a_safe_path_stays_inside_and_can_be_shown(text: str) -> None:
    if paths.is_safe(text):
        joined = Path("/root/of/all") / text
        assert joined.is_relative_to("/root/of/all")
        assert ".." not in joined.parts
        assert joined != Path("/root/of/all")
        assert text.isprintable()


@given(st.lists(st.from_regex(r"[a-z0-9 ._-]{1,20}", fullmatch=True), min_size=1, max_size=5))
def test_ordinary_paths_are_safe(parts: list[str]) -> None:
    assert paths.is_safe("/".join(parts)) == all(part not in {".", ".."} for part in parts)


@given(
    entries=st.lists(st.tuples(st.text(max_size=20), st.integers(0, 1 << 40)), max_size=10),
    torn=st.integers(0, 40),
)
def test_a_journal_knows_all_that_was_noted_before_a_torn_line(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, int]], torn: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "notes" / "journal.jsonl"
    digest = Digest("sha256:" + "a" * 64)
    for name, size in entries:
        Journal(path).note(Transferred(name, size, digest, moved=True))
    if entries and torn:
        with path.open("a", encoding="utf-8") as stream:
            stream.write('\n{"path": "a", "size": 5, "digest": "sha256:aaaa'[:torn])
    Journal(path).note(Transferred("last", 1, digest, moved=True))
    again = Journal(path)
    for name, size in {**dict(entries), "last": 1}.items():
        known = again.known(name)
        assert known is not None
        assert known.size == size


def test_what_is_given_keeps_what_stands_beside_it_at_every_depth() -> None:
    below = {"fit": {"signal": {"mass": 1, "width": 2}, "bins": 10}, "name": "a"}
    assert parameters.merged(below, {"fit": {"signal": {"mass": 3}}}) == {
        "fit": {"signal": {"mass": 3, "width": 2}, "bins": 10},
        "name": "a",
    }
    assert parameters.merged(below, {"fit": 1, "name": {"b": 2}}) == {"fit": 1, "name": {"b": 2}}
