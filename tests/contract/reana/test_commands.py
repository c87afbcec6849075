"""`relance reana`, as users type it, against the stand-in, which really runs what is submitted."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests import capsules

from relance import digest
from relance.capsule import writing
from relance.engines.reana import bundle
from relance.store.layout import Layout
from relance.store.store import Store

from .conftest import Said
from .server import Fault, Standin


def test_a_client_that_was_killed_within_a_file_goes_on_with_its_run(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str], tmp_path: Path
) -> None:
    folder = Path(serial())
    names = [f"data/{number}.bin" for number in range(5)]
    for name in names:
        (folder / name).write_bytes(name.encode() * 1000)
    large, some = "data/2.bin", 4 << 20
    (folder / large).write_bytes(bytes(range(256)) * (6 * some // 256))
    content = yaml.safe_load((folder / "reana.yaml").read_text())
    content["inputs"]["files"] += names
    (folder / "reana.yaml").write_text(yaml.safe_dump(content))
    newest.fault(Fault("POST", "/workspace$", "stall", file=large, value=some, seconds=60))
    options = ("submit", str(folder), "--skip-images", "--threads=1")
    killed = subprocess.Popen(
        [sys.executable, "-m", "relance", "reana", *options],
        env=dict(os.environ),
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not sent_of(newest, large) >= some and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert some <= sent_of(newest, large) < 6 * some
    before = len(newest.calls("POST", "/workspace$"))
    done = say(*options, "--wait", "--interval=0.1", "--json")
    assert done.code == 0, done.err
    assert done.json["picked_up"]
    assert done.json["id"] == newest.only().id
    again = [call.query["file_name"] for call in newest.calls("POST", "/workspace$")[before:]]
    assert again == [large, "data/3.bin", "data/4.bin", "data/one.txt"]
    assert newest.only().starts == 1
    for name in names:
        assert (newest.only().workspace / name).read_bytes() == (folder / name).read_bytes()


def test_two_clients_of_the_same_fill_and_start_one_run_after_another(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    goes_on = threading.Event()
    newest.fault(Fault("POST", "/workspace$", "stall", value=1, seconds=60, until=goes_on))
    command = [sys.executable, "-m", "relance", "reana", "submit", serial(first="sleep 60"), "--skip-images"]
    first = subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not newest.calls("POST", "/workspace$") and time.monotonic() < deadline:
        time.sleep(0.02)
    second = subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.PIPE, text=True)
    with second:
        assert second.stderr is not None
        assert "another process sends the same; waiting for it" in second.stderr.readline()
        goes_on.set()
        assert "going on with serial.1" in second.stderr.read()
    assert first.wait() == second.returncode == 0
    assert len(newest.calls("POST", "/workspace$")) == 1, "no file is replaced below a run that was started"
    assert newest.only().starts == len(newest.calls("POST", "/start$")) == 1
    assert say("stop", "serial.1").code == 0


def sent_of(server: Standin, name: str) -> int:
    """Return the bytes that a server shows of a file, under its name, whole or not."""
    found = [run.workspace / name for run in list(server.runs.values())]
    return sum(path.stat().st_size for path in found if path.exists())


def test_a_start_whose_answer_is_lost_is_no_second_start(
    server: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    server.fault(Fault("POST", "/start$", "drop after"))
    done = say("submit", serial(), "--skip-images", "--wait", "--interval=0.1")
    assert done.code == 0, done.err
    assert server.only().starts == 1


def test_a_start_that_is_refused_is_no_success_and_can_be_asked_for_again(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    options = ("submit", serial(), "--skip-images")
    newest.fault(Fault("POST", "/start$", "status", status=400, value={"message": "no such option"}))
    refused = say(*options)
    assert refused.code == 2
    assert "no such option" in refused.err
    assert say(*options, "--wait", "--interval=0.1").code == 0
    assert newest.only().starts == 1


def test_a_run_on_its_way_is_followed_and_not_run_twice_unless_its_inputs_changed(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    folder = serial(first="sleep 60")
    first = say("submit", folder, "--skip-images", "--json").json
    again = say("submit", folder, "--skip-images", "--json").json
    assert again == {**first, "sent": 0, "picked_up": True}
    Path(folder, "data/one.txt").write_text("two\n")
    assert say("submit", folder, "--skip-images", "--json").json["name"] == "serial.2"
    assert say("submit", folder, "--skip-images", "--again", "--json").json["name"] == "serial.3"
    for name in ("serial.1", "serial.2", "serial.3"):
        stopped = say("stop", name)
        assert stopped.code == 0
        assert "stopped" in stopped.out
    assert say("status", "serial.1", "--json").json["status"] == "stopped"
    assert say("stop", "serial.1").code == 2


def test_a_failed_run_names_its_step_and_is_no_success(
    server: Standin, say: Callable[..., Said], serial: Callable[..., str], tmp_path: Path
) -> None:
    folder = serial(second="echo no such histogram; false")
    done = say("submit", folder, "--skip-images", "--follow", "--fetch=got", "--interval=0.1")
    assert done.code == 1
    assert "no such histogram" in done.out
    assert "failed: second" in done.err
    assert not (tmp_path / "got").exists()
    shown = say("logs", "serial.1", "--step=second")
    assert "no such histogram" in shown.out
    assert say("logs", "--follow", "--interval=0.1").code == 1
    missing = say("fetch", "serial.1")
    assert missing.code == 2
    assert "out.txt" in missing.err


def test_runs_are_listed_fetched_compared_pruned_and_deleted(
    server: Standin, say: Callable[..., Said], serial: Callable[..., str], tmp_path: Path
) -> None:
    folder = serial()
    for word in ("hello", "world"):
        assert (
            say("submit", folder, f"--set=word={word}", "--skip-images", "--wait", "--interval=0.1").code == 0
        )
    assert [line.partition(",")[0] for line in say("list").out.splitlines()] == [
        "serial.2: finished",
        "serial.1: finished",
    ]
    assert "2 of 2" in say("status").out or "finished" in say("status").out
    assert "out.txt" in say("files", "serial.2").out
    fetched = say("fetch", "--json")
    assert [file["moved"] for file in json.loads(fetched.out)] == [True]
    assert (tmp_path / "serial.2/out.txt").read_text() == "one\nworld\n"
    assert [file["moved"] for file in json.loads(say("fetch", "--json").out)] == [False]
    shown = say("diff", "serial.1", "serial.2")
    assert "-  word: hello" in shown.out
    assert "+  word: world" in shown.out
    pruned = say("prune", "serial.2")
    assert pruned.code == 0
    assert [file["path"] for file in json.loads(say("files", "serial.2", "--json").out)] == [
        "data/one.txt",
        "out.txt",
    ]
    for option, left in (("--outputs", ["data/one.txt"]), ("--inputs", [])):
        assert say("prune", "serial.2", option).code == 0
        assert [file["path"] for file in json.loads(say("files", "serial.2", "--json").out)] == left
    assert say("delete", "serial.2", "--all-runs").code == 0
    assert say("list").out == ""
    assert say("delete", "nothing.7").code == 2


def test_links_of_a_workspace_are_told_and_left_out_unless_they_are_meant(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str], tmp_path: Path
) -> None:
    folder = serial(first="echo one > one.txt; ln -s one.txt two.txt; ln -s nowhere three.txt; ln -s . here")
    assert say("submit", folder, "--skip-images", "--wait", "--interval=0.1").code == 0
    done = say("fetch", "--all", "-o", "got")
    assert done.code == 0, done.err
    assert "left out, being symbolic links, which REANA doesn't give: here, three.txt, two.txt" in done.err
    assert {"one.txt", "out.txt"} <= {path.name for path in (tmp_path / "got").iterdir()}
    assert not (tmp_path / "got/two.txt").exists()
    meant = say("fetch", "serial.1", "two.txt", "-o", "got")
    assert meant.code == 2
    assert "two.txt can't be fetched" in meant.err


def test_names_that_can_not_be_asked_for_or_trusted_do_not_keep_others_from_being_fetched(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str], tmp_path: Path
) -> None:
    folder = serial(first="mkdir -p .git; echo one > one.txt; touch 'a[1].txt' .git/config")
    assert say("submit", folder, "--skip-images", "--wait", "--interval=0.1").code == 0
    done = say("fetch", "--all", "-o", "got")
    assert done.code == 0, done.err
    assert "left out, having names that REANA takes for patterns: a[1].txt" in done.err
    assert "left out, lying below .git, .snakemake or .relance, which programs of this machine" in done.err
    assert (tmp_path / "got/one.txt").exists()
    assert not (tmp_path / "got/.git").exists()
    for path in ("a[1].txt", ".git/config"):
        meant = say("fetch", "serial.1", path, "-o", "got")
        assert meant.code == 2
        assert f"{path} can't be fetched" in meant.err
    assert "one of both" in say("fetch", "serial.1", "one.txt", "--all").err


def test_what_a_run_has_not_made_yet_is_told_to_be_waited_for(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str], tmp_path: Path
) -> None:
    assert say("submit", serial(second="sleep 60"), "--skip-images").code == 0
    early = say("fetch")
    assert early.code == 2
    assert "wait for it: relance reana logs --follow serial.1" in early.err
    done = say("fetch", "--all", "-o", "got")
    assert done.code == 0, done.err
    assert "serial.1 isn't recorded: it is " in done.err
    assert not (tmp_path / "got/.snakemake").exists()
    assert say("stop", "serial.1").code == 0


def test_logs_are_those_of_the_steps_that_are_asked_for(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    folder = serial(first="echo one said; echo > one.txt", second="echo two said; touch out.txt")
    assert say("submit", folder, "--skip-images").code == 0
    followed = say("logs", "--follow", "--step=second", "--interval=0.1")
    assert followed.code == 0
    assert ("two said" in followed.out, "one said" in followed.out) == (True, False)
    assert "relance: first: finished" not in followed.err
    unknown = say("logs", "--step=third")
    assert unknown.code == 2
    assert "steps that began: first, second" in unknown.err
    assert say("logs", "--follow", "--json").code == 2


@pytest.mark.parametrize("name", ["a.3", "größe", "a/b", "", "00000000-0000-0000-0000-000000000000"])
def test_a_name_that_no_run_can_have_is_refused_and_not_changed(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str], name: str
) -> None:
    done = say("submit", serial(), "--skip-images", f"--name={name}")
    assert done.code == 2
    assert f"name {name!r}: " in done.err
    assert newest.asked == []


def test_a_folder_of_which_no_file_is_sent_is_told(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    folder = Path(serial())
    (folder / "empty").mkdir()
    content = yaml.safe_load((folder / "reana.yaml").read_text())
    content["inputs"]["directories"] = ["empty"]
    (folder / "reana.yaml").write_text(yaml.safe_dump(content))
    told = "folder empty: no file of it is sent"
    assert told in say("submit", str(folder), "--skip-images", "--dry-run").out
    assert told in say("submit", str(folder), "--skip-images", "--wait", "--interval=0.1").err


def test_secrets_come_from_the_environment_or_files_and_are_never_shown(
    server: Standin, say: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "s3cr3t")
    (tmp_path / "keytab").write_bytes(b"\x05\x02")
    added = say("secrets", "add", "--env=PASSWORD", "--file=keytab")
    assert added.code == 0, added.err
    listed = say("secrets")
    assert listed.out.splitlines() == ["PASSWORD  (env)", "keytab  (file)"]
    assert json.loads(say("secrets", "--json").out)[0] == {"name": "PASSWORD", "kind": "env"}
    assert "s3cr3t" not in added.out + added.err + listed.out
    assert say("secrets", "add", "--env=PASSWORD").code == 2
    assert say("secrets", "add", "--env=REANA_ACCESS_TOKEN").code == 2
    assert say("secrets", "remove", "PASSWORD", "keytab").code == 0
    assert server.secrets == {}


def with_kerberos(folder: str) -> str:
    file = Path(folder, "reana.yaml")
    content = yaml.safe_load(file.read_text())
    content["workflow"]["specification"]["steps"][0]["kerberos"] = True
    file.write_text(yaml.safe_dump(content))
    return folder


def test_a_run_without_its_secrets_is_refused_before_it_is_made(
    server: Standin,
    say: Callable[..., Said],
    serial: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = with_kerberos(serial())
    refused = say("submit", folder, "--skip-images")
    assert refused.code == 2
    assert "step 'first' needs Kerberos" in refused.err
    assert "relance reana secrets add --env CERN_USER --env CERN_KEYTAB --file FILE" in refused.err
    assert server.runs == {}
    planned = say("submit", folder, "--skip-images", "--dry-run", "--json").json
    assert planned["credentials"] == {"Kerberos": ["step 'first'"]}
    assert "Kerberos from your secrets" in say("submit", folder, "--skip-images", "--dry-run").out
    monkeypatch.setenv("CERN_USER", "jane")
    monkeypatch.setenv("CERN_KEYTAB", "s3cr3t.keytab")
    assert say("secrets", "add", "--env=CERN_USER", "--env=CERN_KEYTAB").code == 0
    refused = say("submit", folder, "--skip-images")
    assert "found CERN_USER, CERN_KEYTAB" in refused.err
    assert "secrets add --file FILE" in refused.err
    assert "s3cr3t" not in refused.err
    (tmp_path / "s3cr3t.keytab").write_bytes(b"\x05\x02")
    assert say("secrets", "add", "--file=s3cr3t.keytab").code == 0
    assert say("submit", folder, "--skip-images", "--wait", "--interval=0.1").code == 0


def test_a_server_that_tells_no_secrets_is_only_warned_of(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    newest.fault(Fault("GET", "/api/secrets$", "status", status=404, value={"message": "Not found"}))
    done = say("submit", with_kerberos(serial()), "--skip-images", "--wait", "--interval=0.1")
    assert done.code == 0, done.err
    assert "steps need Kerberos, and the server doesn't tell which secrets it has" in done.err


def test_a_dry_run_says_what_would_be_sent_and_asks_no_server(
    say: Callable[..., Said], remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REANA_SERVER_URL", "https://reana.invalid")
    plan = say("submit", "remote", "--set=times=5", "--skip-images", "--dry-run", "--json").json
    assert plan["parameters"] == {"times": 5}
    assert plan["images"] == {"docker://bash:5": None}
    assert [file["path"] for file in plan["inputs"]] == [
        "Snakefile",
        "config.yaml",
        "data/one.txt",
        "data/two.txt",
        "rules/count.smk",
    ]


def test_an_include_that_reana_yaml_forgets_is_missed_before_anything_is_sent(
    newest: Standin, say: Callable[..., Said], remote: Path
) -> None:
    text = (remote / "reana.yaml").read_text()
    (remote / "reana.yaml").write_text(text.replace("[rules, data]", "[data]"))
    done = say("submit", "remote", "--skip-images")
    assert done.code == 2
    assert "rules/count.smk" in done.err
    assert newest.asked == []


def test_a_step_without_an_image_in_a_registry_is_refused_by_name(
    newest: Standin, say: Callable[..., Said], remote: Path
) -> None:
    rules = remote / "rules/count.smk"
    rules.write_text(rules.read_text().replace("docker://bash:5", "images/bash.sqsh"))
    snakefile = remote / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace('    container:\n        "docker://bash:5"\n', ""))
    done = say("submit", "remote", "--skip-images")
    assert done.code == 2
    assert "image 'images/bash.sqsh' of 'count'" in done.err
    assert "image '' of 'total'" in done.err
    assert newest.asked == []


def test_an_image_whose_registry_does_not_answer_is_named_and_may_be_tried_again(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    folder = Path(serial())
    text = (folder / "reana.yaml").read_text()
    (folder / "reana.yaml").write_text(text.replace("docker://bash:5", "docker://localhost:9/group/bash:5"))
    done = say("submit", str(folder))
    assert done.code == 3
    assert "image 'docker://localhost:9/group/bash:5' of 'first', 'second': found no connection" in done.err
    assert "check the network and the name" in done.err
    assert newest.asked == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("times=many", "a whole number"),
        ("times=2.5", "a whole number"),
        ("tims=2", "did you mean 'times'?"),
        ("times", "NAME=VALUE"),
    ],
)
def test_a_wrong_parameter_is_told_before_anything_is_sent(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str], given: str, told: str
) -> None:
    done = say("submit", serial(), f"--set={given}", "--skip-images")
    assert done.code == 2
    assert told in done.err
    assert newest.asked == []


@pytest.mark.parametrize("name", ["REANA_SERVER_URL", "REANA_ACCESS_TOKEN"])
def test_what_is_not_set_is_told(
    newest: Standin, say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    done = say("list")
    assert done.code == 2
    assert name in done.err


@pytest.mark.parametrize("token", ["a b", "t\u00f6k", "one\ntwo", "a\x1b[31m"])
def test_what_no_token_can_be_is_told_and_not_sent(
    newest: Standin, say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("REANA_ACCESS_TOKEN", token)
    done = say("list")
    assert done.code == 2
    assert "characters that no token has" in done.err
    assert token not in done.err
    assert newest.asked == []


def test_where_a_followed_run_is_lost_sight_of_how_to_go_on_is_told(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    newest.fault(Fault("GET", "/status$", "answer", value=b"<html>"))
    done = say("submit", serial(), "--skip-images", "--wait", "--interval=0.1")
    assert done.code == 3
    assert f"the run goes on; follow it: relance reana logs --follow {newest.only().id}" in done.err
    assert say("logs", "--follow", "--interval=0.1").code == 0


@pytest.mark.parametrize("target", ["localhost:5000/group:1", f"localhost:5000/group@sha256:{'0' * 64}"])
def test_images_are_pushed_below_a_repository_and_not_to_one_image(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str], target: str
) -> None:
    done = say("submit", serial(), f"--image-registry={target}")
    assert done.code == 2
    assert "found a tag or a digest" in done.err
    assert newest.asked == []


def test_a_folder_without_reana_yaml_is_told(say: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = say("submit", "empty")
    assert done.code == 2
    assert "reana.yaml" in done.err


REANA_YAML = b"""\
inputs:
  files: [Snakefile, config.yaml]
  directories: [scripts, data]
  parameters: {threshold: 100.0}
