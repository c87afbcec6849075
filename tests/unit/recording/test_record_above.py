"""Jobs above a restored checkpoint belong to the record though the run's graph has them no more."""

from typing import Any

from relance.recording.above import completed
from relance.recording.sources import Graph


def job(rule: str, inputs: list[str], outputs: list[str], *, checkpoint: bool = False) -> dict[str, Any]:
    return {"rule": rule, "input": inputs, "output": outputs, "checkpoint": checkpoint}


def graph(*jobs: dict[str, Any]) -> Graph:
    return Graph(jobs, "Snakefile", (), {}, ())


GENERATE = job("generate", ["data/seed"], ["results/events"])
SPLIT = job("split", ["results/events"], ["results/parts"], checkpoint=True)
UNDONE = job("total", ["<TBD>"], ["results/total"])
COUNT = job("count", ["results/parts/1"], ["results/count/1"])
TOTAL = job("total", ["results/count/1"], ["results/total"])
OTHER = job("other", [], ["results/other"])


def rules(found: Graph) -> list[str]:
    return [one["rule"] for one in found.jobs]


def test_what_is_above_a_checkpoint_comes_from_an_earlier_reading() -> None:
    found = completed(graph(COUNT, TOTAL), [graph(GENERATE, SPLIT, UNDONE, OTHER), graph(COUNT, TOTAL)])
    assert rules(found) == ["count", "total", "generate", "split"]
    assert found.jobs[1] == TOTAL


def test_a_checkpoint_whose_results_no_job_names_counts_too() -> None:
    found = completed(graph(TOTAL), [graph(GENERATE, SPLIT, UNDONE)])
    assert rules(found) == ["total", "generate", "split"]


def test_a_graph_that_has_all_stays_as_it_is() -> None:
    whole = graph(GENERATE, SPLIT, COUNT, TOTAL)
    assert completed(whole, [whole]) == completed(whole, []) == whole
