"""A pyhf model's expected events with their exact derivatives, so that a fit takes milliseconds.

The statistical model is pyhf's: parameters, bins, constraints and their order are read from a `pyhf.Model`.
This module only evaluates it faster, and knows its derivatives; a disagreement with pyhf is an error (see
`minimiser`).

Source of the interpolations: K. Cranmer et al., HistFactory, CERN-OPEN-2012-016; pyhf's codes 4 and 4p.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyhf

INTERPOLATION = {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
SCALAR = {"lumi", "normfactor"}
BINWISE = {"staterror", "shapefactor"}
TINY = 1e-12


@dataclass(frozen=True)
class Constraints:
    """Width of each parameter's Gaussian constraint, shape (parameters,); infinite where it has none."""

    widths: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Inverse variances, shape (parameters,), 0 for a free parameter."""
        return 1.0 / self.widths**2


class Likelihood:
    """Negative logarithm of a HistFactory likelihood, up to a constant that depends on the data alone.

    Raises:
        ValueError: the model has a modifier other than normfactor, shapefactor, lumi, normsys, histosys and
            staterror.
    """

    def __init__(self, model: pyhf.Model) -> None:
        config = model.config
        self.model = model
        self.bins = sum(config.channel_nbins.values())
        self.parameters = config.npars
        self.constraints = Constraints(_widths(model))
        names = config.par_names
        if callable(names):
            names = names()
        self.names: list[str] = list(names)
        self._samples = {name: number for number, name in enumerate(config.samples)}
        shape = (len(self._samples), self.bins)
        self._nominal = np.zeros(shape)
        self._compile(shape)

    def _compile(self, shape: tuple[int, int]) -> None:
        config = self.model.config
        linear: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        factors: list[tuple[int, float, float, np.ndarray]] = []
        layers: list[np.ndarray] = []
        for channel in self.model.spec["channels"]:
            where = config.channel_slices[channel["name"]]
            for sample in channel["samples"]:
                row = self._samples[sample["name"]]
                nominal = np.asarray(sample["data"], dtype=float)
                self._nominal[row, where] = nominal
                depth = 0
                for modifier in sample["modifiers"]:
                    kind, name, data = modifier["type"], modifier["name"], modifier["data"]
                    start = config.par_slice(name).start
                    if kind == "histosys":
                        up, down = linear.setdefault(start, (np.zeros(shape), np.zeros(shape)))
                        up[row, where] = np.asarray(data["hi_data"]) - nominal
                        down[row, where] = nominal - np.asarray(data["lo_data"])
                    elif kind == "normsys":
                        cells = np.zeros(shape, dtype=bool)
                        cells[row, where] = True
                        factors.append((start, data["hi"], data["lo"], cells))
                    elif kind in SCALAR | BINWISE:
                        if depth == len(layers):
                            layers.append(np.full(shape, self.parameters))
                        width = where.stop - where.start
                        layers[depth][row, where] = start + (
                            np.zeros(width, dtype=int) if kind in SCALAR else np.arange(width)
                        )
                        depth += 1
                    else:
                        message = f"modifier '{name}' of type '{kind}' is not known here"
                        raise ValueError(message)
        self._linear = np.array(sorted(linear), dtype=int)
        ups = np.array([linear[p][0] for p in self._linear]).reshape(len(self._linear), *shape)
        downs = np.array([linear[p][1] for p in self._linear]).reshape(len(self._linear), *shape)
        self._odd, self._even = (ups + downs) / 2, (ups - downs) / 16
        self._factor_parameters = np.array([f[0] for f in factors], dtype=int)
        self._log_up = np.log([f[1] for f in factors])
        self._log_down = np.log([f[2] for f in factors])
        self._polynomials = _polynomials(self._log_up, self._log_down)
        self._cells = np.array([f[3] for f in factors], dtype=float).reshape(
            len(factors), shape[0] * shape[1]
        )
        self._layers = np.array(layers, dtype=int).reshape(len(layers), *shape)
        flat = self._layers.reshape(len(layers), shape[0] * shape[1])
        number, cell = np.nonzero(flat < self.parameters)
        self._direct_parameters, self._direct_cells = flat[number, cell], cell
        self._is_direct = np.isin(np.arange(self.parameters), self._direct_parameters)

    def expected(self, point: np.ndarray) -> np.ndarray:
        """Expected events in every bin, shape (bins,), of parameters of shape (parameters,)."""
        return self.by_sample(point).sum(axis=0)

    def by_sample(self, point: np.ndarray) -> np.ndarray:
        """Expected events of every sample, in the order of pyhf's `config.samples`, shape (samples, bins)."""
        additive, scale = self._additive(point), self._scale(point)
        return additive * scale

    def jacobian(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected events (bins,) and their derivatives (bins, parameters)."""
        cells = self._slopes(point)
        return self._bin_sums(cells.events[None])[0], self._bin_sums(cells.first).T

    def cell_jacobian(self, point: np.ndarray) -> np.ndarray:
        """Derivatives of every sample's events, shape (parameters, samples, bins)."""
        return self._slopes(point).first.reshape(self.parameters, len(self._samples), self.bins)

    def value(self, point: np.ndarray, observed: np.ndarray, auxiliary: np.ndarray) -> float:
        """Give −ln L; infinite where events are observed and none expected.

        `observed` has shape (bins,), `auxiliary` (parameters,): centres of the constraints.
        """
        return self._value(self.expected(point), point, observed, auxiliary)

    def derivatives(self, point: np.ndarray, observed: np.ndarray, auxiliary: np.ndarray) -> "Derivatives":
        """Give −ln L with its exact first and second derivatives."""
        cells = self._slopes(point)
        expected, first = self._bin_sums(cells.events[None])[0], self._bin_sums(cells.first)
        safe = np.maximum(expected, TINY)
        excess = 1 - observed / safe
        weights = self.constraints.weights
        positive = (first * (observed / safe**2)) @ first.T
        positive[np.diag_indices_from(positive)] += weights
        return Derivatives(
            self._value(expected, point, observed, auxiliary),
            first @ excess + weights * (point - auxiliary),
            positive + self._bent(point, cells, np.tile(excess, len(self._samples))),
            positive,
        )

    def _value(
        self, expected: np.ndarray, point: np.ndarray, observed: np.ndarray, auxiliary: np.ndarray
    ) -> float:
        if (expected < 0).any() or ((expected == 0) & (observed > 0)).any():
            return float("inf")
        seen = observed > 0
        poisson = expected.sum() - (observed[seen] * np.log(expected[seen])).sum()
        pulls = (point - auxiliary) ** 2 * self.constraints.weights
        return float(poisson + pulls.sum() / 2)

    def _additive(self, point: np.ndarray) -> np.ndarray:
        alpha = point[self._linear]
        return self._nominal + np.tensordot(alpha, self._odd, 1) + np.tensordot(_even(alpha), self._even, 1)

    def _scale(self, point: np.ndarray) -> np.ndarray:
        values = self._interpolated(point[self._factor_parameters])[0]
        factors = np.exp(np.log(values) @ self._cells).reshape(self._nominal.shape)
        return factors * np.append(point, 1.0)[self._layers].prod(axis=0)

    def _slopes(self, point: np.ndarray) -> "_Cells":
        # A factor of zero would hide its own slope; next to zero it has the same one.
        near = np.where(self._is_direct & (np.abs(point) < TINY), TINY, point)
        scale = self._scale(near).reshape(-1)
        events = self._additive(near).reshape(-1) * scale
        relative = np.zeros((self.parameters, len(events)))
        np.add.at(
            relative,
            self._factor_parameters,
            self._interpolated(near[self._factor_parameters])[1][:, None] * self._cells,
        )
        relative[self._direct_parameters, self._direct_cells] += 1 / near[self._direct_parameters]
        absolute = np.zeros_like(relative)
        change = self._odd + _even_slope(near[self._linear])[:, None, None] * self._even
        absolute[self._linear] = change.reshape(len(self._linear), len(events)) * scale
        return _Cells(events, scale, relative, absolute, relative * events + absolute)

    def _bent(self, point: np.ndarray, cells: "_Cells", excess: np.ndarray) -> np.ndarray:
        """Second derivatives of the yields, weighted by `excess` (cells,) and summed."""
        weighted = cells.events * excess
        half = cells.relative * (weighted / 2) + cells.absolute * excess
        total = half @ cells.relative.T
        total += total.T
        diagonal = np.zeros(self.parameters)
        even = self._even.reshape(len(self._linear), len(excess)) @ (cells.scale * excess)
        diagonal[self._linear] += _even_bend(point[self._linear]) * even
        _, slopes, bends = self._interpolated(point[self._factor_parameters])
        np.add.at(diagonal, self._factor_parameters, (bends - slopes**2) * (self._cells @ weighted))
        near = np.where(np.abs(point) < TINY, TINY, point)[self._direct_parameters]
        np.add.at(diagonal, self._direct_parameters, -weighted[self._direct_cells] / near**2)
        total[np.diag_indices_from(total)] += diagonal
        return total

    def _bin_sums(self, cells: np.ndarray) -> np.ndarray:
        return cells.reshape(len(cells), len(self._samples), self.bins).sum(axis=1)

    def _interpolated(self, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each normsys factor, and its first and second derivatives over itself."""
        order = np.arange(1, 7)[:, None]
        powers = np.ones((7, len(alpha)))
        powers[1:] = np.cumprod(np.broadcast_to(alpha, (6, len(alpha))), axis=0)
        inside = 1 + (self._polynomials * powers[1:]).sum(axis=0)
        slope = (self._polynomials * order * powers[:6]).sum(axis=0) / inside
        bend = (self._polynomials * order * (order - 1))[1:] * powers[:5]
        bend = bend.sum(axis=0) / inside
        log = np.where(alpha > 0, self._log_up, self._log_down)
        is_out = np.abs(alpha) >= 1
        return (
            np.where(is_out, np.exp(np.abs(alpha) * log), inside),
            np.where(is_out, np.sign(alpha) * log, slope),
            np.where(is_out, log**2, bend),
        )


@dataclass(frozen=True)
class Derivatives:
    """−ln L, its gradient (parameters,), its Hessian, and the part of that which is never negative."""

    value: float
    gradient: np.ndarray
    hessian: np.ndarray
    positive_part: np.ndarray


@dataclass(frozen=True)
class _Cells:
    """Per (sample, bin), flattened: events, their factors, and derivatives of shape (parameters, cells).

    `relative` are those of the logarithms of the factors, `absolute` those of the summed variations.
    """

    events: np.ndarray
    scale: np.ndarray
    relative: np.ndarray
    absolute: np.ndarray
    first: np.ndarray


def auxiliary(model: pyhf.Model, data: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Split pyhf's data into observed events (bins,) and constraint centres (parameters,)."""
    bins = sum(model.config.channel_nbins.values())
    values = np.asarray(data, dtype=float)
    centres = np.zeros(model.config.npars)
    position = bins
    for name in model.config.auxdata_order:
        where = model.config.par_slice(name)
        width = where.stop - where.start
        centres[where] = values[position : position + width]
        position += width
    return values[:bins], centres


def _widths(model: pyhf.Model) -> np.ndarray:
    widths = np.full(model.config.npars, np.inf)
    for name in model.config.par_order:
        parameter = model.config.param_set(name)
        if not parameter.constrained:
            continue
        if parameter.pdf_type != "normal":
            message = f"parameter '{name}': a constraint of type '{parameter.pdf_type}' is not known here"
            raise ValueError(message)
        widths[model.config.par_slice(name)] = parameter.width()
    return widths


def _even(alpha: np.ndarray) -> np.ndarray:
    square = alpha**2
    return np.where(np.abs(alpha) > 1, 8 * np.abs(alpha), square * (15 + square * (3 * square - 10)))


def _even_slope(alpha: np.ndarray) -> np.ndarray:
    square = alpha**2
    return np.where(np.abs(alpha) > 1, 8 * np.sign(alpha), alpha * (30 + square * (18 * square - 40)))


def _even_bend(alpha: np.ndarray) -> np.ndarray:
    square = alpha**2
    return np.where(np.abs(alpha) > 1, 0.0, 30 + square * (90 * square - 120))


def _polynomials(log_up: np.ndarray, log_down: np.ndarray) -> np.ndarray:
    """Coefficients of alpha¹…alpha⁶, shape (6, factors), that join exponentials smoothly at ±1."""
    power = np.arange(1, 7)
    sign = (-1.0) ** power
    conditions = np.array(
        [
            np.ones(6),
            sign,
            power,
            -power * sign,
            power * (power - 1),
            power * (power - 1) * sign,
        ],
        dtype=float,
    )
    up, down = np.exp(log_up), np.exp(log_down)
    wanted = np.array([up - 1, down - 1, up * log_up, -down * log_down, up * log_up**2, down * log_down**2])
    return np.linalg.solve(conditions, wanted.reshape(6, -1))
