from pathlib import Path

from tests.unit.languages.written import STAGE, read

from relance.languages import snakefile


def test_compiling_twice_gives_the_same_files_and_no_text_of_the_author_is_code(tmp_path: Path) -> None:
    hostile = (
        STAGE.replace("echo {a}", 'echo \\"\\"\\" {a} \\').replace("'echo", '"echo').replace("\\'}", '\\\\"}')
    )
    for text in (STAGE, hostile):
        workflow = read(tmp_path, text).workflow
        one = snakefile.compiled(workflow, 'w.yml\nimport os  # """', {"a": 1})
        assert one == snakefile.compiled(workflow, 'w.yml\nimport os  # """', {"a": 1})
        assert "\nimport os" not in one.files["Snakefile"]
        assert 'docker://busybox:1.36"' in one.files["Snakefile"]


def test_what_is_brought_along_does_not_need_relance(tmp_path: Path) -> None:
    brought = snakefile.compiled(read(tmp_path, STAGE).workflow, "w.yml", {}).files
    assert {"support/rules.py", "support/answers.py", "support/model.py"} <= set(brought)
    assert not [name for name, text in brought.items() if "from relance" in text or "import relance" in text]
