"""Sequences of a policy that is steered at sampling time: best of n, particles, another c."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.measures.controls import RescaledModel, best_of_n
from seqtutor.measures.particles import draw_by_particles
from seqtutor.measures.proposals import Proposal, Twisted, Untwisted
from seqtutor.measures.sampling import Samples, draw, require_room
from seqtutor.methods.registry import method_named
from seqtutor.models.base import SequenceModel
from seqtutor.models.product import ProductModel
from seqtutor.preferences.settings import PreferenceTerm
from seqtutor.runs.policies import NamedPolicy, usual_settings
from seqtutor.runs.preferred import opened_task
from seqtutor.runs.progress import console, progress_bar
from seqtutor.runs.run_folder import RunFolder
from seqtutor.runs.steering_settings import Steering
from seqtutor.runs.value_file import load_network
from seqtutor.settings import require
from seqtutor.task import Task


@dataclass(frozen=True)
class Request:
    """What is to be drawn.

    Attributes:
        number: of sequences.
        length: tokens of the longest.
        temperature: of the sampling.
        seed: of the sampling.
        forced: tokens that each sequence starts with.
    """

    number: int
    length: int
    temperature: float = 1.0
    seed: int = 0
    forced: Int[np.ndarray, "#number forced"] | None = None


def draw_steered(policy: NamedPolicy, steering: Steering, request: Request) -> Samples:
    """Sequences of a policy, steered as asked for; with neither way, of its own distribution.

    Raises:
        UserError: if `c` is missing, or the policy cannot be steered so.
    """
    if steering.smc is not None:
        return _by_particles(policy, steering.smc, steering.c, request)
    model = _at_c(policy, steering.c)
    if steering.best_of is not None:
        return _best_of(policy, model, steering.best_of, request)
    return draw(model, model, end=policy.saved.vocabulary.end, **vars(request))


def model_calls(model: SequenceModel) -> int:
    """How many sequence models run for each token: both factors of a product."""
    if isinstance(model, ProductModel):
        return model_calls(model.prior) + model_calls(model.factor)
    if isinstance(model, RescaledModel):
        return model_calls(model.prior) + model_calls(model.policy)
    return 1


def _at_c(policy: NamedPolicy, c: float | None) -> SequenceModel:
    """The policy, rescaled from the c that it was tuned at."""
    if c is None:
        return policy.model
    if policy.config is None:
        raise UserError(
            "--c takes a run, whose policy is rescaled, or --smc N, which steers any model"
        )
    return RescaledModel(policy.prior().model, policy.model, policy.config.tutor.c / c)


def _best_of(policy: NamedPolicy, model: SequenceModel, size: int, request: Request) -> Samples:
    require_room(size, request.length, policy.saved.vocabulary.size)
    calls = size * model_calls(model)
    with task_of_steering(policy) as task, _bar(policy, request, f"Best of {size}", calls) as done:
        others = {name: value for name, value in vars(request).items() if name != "number"}
        found = best_of_n(model, task, (size,), number=request.number, on_sequences=done, **others)
        return found[size]


def _by_particles(policy: NamedPolicy, size: int, c: float | None, request: Request) -> Samples:
    require(request.temperature == 1, "--smc samples the optimum at temperature 1")
    require_room(size, request.length, policy.saved.vocabulary.size)
    if c is None:
        if policy.config is None:
            raise UserError("--smc needs --c, the weight of the prior in the optimum p·exp(r/c)")
        c = policy.config.tutor.c
    with task_of_steering(policy) as task:
        proposal, calls = proposal_of(policy, c)
        title = f"{size} particles each"
        with _bar(policy, request, title, size * calls) as done:
            return draw_by_particles(
                proposal,
                task,
                c,
                number=request.number,
                size=size,
                seed=request.seed,
                length=request.length,
                forced=request.forced,
                on_sequences=done,
            )


@contextmanager
def _bar(policy: NamedPolicy, request: Request, title: str, calls: int) -> Iterator[Any]:
    with progress_bar() as progress:
        unit = policy.spec.many
        bar = progress.add_task(title, total=request.number, unit=unit, note="")
        yield lambda done: progress.update(bar, completed=done)
    console.print(f"{title}: {calls:,} model calls for each token that is kept")


@contextmanager
def task_of_steering(policy: NamedPolicy) -> Iterator[Task]:
    """The task by whose reward a policy is steered: of the run, or what `tune` would begin with.

    Code that the settings of a folder name is not run, which a remark then says.
    """
    spec = policy.spec
    settings = usual_settings(policy) if policy.config is None else policy.config.settings
    settings = spec.settings_for_evaluation(settings)
    settings, note = spec.without_code(settings, spec.evaluate_type())
    if note is not None:
        console.print(note, style="yellow")
    term = PreferenceTerm() if policy.config is None else policy.config.preference
    with opened_task(spec, settings, policy.prior(), None, term) as task:
        yield task


def proposal_of(policy: NamedPolicy, c: float) -> tuple[Proposal, int]:
    """What particles are extended by, and how many models that runs for a token.

    The network of a run whose method learns soft values, where its folder has them; otherwise the
    policy alone, or the prior.

    Raises:
        UserError: if the run's values cannot be read.
    """
    prior = policy.prior().model
    config = policy.config
    if config is None:
        is_prior = policy.model is prior
        return (Untwisted(prior), 1) if is_prior else (Untwisted(prior, policy.model), 2)
    share = config.tutor.c / c
    if method_named(config.tutor.method).soft_value is not None:
        assert policy.folder is not None
        network = load_network(RunFolder(policy.folder), policy.model, config.tutor)
        if network is not None:
            scale = jnp.asarray(share, jnp.float32)
            return Twisted(prior, network, scale, config.tutor.method), 2
    model = policy.model if share == 1 else RescaledModel(prior, policy.model, share)
    return Untwisted(prior, model), 1 + model_calls(model)
