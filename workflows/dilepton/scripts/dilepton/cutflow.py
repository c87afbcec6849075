"""How many events are left after each step of the selection."""

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Step:
    """One line of a cutflow; each step's events are among those of the step before."""

    name: str
    events: int
    sum_of_weights: float
    sum_of_weights_squared: float


class Cutflow:
    """Adds up steps over chunks."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """Take the names of the steps from the first on."""
        self._names = names
        self._events = np.zeros(len(names), dtype=np.int64)
        self._sums = np.zeros(len(names))
        self._squares = np.zeros(len(names))

    def add(self, weights: NDArray[np.float64], *passed: NDArray[np.bool_]) -> None:
        """Count one chunk: (events,) weights and, for each step, (events,) who passed it."""
        for number, mask in enumerate(passed):
            self._events[number] += int(mask.sum())
            self._sums[number] = _added(self._sums[number], weights[mask])
            self._squares[number] = _added(self._squares[number], weights[mask] ** 2)

    def steps(self) -> tuple[Step, ...]:
        """The lines."""
        return tuple(
            Step(name, int(events), float(total), float(squares))
            for name, events, total, squares in zip(
                self._names, self._events, self._sums, self._squares, strict=True
            )
        )

    def to_json(self) -> str:
        """A JSON list of the lines."""
        return json.dumps([asdict(step) for step in self.steps()], allow_nan=False)


def _added(total: float, values: NDArray[np.float64]) -> float:
    """The sum in the order of the events, whatever the chunks: floating-point addition is not associative."""
    return float(np.cumsum(np.concatenate([[total], values]))[-1])
