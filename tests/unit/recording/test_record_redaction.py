"""Secrets are left out of records, whatever holds them, and the record says where."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance import digest
from relance.model import CodeRecord, JobRecord, Parameter, RunFacts, RunRecord
from relance.recording.redaction import redacted

WORD = "pass" + "word"
VALUE = "zz9" + "Pq7Lm"
TOKEN = "ghp" + "_" + "a1B2c3D4e5F6" * 3


def record(
    *command: str, job: str = "true", configuration: object = None, parameters: tuple[Parameter, ...] = ()
) -> RunRecord:
    settings = configuration or {}
    facts = RunFacts(
        "afterwards", True, "ok", "0", "9", command, "unknown", (), (), settings,  # type: ignore[arg-type]
        digest.of_json(settings), "p", "p", "l", "plain", "", (),
    )  # fmt: skip
    one = JobRecord("fit", {}, "ok", 0, 1, job, parameters, CodeRecord("shell"), None, ("in.txt",), (), ())
    return RunRecord(facts, (one,), (), "unknown", "unknown", ())


def test_arguments_lose_values_of_secret_names() -> None:
    found = redacted(
        record("--config", f"db_{WORD}={VALUE}", "mass=5", "--storage-s3-secret-key", VALUE, "-n")
    )
    assert found.run.command == (
        "--config", f"db_{WORD}=‹redacted›", "mass=5", "--storage-s3-secret-key", "‹redacted›", "-n",
    )  # fmt: skip
    assert found.run.redacted == ("command",)


def test_the_working_folder_of_a_container_is_no_secret() -> None:
    told = "--apptainer-args=--containall --pwd /home/me/analysis --bind /home/me"
    assert redacted(record(told)).run.command == (told,)


def test_the_configuration_loses_them_at_any_depth_and_its_digest_is_of_the_rest() -> None:
    settings = {"fit": {"tries": 3, "api_key": VALUE}, "note": f"use {TOKEN}", "tokens": ["a"]}
    found = redacted(record(configuration=settings))
    kept = {"fit": {"tries": 3, "api_key": "‹redacted›"}, "note": "use ‹redacted›", "tokens": ["a"]}
    assert found.run.configuration == kept
    assert found.run.configuration_digest == digest.of_json(kept)
    assert found.run.redacted == ("configuration, fit, api_key", "configuration, note")


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (f"DB_{WORD.upper()}={VALUE} fetch", f"DB_{WORD.upper()}=‹redacted› fetch"),
        (f"fetch --{WORD} '{VALUE}' x", f"fetch --{WORD} ‹redacted› x"),
        (f"fetch https://me:{VALUE}@example.org/x", "fetch https://me:‹redacted›@example.org/x"),
        (f"fetch -H {TOKEN}", "fetch -H ‹redacted›"),
        ("fetch --token $TOKEN --mass 5", "fetch --token $TOKEN --mass 5"),
        ("fetch --token in.txt --token-file x", "fetch --token in.txt --token-file x"),
        ("echo the token is spent", "echo the token is spent"),
    ],
)
def test_commands_lose_them(command: str, kept: str) -> None:
    found = redacted(record(job=command))
    assert found.jobs[0].command == kept
    assert found.run.redacted == (() if kept == command else ("command of fit",))


def test_parameters_lose_them_and_are_no_longer_exact() -> None:
    given_ones = (Parameter("token", VALUE, exact=True), Parameter("mass", 5, exact=True))
    found = redacted(record(parameters=given_ones))
    assert found.jobs[0].parameters == (Parameter("token", "‹redacted›", exact=False), given_ones[1])
    assert found.run.redacted == ("parameter token of fit",)


@given(
    st.dictionaries(st.sampled_from(["mass", "output", "samples", "seed"]), st.integers() | st.text("abc /="))
)
def test_a_record_without_secrets_stays_as_it_is(settings: dict[str, object]) -> None:
    plain = record("--cores", "2", job="fit --mass 5", configuration=settings)
    assert redacted(plain) == plain
    assert redacted(redacted(plain)) == plain
    assert redacted(replace(plain, jobs=())).jobs == ()


def test_no_value_is_left_in_what_is_written(tmp_path: Path) -> None:
    found = redacted(
        record("--config", f"token={VALUE}", job=f"x --{WORD}={VALUE}", configuration={"secret": VALUE})
    )
    assert VALUE not in repr(found)
