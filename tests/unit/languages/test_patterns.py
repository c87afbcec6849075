from tests.unit.languages.written import WORKFLOWS

from relance.languages.support import patterns
from relance.languages.yadage import workflows


def test_folders_of_jobs_are_numbered_where_jobs_are() -> None:
    assert set(patterns.jobs(workflows.read(WORKFLOWS, "dynamic.yml").workflow)) == {
        "split_{n0}",
        "inside_{n0}/again",
        "inside_{n0}/copy_{n1}",
        "all",
    }
    assert patterns.published("inside_{n0}/copy_{n1}") == "published/inside_{n0}/copy.json"
    assert patterns.fits("inside_{n0}/again", "inside_12/again")
    assert not patterns.fits("inside_{n0}/again", "inside_x/again")
