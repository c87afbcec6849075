"""Workflows of every kind for property tests, as hypothesis strategies."""

import dataclasses
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from relance.languages import model
from relance.languages.model import Origin

NOWHERE = Origin("", 1)
QUERIES = ("init", "one", "two[*]", "*.x", "a.b[0].c", "init|one", "'quoted'.x")
TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
KEYS = st.one_of(NAMES, TEXT).filter(lambda key: key not in {"$ref", "expression_type"})
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=3)
SELECTORS = st.builds(
    model.Selector,
    st.sampled_from(QUERIES),
    st.none() | st.sampled_from(("out", "a.b", "files[0]", "*")),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
EXPRESSIONS = st.one_of(
    SELECTORS, st.builds(model.FromValue, NAMES, st.none() | st.sampled_from(("one[0]", "two")))
)
IMAGES = (("library/busybox", "1.36"), ("registry.example:5000/a/b", "latest"), ("a@sha256:" + "1" * 64, ""))
CONTAINERS = st.builds(
    lambda image, *more: model.Container(*image, *more),
    st.sampled_from(IMAGES),
    st.lists(
        st.sampled_from(("CVMFS", "GRIDProxy", "kerberos: True", "kubernetes_uid: 500, compute_backend: x")),
        max_size=2,
    ).map(tuple),
    st.sampled_from(("", "/home/user/setup.sh")),
    st.none() | TEXT.filter(bool),
    st.lists(st.builds(model.Mount, st.just("/tmp/par.json"), TEXT), max_size=2).map(tuple),  # noqa: S108
)
PUBLISHERS = st.one_of(
    st.builds(model.FromParameters, OBJECTS),
    st.builds(model.Interpolated, JSON, st.booleans(), st.booleans()),
    st.builds(model.FromJq, TEXT, st.booleans(), st.booleans(), st.booleans()),
    st.builds(model.FromYaml, TEXT),
    st.builds(model.FromGlob, TEXT, NAMES),
    st.builds(model.Constant, JSON),
)
STEPS = st.builds(
    model.Step,
    st.one_of(st.none(), st.builds(model.Command, TEXT), st.builds(model.Script, TEXT, NAMES)),
    st.one_of(st.none(), st.just(model.Local()), CONTAINERS),
    PUBLISHERS,
    st.just(NOWHERE),
)


@st.composite
def stages(draw: st.DrawFn, name: str, workflows: st.SearchStrategy[model.Workflow] | None) -> model.Stage:
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    literals = st.builds(model.Literal, JSON)
    parameters = tuple(model.Parameter(one, draw(st.one_of(literals, EXPRESSIONS))) for one in names)
    kinds = [st.just(model.Single()), st.builds(model.Scripted, OBJECTS, TEXT, TEXT)]
    if names:
        scattered = st.lists(st.sampled_from(names), min_size=1, max_size=2).map(tuple)
        sizes = st.sampled_from(((None, None), (2, None), (None, 3)))
        kinds.append(
            st.builds(lambda a, b, c: model.Scatter(a, b, *c), scattered, st.booleans(), sizes)  # type: ignore[arg-type]
        )
    schedule: Any = draw(st.one_of(kinds))
    bodies = [st.builds(model.Case, step=STEPS)]
    if workflows is not None:
        bodies.append(st.builds(model.Case, workflow=workflows))
    body = st.one_of(bodies)
    cased = st.builds(lambda case, text: dataclasses.replace(case, condition=text), body, TEXT)
    return model.Stage(
        name=name,
        dependencies=draw(
            st.one_of(
                st.builds(model.Ready, st.lists(st.sampled_from(QUERIES), max_size=2).map(tuple)),
                st.builds(model.Fulfilled, st.lists(EXPRESSIONS, max_size=2).map(tuple)),
            )
        ),
        schedule=schedule,
        parameters=() if isinstance(schedule, model.Scripted) else parameters,
        cases=draw(st.one_of(st.tuples(body), st.lists(cased, min_size=1, max_size=2).map(tuple))),
        origin=NOWHERE,
        registered=draw(st.dictionaries(NAMES, EXPRESSIONS, max_size=2)),
        relative=draw(st.booleans()),
        discover=draw(st.booleans()),
    )


@st.composite
def workflows(draw: st.DrawFn, depth: int = 1) -> model.Workflow:
    """Any workflow that yadage's language can say, nested to a depth."""
    inner = workflows(depth - 1) if depth else None
    names = draw(st.lists(NAMES.filter(lambda name: name != "init"), min_size=1, max_size=3, unique=True))
    stems = {name.rpartition("_")[0] for name in names if name.rpartition("_")[2].isdigit()}
    return model.Workflow(tuple(draw(stages(name, inner)) for name in names if name not in stems))


def without_origins(value: Any) -> Any:
    """Return a workflow that doesn't tell where it was written."""
    if isinstance(value, Origin):
        return NOWHERE
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {one.name: without_origins(getattr(value, one.name)) for one in dataclasses.fields(value)}
        return dataclasses.replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(map(without_origins, value))
    return value


def own(folder: Path) -> list[str]:
    """Return the names of the workflows of yadage that the tests have."""
    return sorted(
        path.stem
        for path in folder.glob("*.yml")
        if path.stem != "inner" and not path.stem.endswith(".input")
    )
