"""Records that lack steps are no records to capture."""

import pytest
from tests.unit.capture.test_jobs import job, record

from relance.capture import recorded
from relance.errors import InputError


def test_what_a_step_made_that_is_not_recorded_is_no_raw_input() -> None:
    ran = record(job("count", ("results/parts/1.txt", "data/seed.txt"), ("results/count.txt",)))
    with pytest.raises(InputError, match="those that made 'results/parts', which were restored before"):
        recorded.refuse_without_makers(ran, {"results/parts", "results/count.txt"})


def test_raw_inputs_and_products_of_recorded_steps_are_as_they_should_be() -> None:
    split = job("split", ("data/seed.txt",), ("results/parts",))
    ran = record(split, job("count", ("results/parts/1.txt",), ("results/count.txt",)))
    recorded.refuse_without_makers(ran, {"results/parts", "results/count.txt"})
    recorded.refuse_without_makers(ran, ())
