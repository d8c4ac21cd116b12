"""What a person keeps is whole, bounded, and never written over."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtutor.errors import UserError
from seqtutor.listen import favourites as module
from seqtutor.listen.favourites import Favourites, Kept, Preference, Sample

SAMPLE = Sample(
    id="a", title="Ψ 1", source="Ψ", folder="runs/psi", tokens=("C4", "hold"), how={"tempo": 90.0}
)


@settings(max_examples=15)
@given(
    st.lists(
        st.builds(
            Sample,
            id=st.uuids().map(str),
            title=st.text(st.characters(exclude_categories=["Cs"])),
            source=st.text("ab"),
            folder=st.just("f"),
            tokens=st.lists(st.text("xyz", min_size=1), min_size=3).map(tuple),
            primed=st.integers(0, 3),
            seed=st.integers(0, 2**31 - 1),
            temperature=st.floats(0.05, 5),
            how=st.dictionaries(st.text("kt"), st.floats(0, 1) | st.text("ab")),
            when=st.floats(0, 2e9),
        ),
        max_size=3,
        unique_by=lambda one: one.id,
    )
)
def test_what_is_kept_is_read_again(tmp_path_factory, samples):
    store = Favourites(tmp_path_factory.mktemp("kept") / "new" / "melody.json")
    for one in samples:
        store.keep(one)
    assert Favourites(store.path).read() == Kept(tuple(samples))


def test_a_favourite_is_kept_once_and_removed(tmp_path):
    store = Favourites(tmp_path / "melody.json")
    store.keep(SAMPLE)
    store.keep(SAMPLE)
    store.keep(replace(SAMPLE, id="b"))
    assert [one.id for one in store.remove("a").favourites] == ["b"]
    assert store.remove("nothing") == store.read()


def test_there_is_an_end_to_what_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_FAVOURITES", 2)
    monkeypatch.setattr(module, "MOST_PREFERENCES", 2)
    store = Favourites(tmp_path / "melody.json")
    for name in "ab":
        store.keep(replace(SAMPLE, id=name))
    with pytest.raises(UserError, match="there are 2 favourites; remove some first"):
        store.keep(replace(SAMPLE, id="c"))
    for name in ("x", "y", None):
        store.prefer(Preference(("x", "y"), name))
    assert store.read().counts(("y", "x")) == {"x": 0, "y": 1, "neither": 1}


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"favourites": 3}', '{"favourites": [{"id": 4}]}', "[" * 100_000, "\xff"],
)
def test_a_damaged_file_is_said_to_be_and_stays(tmp_path, content):
    path = tmp_path / "melody.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match="is damaged; move it away"):
        Favourites(path)
    assert path.read_bytes() == content.encode("latin-1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": float("nan")},
        {"temperature": 0.0},
        {"when": float("inf")},
        {"when": 10**400},
        {"seed": -1},
        {"primed": 3},
        {"tokens": []},
        {"how": {"tempo": float("nan")}},
        {"how": {"tempo": [90]}},
    ],
)
def test_a_value_out_of_its_range_is_damage_and_said_at_once(tmp_path, wrong):
    store = Favourites(tmp_path / "melody.json")
    store.keep(SAMPLE)
    content = json.loads(store.path.read_text("utf-8"))
    content["favourites"][0] |= wrong
    store.path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(UserError, match="is damaged; move it away") as error:
        store.read()
    assert len(str(error.value).splitlines()) == 1


def test_a_preference_for_neither_of_its_pair_is_damage(tmp_path):
    store = Favourites(tmp_path / "melody.json")
    store.prefer(Preference(("x", "y"), "x"))
    text = store.path.read_text("utf-8")
    store.path.write_text(text.replace('"preferred": "x"', '"preferred": "z"'), "utf-8")
    with pytest.raises(UserError, match="is damaged; move it away"):
        store.read()


def test_several_at_once_lose_nothing(tmp_path):
    store = Favourites(tmp_path / "melody.json")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: Favourites(store.path).keep(replace(SAMPLE, id=str(n))), range(12)))
    assert {one.id for one in store.read().favourites} == set(map(str, range(12)))
