"""What is generated, shown and kept, with policies whose distribution is known."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from listening import TINY
from seqtutor.controls import Amount, Choice, chosen
from seqtutor.errors import UserError
from seqtutor.listen.command import Options, run
from seqtutor.listen.requests import wish_of
from seqtutor.listen.session import Session
from seqtutor.web import listening


def wished(session, **content):
    return wish_of(TINY, session.sources, content)


def test_the_runs_come_with_their_prior(session):
    assert [one.title for one in session.sources] == ["Ψ", "G", "prior"]
    assert all(one.reward is not None for one in session.sources)
    assert session.sources[0].lengths == (6, 12)


def test_samples_follow_the_policy_at_any_temperature(session):
    """The first token's frequencies are those of the tempered softmax of the model's logits."""
    import jax
    import jax.numpy as jnp

    source = session.sources[0]
    model = source.policy.model
    _, logits = model.step(model.initial_state(1, 1), jnp.array([model.begin]))
    for temperature in (0.7, 2.0):
        expected = np.asarray(jax.nn.softmax(logits[0] / temperature))
        counts = Counter(
            int(token)
            for seed in range(60)
            for token in source.sequences(length=6, temperature=temperature, seed=seed).tokens[:, 0]
        )
        found = np.array([counts[token] for token in range(5)]) / counts.total()
        error = np.sqrt(expected * (1 - expected) / counts.total())
        assert np.all(np.abs(found - expected) < 4 * error + 1e-9)


def test_a_primer_of_any_length_is_gone_on_with_and_a_longer_sequence_begins_alike(session):
    for primer in ([], ["1"], ["2", "0", "3"]):
        short = session.generate(wished(session, primer=primer, number=8, seed=3))
        long = session.generate(wished(session, primer=primer, number=8, seed=3, length=12))
        for one, other in zip(short, long, strict=True):
            assert list(one.sample.tokens[: len(primer)]) == primer
            assert one.sample.primed == len(primer)
            assert other.sample.tokens[: len(one.sample.tokens)] == one.sample.tokens
        assert all(one.has_reward for one in short)
        is_short = max(len(one.sample.tokens) for one in long) <= 6
        assert long[0].has_reward == is_short, "the reward is one of six steps"


def test_the_reward_on_a_card_is_that_of_the_task(session):
    source = session.sources[0]
    (shown,) = session.generate(wished(session, seed=4))
    ids = source.vocabulary.encode(shown.sample.tokens)
    tokens = np.full((1, 6), source.vocabulary.end)
    tokens[0, : len(ids)] = ids
    mask = np.arange(6)[None] < len(ids)
    reward = float(TINY.usual_task().reward(tokens, mask).total.sum())
    sign = "+" if reward >= 0 else "−"
    said = f"{sign}{abs(reward):.2f}".removesuffix("0").removesuffix(".0")
    assert f"reward {said}<" in shown.card


def test_the_same_seed_gives_the_same_samples(session):
    first, again = (session.generate(wished(session, seed=9, number=3)) for _ in range(2))
    assert [one.sample.tokens for one in first] == [one.sample.tokens for one in again]
    assert len({one.sample.id for one in (*first, *again)}) == 6


def test_favourites_last_and_are_shown_again(session, client):
    (sample,) = client.post("/api/samples", json={"seed": 11}).json()["samples"]
    assert client.post("/api/favourites", json={"id": sample["id"]}).status_code == 200
    other = Session(TINY, session.sources, session.favourites)
    again = other.favourite(sample["id"])
    assert list(again.sample.tokens) == sample["tokens"]
    assert again.card == sample["card"]
    assert client.get(f"/api/favourites/{sample['id']}").json()["card"] == sample["card"]
    listed = client.get("/api/favourites").json()["favourites"]
    assert [one["id"] for one in listed] == [sample["id"]]
    client.delete(f"/api/favourites/{sample['id']}")
    assert client.get("/api/favourites").json()["favourites"] == []


def test_a_pair_is_blind_until_one_is_preferred(client):
    orders = []
    # Sides are drawn from the system's randomness: 40 pairs all lie one way once in 2^39 runs.
    while len(orders) < 8 or (len(set(orders)) == 1 and len(orders) < 40):
        seed = len(orders)
        asked = {"source": "Ψ", "other": "G", "seed": seed}
        pair = client.post("/api/pairs", json=asked).json()
        text = json.dumps(pair, ensure_ascii=False)
        assert not any(word in text for word in ("Ψ", "G ", "psi", "reward", "/g"))
        told = client.post(f"/api/pairs/{pair['id']}", json={"choice": "A"}).json()
        orders.append(tuple(one["source"] for one in told["samples"]))
        assert all("reward" in one["card"] for one in told["samples"])
        assert [one["tokens"] for one in told["samples"]] == [
            client.post("/api/samples", json={"source": one["source"], "seed": seed}).json()[
                "samples"
            ][0]["tokens"]
            for one in told["samples"]
        ], "each is what its policy writes with this seed"
        assert client.post(f"/api/pairs/{pair['id']}", json={"choice": "B"}).status_code == 404
    assert set(orders) == {("Ψ", "G"), ("G", "Ψ")}
    assert sum(told["counts"].values()) == len(orders)
    assert told["counts"]["neither"] == 0


def test_a_taken_port_and_a_missing_run_are_said_alone(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    options = Options((str(tmp_path / "run"),), port=0, favourites=tmp_path / "favourites.json")
    with listening("127.0.0.1", 0) as taken, pytest.raises(UserError, match="cannot listen on"):
        run(TINY, replace(options, port=taken.getsockname()[1]))
    with pytest.raises(UserError, match=str(tmp_path / "run")):
        run(TINY, options)
    assert capsys.readouterr() == ("", "")


def test_a_judgement_that_cannot_be_written_is_given_again(session, client):
    pair = client.post("/api/pairs", json={"source": "Ψ", "other": "G", "seed": 99}).json()
    path = session.favourites.path
    before = session.favourites.read()
    aside = path.rename(path.with_suffix(".aside"))
    path.mkdir()
    refused = client.post(f"/api/pairs/{pair['id']}", json={"choice": "A"})
    path.rmdir()
    aside.rename(path)
    assert refused.status_code == 400
    assert session.favourites.read() == before
    assert client.post(f"/api/pairs/{pair['id']}", json={"choice": "A"}).status_code == 200
    assert len(session.favourites.read().preferences) == len(before.preferences) + 1


def test_a_policy_is_not_compared_with_itself(client):
    answer = client.post("/api/pairs", json={"source": "Ψ", "other": "Ψ"})
    assert (answer.status_code, "two different" in answer.json()["error"]) == (400, True)


def test_a_typed_and_a_given_primer_are_the_same(client):
    typed = client.post("/api/opening", json={"source": "Ψ", "text": "013"}).json()
    given = client.post("/api/file?source=Ψ&name=words.txt", content=b"013\n22\n").json()
    assert typed == given == {"tokens": ["0", "1", "3"], "how": {}, "notes": [], "offers": {}}
    none = client.post("/api/file?source=Ψ&name=words.txt", content=b"019\n")
    assert none.status_code == 400
    assert "the file" in none.json()["error"]
    assert "/tmp" not in none.json()["error"]


def test_what_is_chosen_is_checked():
    controls = [Choice("key", "Key", ("C", "D"), "C"), Amount("tempo", "Tempo", 40, 240, 1, 120)]
    assert chosen(controls, {}) == {"key": "C", "tempo": 120.0}
    assert chosen(controls, {"key": "D", "tempo": 40}) == {"key": "D", "tempo": 40.0}
    for wrong in ({"key": "E"}, {"tempo": 10**400}, {"tempo": float("nan")}, {"tempo": True}):
        with pytest.raises(UserError):
            chosen(controls, wrong)
    with pytest.raises(UserError, match="nothing is called 'x' here"):
        chosen(controls, {"x": 1})
