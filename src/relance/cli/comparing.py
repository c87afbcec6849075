"""How comparisons of files are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from relance.compare.model import Comparison, Difference, Tier
from relance.verify.model import ReportedProduct

_SILENT = {Tier.BYTES, Tier.CONTENT}


def counted(tiers: Iterable[Tier]) -> str:
    """Return how many files reached each tier: `40 bytes, 2 content`."""
    numbers = Counter(tiers)
    return ", ".join(f"{numbers[tier]} {tier}" for tier in Tier if numbers[tier]) or "none"


def lines(files: Sequence[Comparison | ReportedProduct]) -> Iterator[str]:
    """Yield a line for each file that isn't the same by bytes or content, and what was seen of it."""
    width = max((len(file.path) for file in files if file.tier not in _SILENT), default=0)
    for file in files:
        if file.tier in _SILENT:
            continue
        kind = f" ({file.kind})" if file.kind != "bytes" else ""
        yield f"  {file.path:{width}}  {file.tier}{kind}"
        for difference in file.differences:
            yield f"      {_told(difference)}"
        if file.more:
            yield f"      and {file.more} more"
        for remark in file.remarks:
            yield f"      {remark}"


def _told(difference: Difference) -> str:
    where = f"{difference.where}: " if difference.where else ""
    return f"{where}{difference.expected} → {difference.found}"
