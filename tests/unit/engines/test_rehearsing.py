"""By which words of Apptainer's a container is known never to have been there."""

import pytest

from snakemake_executor_plugin_relance_reana import _NO_IMAGE


@pytest.mark.parametrize(
    ("said", "never_began"),
    [
        ("FATAL:   Unable to handle docker://a.example/b:1 uri: failed to get checksum", True),
        ("FATAL:   While checking container encryption: could not open image /a/b.sqsh: no such file", True),
        ("FATAL:   container creation failed: mount hook function failure", True),
        ('FATAL:   "bash": executable file not found in $PATH', False),
        ("cat: FATAL:   Unable to handle docker://a.example/b:1 uri: said by a job", False),
        ("", False),
    ],
)
def test_an_image_that_is_not_started_is_told_from_a_job_that_fails(said: str, never_began: bool) -> None:
    assert bool(_NO_IMAGE.match(said)) == never_began
