"""Copies that Snakemake makes of source files are told as the files themselves."""

from pathlib import Path

from relance.recording.cached import original

HERE = Path("/home/ada/analysis (new)")
COPY = f"/home/ada/.cache/snakemake/snakemake/source-cache/snakemake-runtime-cache/tmpab_1/file{HERE}"


def test_a_copy_in_an_event_and_in_the_graph_is_the_same_file() -> None:
    told = {"input": ["a.txt", f"{HERE}/scripts/fit.py (cached)"], "shellcmd": None}
    read = {"input": ["a.txt", f"{COPY}/scripts/fit.py"], "shellcmd": None}
    assert original(told, HERE) == original(read, HERE) == {**read, "input": ["a.txt", "scripts/fit.py"]}


def test_a_copy_in_the_analysis_itself_is_known_too() -> None:
    inside = f"{HERE}/.snakemake/source-cache/file{HERE}/fit.py"
    assert original({"input": [inside], "shellcmd": "true"}, HERE)["input"] == ["fit.py"]


def test_commands_and_parameters_name_the_file_itself() -> None:
    params = [{"name": "program", "value": [f"{COPY}/fit.py", 1], "exact": True}]
    found = original({"shellcmd": f"python '{COPY}/fit.py' a.txt > b", "params": params}, HERE)
    assert found["shellcmd"] == "python 'fit.py' a.txt > b"
    assert found["params"] == [{"name": "program", "value": ["fit.py", 1], "exact": True}]


def test_what_is_no_copy_of_the_analysis_is_left_as_it_is() -> None:
    elsewhere = COPY.replace(str(HERE), "/opt/other")
    fields = {"input": [f"{elsewhere}/x.py"], "shellcmd": f"python {elsewhere}/x.py", "params": []}
    assert original(fields, HERE) == fields
