"""What products and results together say of a rerun."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from relance.capsule import results as captured
from relance.capsule.model import Capsule
from relance.compare.model import Tier
from relance.errors import InputError
from relance.results import Bands, Result, ResultFile, Results, validation
from relance.results.model import SIGMAS
from relance.results.reading import placed
from relance.specification.model import Case, Reference, ResultType, Visibility
from relance.verify.model import ReportedProduct, ReportedResult, Verdict

_Values = tuple[float | None, ...]


def of_both(capsule: Capsule, before: Results, now: Results) -> tuple[ReportedResult, ...]:
    """Compare the numbers of two runs; results that are files are compared as products.

    The tolerance is that of the validation case whose configuration the captured run had; without one, only
    equal numbers agree.
    """
    references = _references(capsule)
    found = []
    for name, result in before.items():
        if isinstance(result.value, ResultFile) or result.type is ResultType.FILE:
            continue
        reference = references.get(name)
        a, b = _values(result), _values(now[name])
        allowed = 0.0
        if reference is not None and a and a[len(a) // 2] is not None:
            allowed = max((reference.relative or 0.0) * abs(a[len(a) // 2] or 0.0), reference.absolute or 0.0)
        reported = ReportedResult(
            name,
            result.unit or "1",
            agrees=len(a) == len(b) and all(map(_Within(allowed), a, b)),
            expected=a,
            found=b,
            tolerance=allowed,
            equal=a == b,
            because=reference.because if reference is not None else "",
        )
        found.append(_told(reported, result))
    return tuple(found)


def with_references(results: Results, case: Case) -> tuple[ReportedResult, ...]:
    """Compare the numbers of a run with those that a validation case declares."""
    found = []
    for judged in validation.judged(results, case):
        reported = ReportedResult(
            judged.name,
            judged.unit or "1",
            agrees=judged.agrees,
            expected=(judged.reference.value,),
            found=(judged.found,),
            tolerance=judged.reference.tolerance,
            equal=judged.found == judged.reference.value,
            because=judged.reference.because,
        )
        found.append(_told(reported, results[judged.name]))
    return tuple(found)


def by_results(
    capsule: Capsule, products: Sequence[ReportedProduct], results: Sequence[ReportedResult]
) -> tuple[ReportedProduct, ...]:
    """Let a product that differs pass where all results agree and it is no final product by itself.

    A final product is what the run was asked for, or a file that is a result. A file that only holds numbers
    that are results is judged by these.
    """
    if not results or not all(result.agrees for result in results):
        return tuple(products)
    numbers = set(_files(capsule, (ResultType.NUMBER, ResultType.BANDS)))
    whole = {*capsule.run.targets, *_files(capsule, (ResultType.FILE,))} - numbers

    def judged(product: ReportedProduct) -> ReportedProduct:
        final = any(product.path == path or product.path.startswith(f"{path}/") for path in whole)
        if final or product.tier not in {Tier.DIFFERENT, Tier.UNDECIDED}:
            return product
        return replace(product, tier=Tier.RESULT)

    return tuple(map(judged, products))


def verdict(products: Iterable[ReportedProduct], results: Iterable[ReportedResult]) -> Verdict:
    """Return what a rerun that ran to its end showed."""
    tiers = {product.tier for product in products}
    if not all(result.agrees for result in results) or not all(
        tier.agrees or tier is Tier.UNDECIDED for tier in tiers
    ):
        return Verdict.DIFFERS
    if Tier.UNDECIDED in tiers:
        return Verdict.UNDECIDED
    exact = all(result.equal for result in results)
    if exact and not tiers & {Tier.TOLERANCE, Tier.RESULT}:
        return Verdict.REPRODUCED
    return Verdict.WITHIN


class _Within:
    """Whether two numbers, or the lack of both, agree."""

    def __init__(self, allowed: float) -> None:
        self._allowed = allowed

    def __call__(self, a: float | None, b: float | None) -> bool:
        if a is None or b is None:
            return a is b
        return a == b or abs(a - b) <= self._allowed


def _told(reported: ReportedResult, result: Result) -> ReportedResult:
    if result.visibility is not Visibility.BLINDED:
        return reported
    return replace(reported, expected=(), found=(), tolerance=0.0, remark="blinded: its values are not told")


def _values(result: Result) -> _Values:
    if isinstance(result.value, Bands):
        return tuple(getattr(result.value, sigma) for sigma in SIGMAS)
    return (result.value,) if isinstance(result.value, float) or result.value is None else ()


def _references(capsule: Capsule) -> dict[str, Reference]:
    """Return the references of the case whose configuration the captured run had."""
    files = capsule.run.configuration_files
    had = {file.path for file in files} if not isinstance(files, str) else set()
    for case in capsule.specification.validation.values():
        if (case.configuration or capsule.specification.workflow.configuration) in had:
            return dict(case.expected)
    return {}


def _files(capsule: Capsule, kinds: tuple[ResultType, ...]) -> Iterator[str]:
    """Yield where results of these types stand."""
    configuration = captured.configuration(capsule)
    for name, result in capsule.specification.interface.results.items():
        if result.type in kinds:
            with suppress(InputError):  # reading the results tells
                yield placed(result.file, configuration, f"result '{name}'")
