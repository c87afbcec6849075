"""What the fit measures: background-only parameters, signal strength, discovery, CLs and upper limits.

Tests are pyhf's asymptotic ones (G. Cowan et al., arXiv:1007.1727); limits are at a level of CLs
(A. Read, J. Phys. G 28 (2002) 2693).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyhf
from scipy.optimize import brentq
from scipy.stats import chi2, norm

from dilepton.likelihood import INTERPOLATION, Likelihood, auxiliary
from dilepton.minimiser import CheckedOptimizer, FitError, Minimum, Problem, Record, by_minuit
from dilepton.regions import FitSettings
from dilepton.workspace import Json

BANDS = (-2, -1, 0, 1, 2)
SCAN_POINTS = 16
LIMIT_PRECISION = 1e-4


@dataclass(frozen=True)
class Parameter:
    """A fitted parameter. `prior` is the centre and width of its constraint, None where it is free.

    `uncertainty` is None where the parameter is held or rests on a bound.
    """

    name: str
    value: float
    uncertainty: float | None
    prior: tuple[float, float] | None
    held: bool

    @property
    def pull(self) -> float | None:
        """Distance to the constraint's centre in units of its width."""
        return None if self.prior is None or self.held else (self.value - self.prior[0]) / self.prior[1]


@dataclass(frozen=True)
class Fit:
    """A minimum with its parameters and their covariance, (parameters, parameters), zero for held ones."""

    parameters: tuple[Parameter, ...]
    point: np.ndarray
    covariance: np.ndarray
    strength: Parameter
    minuit_difference: float

    def correlation(self) -> np.ndarray:
        """Correlations, shape (parameters, parameters); zero for held parameters."""
        width = np.sqrt(np.diag(self.covariance))
        safe = np.where(width > 0, width, 1.0)
        return self.covariance / safe / safe[:, None]


@dataclass(frozen=True)
class Goodness:
    """Likelihood ratio to the model that describes every bin exactly, and its asymptotic p-value."""

    statistic: float
    degrees_of_freedom: int
    p_value: float


@dataclass(frozen=True)
class Tested:
    """CLs of one signal strength: observed, and expected without signal at −2σ … +2σ."""

    strength: float
    observed: float
    expected: tuple[float, ...]


@dataclass(frozen=True)
class Limits:
    """Upper limits on the signal strength; None where CLs stays above the level within the declared range."""

    level: float
    observed: float | None
    expected: tuple[float | None, ...]


@dataclass(frozen=True)
class Discovery:
    """Probability of the background alone to look at least as signal-like, and its one-sided significance.

    The expected values are those of the median experiment with the predicted signal.
    """

    p_value: float
    significance: float
    expected_p_value: float
    expected_significance: float


@dataclass(frozen=True)
class Inference:
    """All results of the fit."""

    background: Fit
    free: Fit
    goodness: Goodness
    discovery: Discovery
    at_prediction: Tested
    limits: Limits
    scan: tuple[Tested, ...]
    record: Record


@dataclass(frozen=True)
class Statistical:
    """A pyhf model with its data and the optimizer that pyhf uses for it."""

    model: pyhf.Model
    data: list[float]
    likelihood: Likelihood
    optimizer: CheckedOptimizer = field(repr=False)

    @classmethod
    def of(cls, workspace: Json) -> "Statistical":
        """Build the model of a workspace, with its optimizer."""
        opened = pyhf.Workspace(workspace)
        model = opened.model(modifier_settings=INTERPOLATION)
        likelihood = Likelihood(model)
        return cls(model, opened.data(model), likelihood, CheckedOptimizer(likelihood))

    def observing(self, counts: Mapping[str, np.ndarray]) -> "Statistical":
        """Give the same model with other data, without building it again; `counts` by region, (bins,)."""
        data = [float(value) for name in self.model.config.channels for value in counts[name]]
        return Statistical(
            self.model,
            data + list(self.model.config.auxdata),
            self.likelihood,
            CheckedOptimizer(self.likelihood),
        )


