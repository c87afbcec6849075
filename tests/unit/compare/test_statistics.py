import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from relance.compare.statistics import chi_square, survival


@given(value=st.floats(1e-6, 1e4), freedom=st.integers(1, 2000))
@settings(max_examples=300, deadline=None)
def test_the_p_value_is_that_of_the_chi_square_distribution(value: float, freedom: int) -> None:
    assert survival(value, freedom) == pytest.approx(chi2.sf(value, freedom), rel=1e-9, abs=1e-13)


def test_each_bin_with_an_uncertainty_is_a_degree_of_freedom() -> None:
    found = chi_square([10.0, 4.0, 0.0], [10.0, 4.0, 0.0], [13.0, 4.0, 0.0], [6.0, 4.0, 0.0])
    assert (found.value, found.bins) == (9 / 16, 2)
    assert found.p_value == pytest.approx(math.exp(-9 / 32))


def test_a_bin_without_uncertainty_must_be_equal() -> None:
    assert chi_square([1.0, 0.0], [1.0, 0.0], [1.0, 1e-9], [1.0, 0.0]).p_value == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_never_agrees(value: float) -> None:
    assert chi_square([1.0], [1.0], [value], [1.0]).p_value == 0.0


def test_samples_of_one_expectation_have_evenly_spread_p_values() -> None:
    import numpy as np

    random = np.random.default_rng(5)
    found = []
    for _ in range(2000):
        a, b = random.poisson(400.0, (2, 20)).astype(float)
        found.append(chi_square(a, a, b, b).p_value)
    assert np.mean(np.array(found) < 0.1) == pytest.approx(0.1, abs=0.03)
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)
