"""What a page can play: runs and models with their rewards, read once and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.measures.sampling import require_room, step_probabilities
from seqtutor.preferences.settings import PreferenceTerm
from seqtutor.rewards import Reward
from seqtutor.rewards.protocols import is_compiled
from seqtutor.runs.evaluating import title_of
from seqtutor.runs.policies import PRIOR, NamedPolicy, distinct_titles
from seqtutor.runs.preferred import opened_task
from seqtutor.settings import require
from seqtutor.task_spec import TaskSpec
from seqtutor.training.rollout import sample
from seqtutor.vocabulary import Vocabulary

MOST_AT_ONCE = 8
"""Sequences of one request; so many are always sampled, so that one program serves all."""
LONGEST = 2048
"""Tokens of a sequence."""
_LENGTHS, _LENGTHS_WITH_END = (0.5, 1, 1.5, 2, 3, 4), (1, 2)
"""The lengths that are offered, as parts of that of training."""

Terms = Mapping[str, Float[np.ndarray, "batch time"]]


@dataclass(frozen=True, eq=False)
class Source:
    """A policy that can be asked for sequences.

    Attributes:
        title: for people; no two sources have the same.
        policy: the model, and what its folder says of it.
        settings: the task's own, of its run.
        reward: what its sequences are rewarded by, if there is a run that says it.
        lengths: that a sequence can have, in tokens, the end token included.
        rewarding: the terms of tokens and mask, as a compiled program where the reward can be one.
    """

    title: str
    policy: NamedPolicy
    settings: Any
    reward: Reward | None
    lengths: tuple[int, ...]
    rewarding: Callable[[Any, Any], Mapping[str, Any]] = field(repr=False)
    left_out: str = ""

    @property
    def vocabulary(self) -> Vocabulary:
        """Of the tokens."""
        return self.policy.saved.vocabulary

    @property
    def usual_length(self) -> int:
        """That of training, where it is offered."""
        return min(self.policy.length, self.lengths[-1])

    @property
    def facts(self) -> dict[str, str]:
        """How it was tuned."""
        config = self.policy.config
        own = self.policy.folder
        folder = {} if own is None else {"folder": str(own)}
        if config is None:
            is_shipped = own in self.policy.spec.priors.values()
            return {"model": "the prior that comes with seqtutor"} if is_shipped else folder
        tutor = config.tutor
        if self.left_out:
            trained = self.policy.spec.describe(config.settings)
            folder |= {"in its training": trained} if trained else {}
            folder |= {"here": self.left_out}
        known = {"method": tutor.method, "c": f"{tutor.c:g}", "discount": f"{tutor.discount:g}"}
        return {**known, "steps": f"{tutor.steps:,}", "seed": f"{tutor.seed}", **folder}

    @property
    def weights(self) -> dict[str, float]:
        """Of the terms of its reward; a term that has none weighs one."""
        return {} if self.reward is None else {n: float(w) for n, w in self.reward.weights.items()}

    def sequences(
        self,
        *,
        length: int,
        temperature: float = 1.0,
        seed: int = 0,
        primer: Sequence[int] = (),
    ) -> Sequences:
        """`MOST_AT_ONCE` sequences; those of one seed begin alike, whatever their length.

        Args:
            length: one of `lengths`.
            temperature: of the sampling, above 0.
            seed: of the sampling.
            primer: ids of the tokens that they begin with, fewer than `length`.
        """
        longest = self.lengths[-1]
        forced = np.zeros((MOST_AT_ONCE, longest), np.int32)
        forced[:, : len(primer)] = primer
        # Arrays, not numbers: each number would be a program of its own.
        drawn = sample(
            self.policy.model,
            jax.random.key(seed),
            MOST_AT_ONCE,
            longest,
            jnp.float32(temperature),
            self.vocabulary.end,
            jnp.asarray(forced),
            jnp.int32(len(primer)),
        )
        tokens, mask = np.asarray(drawn.tokens), np.asarray(drawn.mask)
        return Sequences(tokens[:, :length], mask[:, :length])

    def terms(self, sequences: Sequences) -> dict[str, Float[np.ndarray, "batch time"]]:
        """The weighted terms of each step; empty without a reward.

        A reward may be made for the length of its task alone; of others there is none then.

        Raises:
            UserError: if the reward fails at the length of its task.
        """
        if self.reward is None:
            return {}
        try:
            with self.reward.reporting_failures():
                found = self.rewarding(sequences.tokens, sequences.mask)
        except UserError:
            if sequences.tokens.shape[1] == self.usual_length:
                raise
            return {}
        arrays = {name: np.asarray(term, np.float64) for name, term in found.items()}
        # A compiled program sorts the terms by name.
        ordered = dict.fromkeys([*(n for n in self.reward.weights if n in arrays), *arrays])
        return {name: arrays[name] for name in ordered}

    def probabilities(
        self, tokens: Int[np.ndarray, "batch time"], temperature: float = 1.0
    ) -> Float[np.ndarray, "batch time vocab"]:
        """Of every token at each step of `MOST_AT_ONCE` sequences, sampled at a temperature."""
        found = step_probabilities(self.policy.model, jnp.asarray(tokens), jnp.float32(temperature))
        return np.asarray(found)

    def prepare(self, length: int) -> None:
        """Compile what sequences of a length need; a reward on the host is left alone."""
        sequences = self.sequences(length=length)
        self.probabilities(sequences.tokens)
        if self.reward is not None and is_compiled(self.reward.function):
            self.terms(sequences)


@contextmanager
def open_sources(
    spec: TaskSpec[Any], named: Sequence[NamedPolicy], *, may_run_code: bool = False
) -> Iterator[tuple[list[Source], list[str]]]:
    """Policies, and after them their priors; what they started ends with this.

    Args:
        spec: the task.
        named: of runs or models, each once.
        may_run_code: whether code that the runs' settings name may run.

    Returns:
        The sources, and notes about their rewards.

    Raises:
        UserError: if a prior cannot be read, or a reward cannot be prepared.
    """
    policies = list(named)
    titles = [title_of(spec, one.name) if one.config else one.name for one in policies]
    for policy in list(policies):
        prior = policy.prior()
        if prior.folder not in [one.saved.folder for one in policies]:
            policies.append(policy.as_prior(prior))
            titles.append(title_of(spec, PRIOR))
    titles = distinct_titles(titles, [one.folder for one in policies])
    notes: dict[str, None] = {}
    with ExitStack() as stack:
        rewarded: list[_Rewarded] = []
        for policy in policies:
            if policy.config is None or any(one.fits(policy) for one in rewarded):
                continue
            own = spec.settings_for_evaluation(policy.config.settings)
            note = None
            if not may_run_code:
                own, note = spec.without_code(own, spec.evaluate_type())
                notes |= {} if note is None else {note: None}
            term = policy.config.preference
            task = stack.enter_context(opened_task(spec, own, policy.prior(), 0, term))
            vocabulary = policy.saved.vocabulary
            settings = policy.config.settings
            terms = _terms_of(task.reward)
            made = (settings, term, vocabulary, task.reward, terms, note or "")
            rewarded.append(_Rewarded(*made))
        sources = [
            _source(title, policy, next((one for one in rewarded if one.fits(policy)), None))
            for title, policy in zip(titles, policies, strict=True)
        ]
        yield sources, list(notes)


@dataclass(frozen=True)
class _Rewarded:
    """The reward of runs that share their settings, which is also that of mere models."""

    settings: Any
    preference: PreferenceTerm
    vocabulary: Vocabulary
    reward: Reward
    rewarding: Callable[[Any, Any], Mapping[str, Any]]
    left_out: str

    def fits(self, policy: NamedPolicy) -> bool:
        run = policy.config
        is_same = run is None or (run.settings, run.preference) == (self.settings, self.preference)
        return is_same and policy.saved.vocabulary == self.vocabulary


def _source(title: str, policy: NamedPolicy, own: _Rewarded | None) -> Source:
    lengths = lengths_of(policy)
    if own is None:
        return Source(title, policy, policy.spec.settings_type(), None, lengths, _nothing)
    given = (own.settings, own.reward, lengths, own.rewarding, own.left_out)
    return Source(title, policy, *given)


def _nothing(tokens: Any, mask: Any) -> Mapping[str, Any]:
    return {}


def _terms_of(reward: Reward) -> Callable[[Any, Any], Mapping[str, Any]]:
    def terms(tokens: Int[Any, "batch time"], mask: Bool[Any, "batch time"]) -> Mapping[str, Any]:
        return reward(tokens, mask).terms

    return jax.jit(terms) if is_compiled(reward.function) else terms


def lengths_of(policy: NamedPolicy) -> tuple[int, ...]:
    """The lengths that are offered of a policy's sequences, the shortest first.

    Raises:
        UserError: if they are longer than `LONGEST`, or memory has no room for them.
    """
    require(
        policy.length <= LONGEST,
        f"the sequences of {policy.name} have up to {policy.length:,} tokens; the page writes "
        f"{LONGEST:,} at most",
    )
    has_end = policy.saved.vocabulary.end is not None
    parts = _LENGTHS_WITH_END if has_end else _LENGTHS
    found = {min(LONGEST, max(2, round(part * policy.length))) for part in parts}
    require_room(MOST_AT_ONCE, max(found), policy.saved.vocabulary.size)
    return tuple(sorted(found))


def source_titled(sources: Sequence[Source], title: object) -> Source:
    """The source of a title.

    Raises:
        UserError: if there is none.
    """
    for one in sources:
        if one.title == title:
            return one
    raise UserError(
        f"no policy is called that here; there is {', '.join(s.title for s in sources)}"
    )