def infer(statistical: Statistical, settings: FitSettings) -> Inference:
    """Run all fits and tests.

    Raises:
        FitError: a fit does not converge.
    """
    background = background_only(statistical)
    free = with_signal(statistical)
    tester = _Tester(statistical, settings)
    limits = _limits(tester, settings, _guess(statistical, background))
    p_value, expected = _p_values(statistical)
    return Inference(
        background,
        free,
        goodness(statistical, background),
        Discovery(p_value, _significance(p_value), expected, _significance(expected)),
        tester(1.0) if settings.strength_high >= 1 else tester(settings.strength_high),
        limits,
        _scan(tester, limits, settings),
        statistical.optimizer.record,
    )


def background_only(statistical: Statistical) -> Fit:
    """Fit with the signal strength held at zero.

    Raises:
        FitError: no convergence.
    """
    return _fit(statistical, strength=0.0)


def with_signal(statistical: Statistical) -> Fit:
    """Fit with a free signal strength.

    Raises:
        FitError: no convergence.
    """
    return _fit(statistical, strength=None)


def upper_limits(statistical: Statistical, settings: FitSettings) -> Limits:
    """Find the limits alone.

    Raises:
        FitError: no convergence.
    """
    guess = _guess(statistical, background_only(statistical))
    return _limits(_Tester(statistical, settings), settings, guess)


def _problem(statistical: Statistical, strength: float | None) -> tuple[Problem, np.ndarray]:
    config = statistical.model.config
    observed, centres = auxiliary(statistical.model, statistical.data)
    low, high = np.array(config.suggested_bounds(), dtype=float).T
    start = np.array(config.suggested_init(), dtype=float)
    fixed = np.array(config.suggested_fixed(), dtype=bool)
    if strength is not None:
        fixed[config.poi_index], start[config.poi_index] = True, strength
    return Problem(observed, centres, low, high, fixed), start


def _fit(statistical: Statistical, strength: float | None) -> Fit:
    problem, start = _problem(statistical, strength)
    best = statistical.optimizer.minimum(problem, start)
    other = by_minuit(statistical.likelihood, problem, start)
    difference = other.value - best.value
    if difference < -1e-3:
        raise FitError(
            f"MINUIT finds a better minimum than the fit: expected the same −ln L, found {difference:.3g}; "
            "the likelihood has several minima, look at workspace.json"
        )
    covariance = _covariance(statistical.likelihood, problem, best)
    parameters = tuple(
        _parameter(statistical.likelihood, problem, best, covariance, number)
        for number in range(len(best.point))
    )
    return Fit(parameters, best.point, covariance, parameters[statistical.model.config.poi_index], difference)


def _covariance(likelihood: Likelihood, problem: Problem, best: Minimum) -> np.ndarray:
    hessian = likelihood.derivatives(best.point, problem.observed, problem.auxiliary).hessian
    inside = (best.point > problem.low) & (best.point < problem.high)
    free = np.flatnonzero(~problem.fixed & inside)
    covariance = np.zeros_like(hessian)
    part = hessian[np.ix_(free, free)]
    try:
        inverse = np.linalg.inv(part)
    except np.linalg.LinAlgError:
        inverse = np.full_like(part, np.nan)
    if not (np.diag(inverse) > 0).all():
        weak = likelihood.names[free[int(np.argmin(np.diag(part)))]]
        raise FitError(
            f"the fit's uncertainties can't be computed: expected every parameter to be known, found that "
            f"the data say nothing about '{weak}'; give it a constraint, or a region that measures it"
        )
    covariance[np.ix_(free, free)] = inverse
    return covariance


def _parameter(
    likelihood: Likelihood, problem: Problem, best: Minimum, covariance: np.ndarray, number: int
) -> Parameter:
    width = likelihood.constraints.widths[number]
    prior = (float(problem.auxiliary[number]), float(width)) if math.isfinite(width) else None
    variance = float(covariance[number, number])
    return Parameter(
        likelihood.names[number],
        float(best.point[number]),
        math.sqrt(variance) if variance > 0 else None,
        prior,
        bool(problem.fixed[number]),
    )


