"""What Singularity's scripts export, compared with what a shell makes of them."""

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.store.importing.scripts import exported

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def of_shell(script: str) -> dict[str, str]:
    asked = f"PATH={PATH}\n{script}\n/usr/bin/env -0"
    done = subprocess.run(["/bin/sh", "-c", asked], env={}, capture_output=True, check=True)
    return dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if pair)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('export PATH="${PATH:-"/opt/bin:/bin"}"', {"PATH": "/opt/bin:/bin"}),
        ("export PATH=/opt/conda/bin:$PATH", {"PATH": f"/opt/conda/bin:{PATH}"}),
        ('export PATH="/opt/a b:${PATH}"', {"PATH": f"/opt/a b:{PATH}"}),
        ("LC_ALL=C\nexport LC_ALL", {"LC_ALL": "C"}),
        ("HERE=/opt\nexport THERE=$HERE/x", {"THERE": "/opt/x"}),
        ("export A='$x'\"y\"z", {"A": "$xyz"}),
        ("    export SPACES=1   ", {"SPACES": "1"}),
        ("export A=$(date)", {}),
        ("export A=`date`\nexport B=$UNKNOWN", {}),
        ("export A=1; export B=2", {}),
        ("if true; then\n", {}),
        ("# export A=1", {}),
    ],
)
def test_what_scripts_export_is_read(script: str, expected: dict[str, str]) -> None:
    assert exported([script]) == expected


def test_a_later_script_counts_more() -> None:
    assert exported(["export A=1\nexport B=2", "export A=3:$A"]) == {"A": "3:1", "B": "2"}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("AB"), st.text("abc /:$'\"\\", max_size=6)), max_size=4))
def test_what_is_read_is_what_a_shell_makes_of_it(pairs: list[tuple[str, str]]) -> None:
    quoted = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in pairs)
    assert exported([quoted]) == {name: value for name, value in of_shell(quoted).items() if name in "AB"}
