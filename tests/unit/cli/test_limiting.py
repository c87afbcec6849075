import pytest

from relance.cli import limiting
from relance.engines.limits import BOUNDLESS, Limits
from relance.errors import InputError


def test_limits_are_read_with_their_units_and_the_last_counts() -> None:
    given = ["time=90min", "memory=1.5 GB", "disk=none", "processes=500", "time=2h"]
    assert limiting.read(given) == Limits(7200.0, 1_500_000_000, BOUNDLESS, 500)
    assert limiting.read([]) == Limits()


@pytest.mark.parametrize(
    "text", ["", "time", "time=", "time=2", "time=-1h", "time=nan h", "memory=8", "cpu=1", "processes=1e99"]
)
def test_what_is_no_limit_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="write it as in"):
        limiting.read([text])
