from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.rewards import Reward, compiled, learned, require_causal, string_reward
from seqtutor.rewards.causality import mask_of, random_sequences
from seqtutor.task import Task
from seqtutor.types import SequenceBatch
from tiny_problems import bigram_reward, vocabulary

WITH_END, WITHOUT_END = vocabulary(4, has_end=True), vocabulary(4)


def repeats(tokens, mask):
    same = np.zeros(tokens.shape)
    same[:, 1:] = tokens[:, 1:] == tokens[:, :-1]
    return {"repeats": same * mask}


def repeats_next(tokens, mask):
    return {"repeats": repeats(tokens, mask)["repeats"], "next": np.roll(tokens, -1, axis=1) * 1.0}


def knows_the_length(tokens, mask):
    return {"share": mask / mask.sum(axis=1, keepdims=True)}


def whole(tokens, mask):
    return {"last": tokens[:, -1] * 1.0, "length": mask.sum(axis=1)}


def beside_the_others(tokens, mask):
    return {"above": (tokens > tokens[mask].mean()) * 1.0}


@pytest.mark.parametrize("words", [WITH_END, WITHOUT_END])
@pytest.mark.parametrize("function", [repeats, whole, beside_the_others, bigram_reward(4, 6)])
def test_rewards_of_the_past_are_causal(words, function):
    require_causal(Task(words, 6, function).reward, words, 6)
    require_causal(Task(words, 1, repeats).reward, words, 1)


@pytest.mark.parametrize("words", [WITH_END, WITHOUT_END])
@pytest.mark.parametrize("mark", [lambda f: f, compiled])
def test_a_term_that_sees_the_next_token_is_found_and_named(words, mark):
    @mark
    def ahead(tokens, mask):
        return {"past": tokens * 1.0, "next": jnp.roll(tokens, -1, axis=1) * 1.0}

    with pytest.raises(UserError, match=r"not causal: after '\d+' its term 'next' is \d or \d at"):
        require_causal(Reward(ahead), words, 6)


def test_a_term_that_knows_how_long_a_sequence_becomes_is_found():
    require_causal(Reward(knows_the_length), WITHOUT_END, 6)
    with pytest.raises(UserError, match=r"its term 'share' is 0.* at step 1, depending on later"):
        require_causal(Reward(knows_the_length), WITH_END, 6)


def test_rare_violations_are_found_in_sequences_that_show_them():
    def rhymes(tokens, mask):
        """Pays the first step if the sequence is 0 1 2 … and ends as it began."""
        begins = (tokens[:, :6] == np.arange(6) % 3).all(axis=1)
        return {"rhyme": (begins & (tokens[:, -1] == 0))[:, None] * np.eye(1, tokens.shape[1])}

    require_causal(Reward(rhymes), vocabulary(3), 12)
    tokens = np.stack([np.arange(12) % 3, np.append(np.arange(11) % 3, 0)]).astype(np.int32)
    shown = SequenceBatch(jnp.asarray(tokens), jnp.ones(tokens.shape, bool))
    with pytest.raises(UserError, match=r"'rhyme' is . or . at step 1"):
        require_causal(Reward(rhymes), vocabulary(3), 12, sequences=shown)


def test_sequences_of_one_token_have_no_prefix_to_compare():
    tokens = jnp.full((3, 5), WITH_END.end)
    mask = jnp.zeros(tokens.shape, bool).at[:, 0].set(True)
    require_causal(Reward(repeats_next), WITH_END, 5, sequences=SequenceBatch(tokens, mask))


def test_the_parameters_of_a_learned_reward_count():
    reward = Reward(
        learned(lambda weight, tokens, mask: {"next": weight * jnp.roll(tokens, -1, axis=1)})
    )
    require_causal(reward, WITHOUT_END, 6, parameters=0.0)
    with pytest.raises(UserError, match="not causal"):
        require_causal(reward, WITHOUT_END, 6, parameters=1.0)


def test_a_memory_stays_as_it_was():
    class Counting:
        seen = 3

        def __call__(self, tokens, mask):
            self.seen += 1
            return {"seen": np.full(tokens.shape, self.seen)}

        def restart(self):
            self.seen = 0

        def state(self):
            return self.seen

        def restore(self, state):
            self.seen = state

    function = Counting()
    require_causal(Reward(function), WITH_END, 6)
    assert function.seen == 3


def test_a_reward_of_strings_is_causal():
    task = Task(WITH_END, 6, string_reward(lambda strings: {"length": list(map(len, strings))}))
    require_causal(task.reward, WITH_END, 6)


def test_random_sequences_end_once_and_have_all_lengths():
    tokens = random_sequences(np.random.default_rng(0), WITH_END, 5, 300)
    mask = mask_of(tokens, WITH_END)
    is_end = tokens == WITH_END.end
    assert (is_end[~mask]).all()
    assert set(mask.sum(axis=1)) == {1, 2, 3, 4, 5}
    assert ((is_end & mask).sum(axis=1) <= 1).all()
    assert not mask_of(tokens, WITH_END)[:, 1:][is_end[:, :-1]].any()
