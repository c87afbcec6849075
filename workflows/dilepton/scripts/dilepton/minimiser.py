"""Minimisation that checks itself: two starts, MINUIT where they disagree, pyhf's own value at the end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyhf
from iminuit import Minuit
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from dilepton.errors import AnalysisError
from dilepton.likelihood import Derivatives, Likelihood, auxiliary

CONVERGED = 1e-9  # estimated distance to the minimum, in units of −ln L
SAME = 1e-5  # values of −ln L that count as the same minimum
STEPS = 200


class FitError(AnalysisError):
    """No minimum was found, or two ways to find it disagree."""


@dataclass(frozen=True)
class Problem:
    """Data, where parameters may go, and which are held; arrays have shape (parameters,)."""

    observed: np.ndarray
    auxiliary: np.ndarray
    low: np.ndarray
    high: np.ndarray
    fixed: np.ndarray

    def key(self, start: np.ndarray) -> bytes:
        """Equal for equal problems with equal values of the fixed parameters."""
        held = np.where(self.fixed, start, 0.0)
        return b"".join(
            a.tobytes() for a in (self.observed, self.auxiliary, self.low, self.high, self.fixed, held)
        )


@dataclass(frozen=True)
class Minimum:
    """A point (parameters,), −ln L there up to a constant, and the estimated distance to the true minimum."""

    point: np.ndarray
    value: float
    distance: float
    steps: int

    @property
    def converged(self) -> bool:
        """Whether the estimated distance is small enough."""
        return self.distance < CONVERGED


@dataclass
class Record:
    """What the minimisations of one program met, for its report."""

    fits: int = 0
    largest_distance: float = 0.0
    starts_that_differed: int = 0
    by_minuit: int = 0


def descend(likelihood: Likelihood, problem: Problem, start: np.ndarray) -> Minimum:
    """Go down from `start` by Newton steps in the box, at most `STEPS` of them."""
    point = np.where(problem.fixed, start, np.clip(start, problem.low, problem.high))
    arguments = (problem.observed, problem.auxiliary)
    here = likelihood.derivatives(point, *arguments)
    damping, distance, step = 0.0, np.inf, 0
    for step in range(STEPS):  # noqa: B007
        stuck = ((point <= problem.low) & (here.gradient > 0)) | (
            (point >= problem.high) & (here.gradient < 0)
        )
        free = np.flatnonzero(~(problem.fixed | stuck))
        direction = _newton(here, free, damping)
        distance = float(-(here.gradient[free] @ direction)) / 2
        if distance < CONVERGED and damping == 0.0:
            break
        moved = _line_search(likelihood, problem, (point, here), (free, direction))
        if moved is None:
            if damping > 1e3 or distance < 1e2 * CONVERGED:
                break
            damping = max(10 * damping, 1e-3)
            continue
        damping = 0.0
        point = moved
        here = likelihood.derivatives(point, *arguments)
    return Minimum(point, here.value, distance, step)


def _newton(here: Derivatives, free: np.ndarray, damping: float) -> np.ndarray:
    """Step to the minimum of the parabola; of its positive part where it bends down."""
    gradient = here.gradient[free]
    for matrix in (here.hessian, here.positive_part):
        part = matrix[np.ix_(free, free)]
        scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(part)), 1e-12))
        part = part * scale * scale[:, None]
        part[np.diag_indices_from(part)] += damping
        try:
            return -scale * cho_solve(cho_factor(part), gradient * scale)
        except LinAlgError:
            continue
    return -scale * scale * gradient


def _line_search(
    likelihood: Likelihood,
    problem: Problem,
    start: tuple[np.ndarray, Derivatives],
    way: tuple[np.ndarray, np.ndarray],
) -> np.ndarray | None:
    point, here = start
    free, direction = way
    length = 1.0
    for _ in range(30):
        trial = np.array(point)
        trial[free] = np.clip(point[free] + length * direction, problem.low[free], problem.high[free])
        reached = likelihood.value(trial, problem.observed, problem.auxiliary)
        promised = 1e-4 * (here.gradient @ (trial - point))
        if reached <= here.value + promised + 1e-12 * abs(here.value):
            return trial
        length /= 2
    return None


def by_minuit(likelihood: Likelihood, problem: Problem, start: np.ndarray) -> Minimum:
    """Minimise the same function with MINUIT's MIGRAD and the exact gradient."""
    arguments = (problem.observed, problem.auxiliary)

    def value(point: np.ndarray) -> float:
        found = likelihood.value(np.asarray(point), *arguments)
        return found if np.isfinite(found) else 1e30

    def slope(point: np.ndarray) -> np.ndarray:
        return likelihood.derivatives(np.asarray(point), *arguments).gradient

    inside = np.where(problem.fixed, start, np.clip(start, problem.low, problem.high))
    minuit = Minuit(value, inside, grad=slope)
    minuit.errordef = Minuit.LIKELIHOOD
    minuit.strategy = 0
    minuit.tol = 1e-3
    minuit.limits = list(zip(problem.low, problem.high, strict=True))
    minuit.fixed = list(problem.fixed)
    minuit.migrad()
    distance = float(minuit.fmin.edm) if minuit.valid else np.inf
    return Minimum(np.array(minuit.values), float(minuit.fval), distance, int(minuit.nfcn))


