"""The tutor: a plan, carried out by compiled programs.

A call of `Tutor.advance` runs many iterations on the device, as one program. Python only sees the
records in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.base import SequenceModel
from seqtutor.models.product import ProductModel
from seqtutor.training.iteration import MOST_AT_ONCE, evaluate_policy, iterate
from seqtutor.training.metrics import HostMetrics, Metrics
from seqtutor.training.plan import TutorPlan, TutorState
from seqtutor.training.sharding import copied, gathered, placed

_advance = jax.jit(iterate, static_argnums=0, donate_argnums=3)
_evaluate_policy = jax.jit(evaluate_policy, static_argnums=0)


def in_calls(
    program: Callable[[TutorState, int], tuple[TutorState, Metrics]],
    state: TutorState,
    iterations: int,
) -> tuple[TutorState, HostMetrics]:
    """Call a compiled `iterate`, of one state or of a batch, as often as so many iterations take.

    The last axis of each metric has the iterations made.
    """
    parts = []
    for start in range(0, iterations, MOST_AT_ONCE):
        number = min(iterations - start, MOST_AT_ONCE)
        state, metrics = program(state, number)
        parts.append({name: rows[..., :number] for name, rows in jax.device_get(metrics).items()})
    return state, jax.tree.map(lambda *rows: np.concatenate(rows, axis=-1), *parts)


@dataclass(frozen=True)
class Tutor(TutorPlan):
    """A plan that can be carried out.

    Tutors of one task whose settings differ in the seed, the records or the guards alone share one
    compiled program, whatever their priors' weights and the parameters of a learned reward.
    """

    def advance(self, state: TutorState, iterations: int) -> tuple[TutorState, HostMetrics]:
        """Run some iterations; each metric comes back as one number an iteration, on the host.

        The given state's memory is used up.
        """
        fixed = (self.prior, self.reward_parameters)
        if self.devices > 1:
            fixed, state = placed(fixed, self.devices), self.placed(state)
        return in_calls(partial(_advance, self.compiled_part(), *fixed), state, iterations)

    def evaluate_policy(
        self, network: ActionValueNetwork, key: PRNGKeyArray, iteration: Int[Array, ""]
    ) -> Metrics:
        """What one more collection measures of the policy after so many iterations."""
        fixed = self.prior
        if self.devices > 1:
            fixed = placed(fixed, self.devices)
        return _evaluate_policy(self.compiled_part(), fixed, network, key, iteration)

    def policy(self, network: ActionValueNetwork) -> SequenceModel:
        """The tuned policy as a sequence model that stands alone, on one device."""
        if self.devices > 1:
            network = copied(network, self.devices)
        if self.method.logits_start == "zero" or self.is_residual:
            return ProductModel(self.prior, network.model)
        return network.model

    def whole(self, state: TutorState) -> TutorState:
        """The state with every array where this process can read all of it."""
        if self.devices == 1:
            return state
        stored = gathered(state.replay.stored, self.devices)
        return eqx.tree_at(lambda s: s.replay.stored, state, stored)

    def placed(self, state: TutorState) -> TutorState:
        """The state with the replay's sequences split among the devices, all else on each."""
        stored = placed(state.replay.stored, self.devices, is_split=True)
        rest = placed(eqx.tree_at(lambda s: s.replay.stored, state, None), self.devices)
        return eqx.tree_at(lambda s: s.replay.stored, rest, stored, is_leaf=lambda x: x is None)

    def compiled_part(self) -> Tutor:
        """The tutor without those settings that its compiled program does not depend on."""
        return replace(
            self,
            reward_parameters=None,
            settings=replace(
                self.settings,
                seed=0,
                log_every=1,
                stop_at_kl=None,
                stop_on_collapse=False,
                collapse_entropy=0.0,
                collapse_distinct=0.0,
            ),
        )