workflow: {type: snakemake, file: Snakefile}
outputs: {files: [results/total.json]}
"""
SNAKEFILE = b"""\
from pathlib import Path
Path("parsed").touch()
rule all:
    output: "results/total.json"
    container: "docker://registry.example/counting:1.0"
    shell: "mkdir -p results; echo {config[threshold]} > {output}"
"""


def capsule(tmp_path: Path, *, with_images: bool, declared: bool = True) -> Layout:
    layout = Store(tmp_path / "store").layout
    image = capsules.toy_image(layout) if with_images else None
    small = capsules.small(layout, image=image)
    own = [capsules.kept(layout, "Snakefile", SNAKEFILE)]
    if declared:
        own.append(capsules.kept(layout, "reana.yaml", REANA_YAML))
    files = [*(file for file in small.files if file.path != "Snakefile"), *own]
    made = replace(small, files=tuple(sorted(files, key=lambda file: file.path)))
    writing.write(layout, made, name="counting")
    return layout


def test_a_capsule_is_submitted_without_running_its_snakefile_here(
    oldest: Standin, say: Callable[..., Said], tmp_path: Path
) -> None:
    capsule(tmp_path, with_images=True)
    done = say(
        "submit",
        "counting",
        "--set=threshold=2 TeV",
        "--skip-images",
        "--wait",
        "--fetch=got",
        "--interval=0.2",
    )
    assert done.code == 0, done.err
    run = oldest.only()
    assert run.name == "counting.1"
    assert run.parameters == {"threshold": 2000.0}
    assert (tmp_path / "got/results/total.json").read_text() == "2000.0\n"
    assert (run.workspace / "data/a.txt").read_bytes() == capsules.INPUTS["data/a.txt"]
    parsed = [path for path in tmp_path.rglob("parsed") if run.workspace not in path.parents]
    assert parsed == []


def test_of_a_capsule_without_reana_yaml_its_sources_and_inputs_are_sent(
    newest: Standin, say: Callable[..., Said], tmp_path: Path
) -> None:
    capsule(tmp_path, with_images=True, declared=False)
    done = say("submit", "counting", "--set=threshold=3 TeV", "--skip-images", "--wait", "--interval=0.1")
    assert done.code == 0, done.err
    run = newest.only()
    there = {path for path in (*capsules.SOURCES, *capsules.INPUTS) if (run.workspace / path).is_file()}
    assert there == {*capsules.SOURCES, *capsules.INPUTS}
    assert (run.workspace / "results/total.json").read_text() == "3000.0\n"
    assert not (run.workspace / "logs").exists()


def test_of_a_capsule_with_more_than_a_bundle_holds_only_the_sources_are_in_it(
    newest: Standin, say: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capsule(tmp_path, with_images=True, declared=False)
    plan = say("submit", "counting", "--skip-images", "--dry-run", "--json").json
    assert {"data/a.txt"} < set(plan["definition"])
    monkeypatch.setattr(bundle, "MOST_FILES", len(plan["definition"]) - 1)
    done = say("submit", "counting", "--skip-images", "--wait", "--fetch=got", "--interval=0.2")
    assert done.code == 0, done.err
    run = newest.only()
    assert not (run.definition / "data").exists()
    assert (run.workspace / "data/a.txt").read_bytes() == capsules.INPUTS["data/a.txt"]


def test_a_capsule_whose_steps_have_no_image_is_refused(
    newest: Standin, say: Callable[..., Said], tmp_path: Path
) -> None:
    capsule(tmp_path, with_images=False)
    done = say("submit", "counting", "--skip-images")
    assert done.code == 2
    assert "image '' of 'count', 'sum'" in done.err
    assert say("submit", "counting", "--set=threshold=9 TeV", "--skip-images").code == 2
    assert newest.asked == []


def test_a_file_with_a_secret_is_not_sent_unless_it_is_allowed(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    folder = Path(serial())
    token = "ghp_" + "Zk3v9Qw8Er7Ty6Ui5Op4As3Df2Gh1Jk0Lz9X"
    (folder / "data/one.txt").write_text(f"one\ntoken = {token}\n")
    done = say("submit", str(folder), "--skip-images", "--dry-run")
    assert done.code == 2
    assert "data/one.txt, line 2, can't be sent" in done.err
    assert token not in done.err
    assert newest.asked == []
    allowed = digest.of_file(folder / "data/one.txt")
    options = ("--skip-images", f"--allow-secret={allowed}", "--wait", "--interval=0.1")
    assert say("submit", str(folder), *options).code == 0


def test_a_run_that_is_started_again_with_another_parameter_keeps_the_others(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str], tmp_path: Path
) -> None:
    assert say("submit", serial(), "--set=word=world", "--skip-images", "--wait", "--interval=0.1").code == 0
    again = say("restart", "serial.1", "--set=times=3")
    assert (again.code, again.out) == (0, "serial.1.1\n")
    run = list(newest.runs.values())[-1]
    assert run.parameters == {"word": "world", "times": 3}
    note = tmp_path / "cache/relance/reana" / run.id / "submission.json"
    assert json.loads(note.read_text())["parameters"] == run.parameters
    assert say("restart", "serial.1", "--set=time=3").code == 2


def test_a_failed_run_is_started_again_in_its_workspace_and_recorded(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str], tmp_path: Path
) -> None:
    folder = serial(second="[ ${word} != hello ] && echo ${word} > out.txt")
    assert say("submit", folder, "--skip-images", "--wait", "--interval=0.1").code == 1
    assert say("restart", "serial.1", "--set=word=5", "--set=wrd=6").code == 2
    again = say("restart", "serial.1", "--set=word=world")
    assert again.code == 0, again.err
    assert again.out == "serial.1.1\n"
    assert say("logs", "serial.1.1", "--follow", "--interval=0.1").code == 0
    assert say("fetch", "serial.1.1", "-o", "got").code == 0
    assert (tmp_path / "got/out.txt").read_text() == "world\n"
    (record,) = (tmp_path / "got").glob(".snakemake/relance/run-reana-*/record.json")
    assert json.loads(record.read_text())["run"]["remote"]["name"] == "serial.1.1"
    assert say("stop", "serial.1").code == 2