@dataclass
class CheckedOptimizer:
    """An optimizer for pyhf, whose fits and tests use it after `pyhf.set_backend("numpy", optimizer)`.

    Every minimum is sought from two starts (pyhf's, and the last minimum found) and by MINUIT where these
    disagree or do not converge. pyhf's own likelihood is evaluated at the result and must agree. Equal
    problems are solved once.
    """

    likelihood: Likelihood
    record: Record = field(default_factory=Record)
    name: str = "checked"
    _known: dict[bytes, Minimum] = field(default_factory=dict)
    _last: np.ndarray | None = None
    _offset: dict[bytes, float] = field(default_factory=dict)

    def minimum(self, problem: Problem, start: np.ndarray) -> Minimum:
        """Find the minimum of one problem.

        Raises:
            FitError: neither the Newton steps nor MINUIT converge.
        """
        key = problem.key(start)
        if key not in self._known:
            self._known[key] = self._searched(problem, start)
        return self._known[key]

    def _searched(self, problem: Problem, start: np.ndarray) -> Minimum:
        starts = [start]
        if self._last is not None:
            starts.append(np.where(problem.fixed, start, self._last))
        else:
            starts.append(np.where(problem.fixed, start, _beside(problem, start, self.likelihood)))
        found = [descend(self.likelihood, problem, s) for s in starts]
        differ = abs(found[0].value - found[1].value) > SAME
        self.record.starts_that_differed += differ
        if differ or not all(m.converged for m in found):
            self.record.by_minuit += 1
            lowest = min(found, key=lambda m: m.value).point
            for place in (start, lowest):
                found.append(by_minuit(self.likelihood, problem, place))
                found.append(descend(self.likelihood, problem, found[-1].point))
        best = min((m for m in found if np.isfinite(m.value)), key=lambda m: m.value, default=found[0])
        distance = min((m.distance for m in found if abs(m.value - best.value) < SAME), default=np.inf)
        if not distance < SAME:
            raise FitError(
                "the fit does not converge: expected a minimum within "
                f"{SAME} of −ln L, found a distance of {distance:.2g} after Newton steps and MINUIT; "
                "look for bins without background and for variations larger than their process"
            )
        self.record.fits += 1
        self.record.largest_distance = max(self.record.largest_distance, distance)
        self._last = best.point
        return Minimum(best.point, best.value, distance, sum(m.steps for m in found))

    def minimize(  # noqa: PLR0917 (pyhf calls it so)
        self,
        objective: Callable[..., Any],
        data: Sequence[float],
        pdf: pyhf.Model,
        init_pars: Sequence[float],
        par_bounds: Sequence[tuple[float, float]],
        fixed_vals: Sequence[tuple[int, float]] | None = None,
        return_fitted_val: bool = False,
        **_options: object,
    ) -> Any:
        """Minimise pyhf's objective; the signature is that of pyhf's optimizers.

        Raises:
            FitError: no convergence, or pyhf's likelihood differs from the one minimised.
        """
        if pdf is not self.likelihood.model:
            message = "this optimizer belongs to another model"
            raise ValueError(message)
        observed, centres = auxiliary(pdf, data)
        start = np.array(init_pars, dtype=float)
        fixed = np.zeros(len(start), dtype=bool)
        for index, held in fixed_vals or []:
            fixed[index], start[index] = True, held
        low, high = np.array(par_bounds, dtype=float).T
        best = self.minimum(Problem(observed, centres, low, high, fixed), start)
        value = float(objective(best.point, data, pdf)[0])
        self._compare(observed, centres, value - 2 * best.value)
        return (best.point, np.float64(value)) if return_fitted_val else best.point

    def _compare(self, observed: np.ndarray, centres: np.ndarray, offset: float) -> None:
        """Two likelihoods of the same data may differ by a constant alone."""
        known = self._offset.setdefault(observed.tobytes() + centres.tobytes(), offset)
        if abs(known - offset) > 1e-6 * max(1.0, abs(known)):
            raise FitError(
                f"pyhf's −2 ln L differs from the one minimised: expected an offset of {known}, found "
                f"{offset}; this is a defect of the analysis, please report it with workspace.json"
            )


def _beside(problem: Problem, start: np.ndarray, likelihood: Likelihood) -> np.ndarray:
    """A second start, a third of a standard deviation away, to and fro."""
    widths = likelihood.constraints.widths
    width = np.where(np.isfinite(widths), widths, 0.3 * np.maximum(np.abs(start), 0.1))
    sides = np.where(np.arange(len(start)) % 2, -1.0, 1.0)
    return np.clip(start + sides * width / 3, problem.low, problem.high)