def goodness(statistical: Statistical, fit: Fit) -> Goodness:
    """Compare a background-only fit with the data it was made from."""
    problem, _ = _problem(statistical, 0.0)
    observed = problem.observed
    seen = observed > 0
    perfect = observed.sum() - (observed[seen] * np.log(observed[seen])).sum()
    value = statistical.likelihood.value(fit.point, observed, problem.auxiliary)
    unconstrained = sum(p.prior is None and not p.held for p in fit.parameters)
    degrees = max(len(observed) - unconstrained, 1)
    statistic = max(2 * (value - float(perfect)), 0.0)
    return Goodness(statistic, degrees, float(chi2.sf(statistic, degrees)))


def _p_values(statistical: Statistical) -> tuple[float, float]:
    found, expected = pyhf.infer.hypotest(
        0.0, statistical.data, statistical.model, test_stat="q0", return_expected=True
    )
    return float(found), float(expected)


def _significance(p_value: float) -> float:
    return max(float(norm.isf(p_value)), 0.0) if p_value > 0 else float(norm.isf(1e-300))


class _Tester:
    """CLs of a signal strength, each computed once."""

    def __init__(self, statistical: Statistical, settings: FitSettings) -> None:
        pyhf.set_backend("numpy", statistical.optimizer)
        self._statistical = statistical
        self._settings = settings
        self.known: dict[float, Tested] = {}

    def __call__(self, strength: float) -> Tested:
        if strength not in self.known:
            observed, expected = pyhf.infer.hypotest(
                strength,
                self._statistical.data,
                self._statistical.model,
                test_stat=self._settings.test_statistic,
                return_expected_set=True,
            )
            self.known[strength] = Tested(strength, float(observed), tuple(float(e) for e in expected))
        return self.known[strength]


def _guess(statistical: Statistical, background: Fit) -> float:
    """Twice the expected uncertainty of the strength: near its upper limit."""
    problem, _ = _problem(statistical, None)
    hessian = statistical.likelihood.derivatives(
        background.point,
        statistical.likelihood.expected(background.point),
        background.point,
    ).positive_part
    free = np.flatnonzero(~problem.fixed)
    index = int(np.flatnonzero(free == statistical.model.config.poi_index)[0])
    try:
        variance = float(np.linalg.inv(hessian[np.ix_(free, free)])[index, index])
    except np.linalg.LinAlgError:
        variance = 1.0
    return 2 * math.sqrt(variance) if math.isfinite(variance) and variance > 0 else 1.0


def _limits(tester: _Tester, settings: FitSettings, guess: float) -> Limits:
    level = 1 - settings.confidence_level
    curves: list[Callable[[Tested], float]] = [
        lambda tested, number=number: tested.expected[number] for number in range(len(BANDS))
    ]
    start = min(max(guess, 1e-6), settings.strength_high)
    expected = tuple(_crossing(tester, curve, level, start, settings.strength_high) for curve in curves)
    observed = _crossing(tester, lambda tested: tested.observed, level, start, settings.strength_high)
    return Limits(settings.confidence_level, observed, expected)


def _crossing(
    tester: _Tester, curve: Callable[[Tested], float], level: float, start: float, highest: float
) -> float | None:
    """Strength at which a curve of CLs falls to `level`, or None if it does not up to `highest`."""

    def excess(strength: float) -> float:
        return math.log(max(curve(tester(strength)), 1e-300) / level)

    low = high = start
    if not tester.known:
        tester(start)
    above = [s for s in tester.known if excess(s) > 0]
    below = [s for s in tester.known if excess(s) <= 0]
    low = max((s for s in above if not below or s < max(below)), default=start)
    high = min((s for s in below if s > low), default=min(below, default=start))
    while excess(low) <= 0:
        low /= 2
        if low < 1e-12:
            return low
    while excess(high) > 0:
        if high >= highest:
            return None
        low, high = high, min(2 * high, highest)
    return float(brentq(excess, low, high, xtol=LIMIT_PRECISION * low, rtol=LIMIT_PRECISION))


