from pathlib import Path

import pytest

from relance.errors import InputError
from relance.store.recipe import Copy, Run, read

REPOSITORY = Path(__file__).parents[3]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "Containerfile"
    path.write_text(text, encoding="utf-8")
    return path


def test_steps_know_the_variables_and_the_folder_in_force(tmp_path):
    recipe = read(
        written(
            tmp_path,
            "ARG BASE=host.test/a@sha256:b\nFROM ${BASE}\nARG LEVEL=2\nENV A=1 B='two words'\n"
            "WORKDIR /opt/$A\n# a comment\nCOPY x.txt /opt/x.txt\nRUN echo \\\n  # inside\n  $A && true\n"
            'ENV A=3\nCMD ["bash"]\n',
        )
    )
    assert recipe.base == "host.test/a@sha256:b"
    run = recipe.steps[1]
    assert recipe.steps[0] == Copy("x.txt", "/opt/x.txt")
    assert isinstance(run, Run)
    assert run.command.split() == ["echo", "$A", "&&", "true"]
    assert run.environment == {"LEVEL": "2", "A": "1", "B": "two words"}
    assert run.working_folder == "/opt/1"
    assert dict(recipe.environment) == {"A": "3", "B": "two words"}
    assert recipe.command == ("bash",)
    assert recipe.files == ("x.txt",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("RUN true\nFROM a\n", 1),
        ("FROM a\nFROM b\n", 2),
        ("FROM a AS builder\n", 1),
        ("FROM a\nADD x /x\n", 2),
        ("FROM a\nUSER me\n", 2),
        ("FROM a\n\nCOPY --from=b x /x\n", 3),
        ("FROM a\nCOPY ../secret /x\n", 2),
        ("FROM a\nCOPY x relative\n", 2),
        ("FROM a\nCOPY x /folder/\n", 2),
        ("FROM a\nWORKDIR here\n", 2),
        ('FROM a\nRUN ["true"]\n', 2),
        ("FROM a\nRUN --mount=type=cache true\n", 2),
        ("FROM a\nENV PATH=$NOWHERE\n", 2),
        ("FROM a\nENV A 1\n", 2),
        ("FROM a\nCMD bash\n", 2),
        ("ARG BASE\nFROM a\n", 1),
        ("# nothing\n", 1),
    ],
)
def test_what_not_every_builder_understands_is_refused_with_its_line(tmp_path, text, line):
    with pytest.raises(InputError, match=f"Containerfile:{line}: "):
        read(written(tmp_path, text))


@pytest.mark.parametrize("name", ["generation", "analysis"])
def test_the_images_of_this_repository_are_understood(name):
    recipe = read(REPOSITORY / "containers" / name / "Containerfile")
    assert "@sha256:" in recipe.base
    assert all((REPOSITORY / source).is_file() for source in recipe.files)
    assert recipe.environment["PATH"].startswith("/opt/env/bin:")
