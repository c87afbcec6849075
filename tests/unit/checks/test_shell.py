"""Commands looked at as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.checks import shell
from relance.languages import shells


@pytest.mark.parametrize(
    "command",
    [
        "make | tee log",
        "set -e; make |& tee log",
        "cd x && make \\\n  | sort > y",
        "{ make; } | sort",
        "a; b | c",
        "make 2>&1 | tee 'a b'",
        "set +o pipefail; make | tee log",
        "set -o pipefail; set +o pipefail; make | tee log",
        "make | tee log; set -o pipefail",
        "# pipefail would be better\nmake | tee log",
        "bash <<END\nmake | tee log\nEND",
        "x=$((1<<N)); make | tee log",
    ],
)
def test_a_pipe_that_hides_failures_is_found(command: str) -> None:
    at = shell.hidden_failure(command)
    assert at is not None
    assert command[at] == "|"


@pytest.mark.parametrize(
    "command",
    [
        "set -euo pipefail; make | tee log",
        "echo yes | make",
        "printf '%s' a | tr a b",
        "make || exit 1",
        "set -e -o pipefail\nmake | tee log",
        "#!/bin/bash -euo pipefail\nmake | tee log",
        "make | tee log; exit ${{PIPESTATUS[0]}}",
        "[[ $x =~ a|b ]] && make",
        "cat > x <<'END'\nmake | tee log\nEND\nmake",
        "grep '|' file",
        'grep "a|b" file',
        "make # | not here",
        "n=$(ls | wc -l); make",
        "make >| log",
        "if make | grep -q x; then true; fi",
        "make | grep x || true",
        "case $x in a|b) make;; esac",
        "awk '{print $1 | \"sort\"}' x",
        "plain() { printf '%s' $1 | tr a b; }",
        shells.COMMAND,
        shells.SCRIPT,
        shells.PUBLISH,
    ],
)
def test_what_hides_nothing_is_not(command: str) -> None:
    assert shell.hidden_failure(command) is None


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("apt-get -y install jq", "apt-get -y install"),
        ("make && yum update", "yum update"),
        ("x=1 chown -R root /a", "chown -R root"),
        ("chown -R 0:0 /a", "chown -R 0"),
        ("if ! which jq; then apt-get install jq; fi", "apt-get install"),
        ("for x in a b; do dnf install $x; done", "dnf install"),
    ],
)
def test_what_only_root_can_do_is_found(command: str, what: str) -> None:
    found = shell.needs_root(command)
    assert found is not None
    assert found[1] == what


@pytest.mark.parametrize(
    "command",
    ["echo apt-get install", "pip install jq", "'yum install x'", "./mount-x", "cat <<X\nyum install a\nX"],
)
def test_what_others_can_do_is_not(command: str) -> None:
    assert shell.needs_root(command) is None


@pytest.mark.parametrize(
    "command",
    ["echo 'Xy7pq' | kinit me", "true; echo -n Xy7pq|kinit", "printf '%s\\n' Xy7pq | voms-proxy-init -x"],
)
def test_a_password_for_a_program_that_logs_in_is_found(command: str) -> None:
    at = shell.password(command)
    assert at is not None
    assert command[at:].startswith("Xy7pq")


@pytest.mark.parametrize(
    "command",
    ['echo "$PASSWORD" | kinit me', "echo ${X} | kinit", "echo {password} | kinit", "echo hi | cat"],
)
def test_a_password_from_elsewhere_is_not(command: str) -> None:
    assert shell.password(command) is None


@given(st.text(alphabet="ab '\"\\$()`|#\n;{}", max_size=60))
def test_what_is_left_of_a_command_has_its_length_and_lines(command: str) -> None:
    bare = shell.bare(command)
    assert len(bare) == len(command)
    assert all(left in {sign, " "} for left, sign in zip(bare, command, strict=True))


@given(st.text(alphabet=st.characters(exclude_characters="'"), max_size=30))
def test_nothing_in_single_quotes_is_acted_on(text: str) -> None:
    assert shell.bare(f"'{text}'").strip() == ""


@pytest.mark.parametrize(
    ("command", "folders"),
    [
        ("make > {output}", set()),
        ("mkdir -p results logs; make", {"results", "logs"}),
        ("mkdir -p -m 755 ./a/b/ 'c' && make", {"755", "a", "a/b", "c"}),
        ("mkdir a\nmkdir b | true", {"a", "b"}),
        ("mkdir -p $(dirname {output})", None),
        ("mkdir -p results/{wildcards.name}", None),
        ("mkdir -p results; cd results; mkdir logs", None),
        ("mkdir -p results; python -c 'import os; os.makedirs(\"logs\")'", None),
        ("install -d results", None),
    ],
)
def test_folders_that_a_command_makes_are_known_where_it_names_them(
    command: str, folders: set[str] | None
) -> None:
    assert shell.made_folders(command) == folders