def _scan(tester: _Tester, limits: Limits, settings: FitSettings) -> tuple[Tested, ...]:
    known = [limit for limit in (limits.observed, *limits.expected) if limit is not None]
    top = min(1.25 * max(known, default=settings.strength_high), settings.strength_high)
    for number in range(1, SCAN_POINTS + 1):
        tester(top * number / SCAN_POINTS)
    return tuple(tested for strength, tested in sorted(tester.known.items()) if strength <= top)


@dataclass(frozen=True)
class Prediction:
    """One region before or after the fit of the background; arrays have shape (bins,)."""

    region: str
    by_process: Mapping[str, np.ndarray]
    total: np.ndarray
    uncertainty: np.ndarray
    total_events: float
    total_events_uncertainty: float
    process_events_uncertainty: Mapping[str, float]


@dataclass(frozen=True)
class Predictions:
    """All regions before and after the fit, and the signal at its predicted cross-section."""

    before: tuple[Prediction, ...]
    after: tuple[Prediction, ...]
    signal: Mapping[str, np.ndarray]


def predict(everywhere: Json, fit: Fit, fitted: Statistical, signal: str) -> Predictions:
    """Carry a background-only fit over to all regions, the validation regions too.

    Parameters that only an unfitted region has keep their prior value and width.
    """
    model = pyhf.Workspace(everywhere).model(modifier_settings=INTERPOLATION, validate=False)
    likelihood = Likelihood(model)
    start = np.array(model.config.suggested_init(), dtype=float)
    widths = np.where(np.isfinite(likelihood.constraints.widths), likelihood.constraints.widths, 0.0)
    widths[np.array(model.config.suggested_fixed(), dtype=bool)] = 0.0
    with_signal = likelihood.by_sample(start)
    start[model.config.poi_index] = 0.0
    after, covariance = start.copy(), np.diag(widths**2)
    here, there = _shared(model, fitted.model)
    after[here] = fit.point[there]
    covariance[np.ix_(here, here)] = fit.covariance[np.ix_(there, there)]
    signals = {}
    if signal in model.config.samples:
        row = model.config.samples.index(signal)
        signals = {name: with_signal[row, where] for name, where in model.config.channel_slices.items()}
    return Predictions(
        _predicted(likelihood, start, np.diag(widths**2), signal),
        _predicted(likelihood, after, covariance, signal),
        signals,
    )


def _shared(model: pyhf.Model, fitted: pyhf.Model) -> tuple[np.ndarray, np.ndarray]:
    here: list[int] = []
    there: list[int] = []
    for name in fitted.config.par_order:
        here += range(*model.config.par_slice(name).indices(model.config.npars))
        there += range(*fitted.config.par_slice(name).indices(fitted.config.npars))
    return np.array(here), np.array(there)


def _predicted(
    likelihood: Likelihood, point: np.ndarray, covariance: np.ndarray, signal: str
) -> tuple[Prediction, ...]:
    cells = likelihood.by_sample(point)
    slopes = likelihood.cell_jacobian(point)
    found = []
    config = likelihood.model.config
    rows = {name: number for number, name in enumerate(config.samples) if name != signal}
    for region, where in config.channel_slices.items():
        by_process = {name: cells[row, where] for name, row in rows.items() if cells[row, where].any()}
        local = slopes[:, :, where]
        bins = local.sum(axis=1)
        uncertainty = np.sqrt(np.einsum("pb,pq,qb->b", bins, covariance, bins))
        found.append(
            Prediction(
                region,
                by_process,
                cells[:, where].sum(axis=0),
                uncertainty,
                float(cells[:, where].sum()),
                _width(bins.sum(axis=1), covariance),
                {name: _width(local[:, rows[name]].sum(axis=1), covariance) for name in by_process},
            )
        )
    return tuple(found)


def _width(slope: np.ndarray, covariance: np.ndarray) -> float:
    return math.sqrt(max(float(slope @ covariance @ slope), 0.0))


def by_region(predictions: Sequence[Prediction]) -> dict[str, Prediction]:
    """Predictions by the name of their region."""
    return {p.region: p for p in predictions}
