"""Who compares what: balance over models, clips, sides and listeners."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.study.design import exchanged, sheets
from seqtutor.study.options import PlanOptions
from seqtutor.study.plan import Comparison

CATCH = Comparison("catch", ("x",), ("y",), -1)
PRACTICE = Comparison("practice", ("p",), ("q",))


def clips_of(models: int, number: int) -> dict[str, list[str]]:
    return {f"m{m}": [f"m{m}-{n}" for n in range(number)] for m in range(models)}


def model(side: tuple[str, ...]) -> str:
    return side[0].partition("-")[0]


@given(
    models=st.integers(2, 5),
    clips=st.integers(1, 7),
    listeners=st.integers(1, 12),
    comparisons=st.integers(1, 15),
    seed=st.integers(0, 5),
)
def test_pairs_sides_and_clips_are_balanced(models, clips, listeners, comparisons, seed):
    names = clips_of(models, clips)
    found = list(sheets(names, listeners, PlanOptions(comparisons=comparisons, seed=seed)))
    assert [len(sheet) for sheet in found] == [comparisons] * listeners
    pairs: Counter[frozenset[str]] = Counter()
    orders: Counter[tuple[str, str]] = Counter()
    for sheet in found:
        own = Counter(frozenset((model(c.left), model(c.right))) for c in sheet)
        counts = [own[frozenset(pair)] for pair in combinations(names, 2)]
        assert max(counts) - min(counts) <= 1
        pairs.update(own)
        orders.update((model(c.left), model(c.right)) for c in sheet)
        heard = Counter(clip for c in sheet for clip in (*c.left, *c.right))
        for each in names.values():
            times = [heard[clip] for clip in each]
            assert max(times) - min(times) <= 1, "a clip came again before the others came"
    counts = [pairs[frozenset(pair)] for pair in combinations(names, 2)]
    assert max(counts) - min(counts) <= 1
    assert all(abs(orders[a, b] - orders[b, a]) <= 1 for a, b in combinations(names, 2))


def test_each_clip_stands_on_both_sides_equally_often():
    names = clips_of(3, 5)
    left: Counter[str] = Counter()
    heard: Counter[str] = Counter()
    for sheet in sheets(names, 30, PlanOptions(seed=0)):
        left.update(c.left[0] for c in sheet)
        heard.update(clip for c in sheet for clip in (*c.left, *c.right))
    assert max(heard.values()) - min(heard.values()) <= 2
    assert all(abs(2 * left[clip] - heard[clip]) <= 4 for clip in heard)


def test_catch_trials_come_between_and_on_both_sides():
    options = PlanOptions(comparisons=12, seed=3)
    found = list(sheets(clips_of(2, 4), 40, options, [PRACTICE], [CATCH, CATCH]))
    places: Counter[int] = Counter()
    signs: Counter[int] = Counter()
    for sheet in found:
        assert sheet[0] == PRACTICE
        assert sheet[1].kind == "comparison"
        own = [place for place, one in enumerate(sheet) if one.kind == "catch"]
        assert len(own) == 2
        assert {sheet[place].expected for place in own} == {-1, 1}
        places.update(own)
        signs[sheet[own[0]].expected] += 1
    assert len(places) > 8, "nobody learns where they come"
    assert signs[1] == signs[-1] == 20
    assert exchanged(exchanged(CATCH)) == CATCH


def test_sets_hold_different_clips():
    options = PlanOptions(form="sets", set_size=4, comparisons=4, seed=0)
    for sheet in sheets(clips_of(2, 6), 5, options):
        for one in sheet:
            assert len(set(one.left)) == len(set(one.right)) == 4


@pytest.mark.parametrize("adaptive", [False, True])
def test_the_same_seed_gives_the_same_plan(adaptive):
    options = [PlanOptions(comparisons=5, adaptive=adaptive, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (
        list(sheets(clips_of(3, 4), 6, one, [PRACTICE], [CATCH])) for one in options
    )
    assert first == again != other
    assert all((not one.left) == adaptive for s in first for one in s if one.kind == "comparison")
