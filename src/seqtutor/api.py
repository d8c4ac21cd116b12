"""Five lines for a user: a task, a prior, a tutor, samples."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, overload

import jax
import numpy as np

from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import SavedModel, load_model, save_model
from seqtutor.rewards import as_reward
from seqtutor.runs.run_folder import plain
from seqtutor.settings import require, require_seed
from seqtutor.task import Task
from seqtutor.training.pretrain import Sequences, new_model, train_by_maximum_likelihood
from seqtutor.training.pretrain_settings import PretrainSettings
from seqtutor.training.rollout import sample
from seqtutor.training.run import Record, Tuned, run_tutor
from seqtutor.training.seeds import run_seeds
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from seqtutor.vocabulary import Vocabulary

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

OnRecord = Callable[[Record], None]


def _with_plain_errors(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """The function, whose user errors end with their message.

    Out of a compiled program they come with dozens of its lines before it and JAX's note after it.
    """

    @wraps(function)
    def call(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        try:
            return function(*arguments, **named)
        except UserError as error:
            plain = error
        # Out of the handler: what is raised within is chained to what is handled.
        vars(plain).pop("__notes__", None)
        plain.__cause__ = plain.__context__ = None
        raise plain.with_traceback(None)

    return call


@dataclass(frozen=True)
class Generator:
    """A model with its vocabulary: what `pretrain` and `tune` give.

    `records` is the course of its training, `remarks` what was noticed on the way, such as a
    collapse. `origin` is what a folder that was loaded says of its making; what is tuned from there
    keeps it, with the settings of each tuning under `tuned`, so that the commands of its task can
    read what it writes.
    """

    model: SequenceModel
    vocabulary: Vocabulary
    max_length: int
    records: list[Record] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    origin: dict[str, Any] = field(default_factory=dict)

    def sample(
        self, number: int, *, seed: int = 0, temperature: float = 1.0, length: int | None = None
    ) -> list[list[str]]:
        """Draw sequences as lists of tokens, without the end token.

        Raises:
            UserError: if `number` or `length` is below one, or `temperature` is not above zero.
        """
        length = self.max_length if length is None else length
        if number < 1 or length < 1:
            raise UserError("the number and the length of samples must be at least one")
        if not temperature > 0:
            raise UserError(f"the temperature must be above 0, not {temperature}")
        require_seed("seed", seed)
        rollout = sample(
            self.model,
            jax.random.key(seed),
            number,
            length,
            temperature,
            self.vocabulary.end,
        )
        return [self.vocabulary.decode(row) for row in np.asarray(rollout.tokens)]

    def save(self, folder: str | Path) -> None:
        """Write a model folder."""
        origin = {**self.origin, "max_length": self.max_length}
        save_model(SavedModel(self.model, self.vocabulary, origin), Path(folder))

    @classmethod
    def load(cls, folder: str | Path, kinds: Iterable[type[SequenceModel]] = ()) -> Generator:
        """Read what `save` wrote.

        `kinds` are classes of models that it may be of, beside the registered ones. Code that the
        folder names is never imported.

        Raises:
            UserError: if it cannot be read, or its kind of model is not known.
        """
        saved = load_model(Path(folder), kinds)
        max_length = saved.origin.get("max_length")
        if not isinstance(max_length, int):
            raise UserError(f"the model in {folder} does not say how long its sequences are")
        return cls(saved.model, saved.vocabulary, max_length, origin=saved.origin)


def pad(task: Task, sequences: Iterable[Sequence[str]]) -> Sequences:
    """Encode sequences to the task's length; each gets the end token, where there is one.

    Raises:
        UserError: if a token is unknown, or a sequence is empty or has the wrong length.
    """
    end, length = task.vocabulary.end, task.max_length
    encoded = [task.vocabulary.encode(sequence) for sequence in sequences]
    tokens = np.full((len(encoded), length), 0 if end is None else end, np.int32)
    mask = np.zeros(tokens.shape, bool)
    for row, ids in enumerate(encoded):
        whole = ids if end is None else np.append(ids, end)
        if not 0 < len(whole) <= length or (end is None and len(whole) != length):
            raise UserError(
                f"sequence {row + 1} has {len(ids)} tokens; the task takes "
                + (f"exactly {length}" if end is None else f"up to {length - 1} and an end")
            )
        tokens[row, : len(whole)] = whole
        mask[row, : len(whole)] = True
    return Sequences(tokens, mask)


@_with_plain_errors
def pretrain(
    task: Task,
    sequences: Iterable[Sequence[str]],
    *,
    validation_share: float = 0.1,
    on_record: OnRecord = lambda record: None,
    **settings: Any,
) -> Generator:
    """Train a prior on sequences of tokens by maximum likelihood.

    A random `validation_share` of them decides when to stop. `on_record` is called with the record
    of each epoch; `print` shows how the training goes. Further arguments are those of
    `PretrainSettings.of`: `model`, a kind of model or its class, and the settings of the model and
    of the training by name.

    Raises:
        UserError: if there is no such kind or setting, a sequence does not fit the task, there are
            too few of them, or the loss is not finite.
    """
    _require_task(task)
    if isinstance(sequences, str):
        raise UserError("the sequences must be a list of sequences, not one text")
    chosen = PretrainSettings.of(**settings)
    padded = pad(task, sequences)
    order = np.random.default_rng(chosen.seed).permutation(len(padded))
    held_out = max(1, round(validation_share * len(padded)))
    validation, training = order[:held_out], order[held_out:]
    model = new_model(task.vocabulary.size, chosen)
    result = train_by_maximum_likelihood(
        model,
        Sequences(padded.tokens[training], padded.mask[training]),
        Sequences(padded.tokens[validation], padded.mask[validation]),
        chosen,
        on_epoch=lambda so_far: on_record(vars(so_far.epochs[-1])),
    )
    records: list[Record] = [vars(epoch) for epoch in result.epochs]
    return Generator(result.model, task.vocabulary, task.max_length, records)


@overload
def tune(
    prior: Generator,
    task: Task,
    *,
    method: str = ...,
    seeds: None = ...,
    devices: int = ...,
    on_record: OnRecord = ...,
    **settings: Any,
) -> Generator: ...
@overload
def tune(
    prior: Generator,
    task: Task,
    *,
    method: str = ...,
    seeds: int,
    on_record: OnRecord = ...,
    **settings: Any,
) -> list[Generator]: ...
@_with_plain_errors
def tune(
    prior: Generator,
    task: Task,
    *,
    method: str = TutorSettings.method,
    seeds: int | None = None,
    devices: int = 1,
    on_record: OnRecord = lambda record: None,
    **settings: Any,
) -> Generator | list[Generator]:
    """Tune a copy of the prior on the task's reward by one of the methods.

    With `seeds`, a list of that many independent policies comes back, tuned with the setting
    `seed`, seed + 1 and so on: all at the same time on a GPU, one after the other on a CPU or where
    the reward remembers what it judged. With `devices`, that many share the work of one policy.
    `on_record` is called with every record as it is made (with its `seed`, where there are
    `seeds`); `print` shows how the run goes. Further arguments are those of `TutorSettings`; what
    is not given is the method's default (`TutorSettings.of`).

    Raises:
        UserError: if the prior has another vocabulary than the task, or there are not that many
            devices, they cannot share the work, or the reward fails.
        DivergedError: if the loss, a reward term or a weight is not finite; it is a `UserError`
            whose `last_good` is the policy before.
    """
    _require_task(task)
    if not isinstance(prior, Generator):
        raise UserError(f"the prior must be what pretrain or Generator.load gives, not {prior!r}")
    if prior.vocabulary != task.vocabulary:
        raise UserError("the prior was trained on another vocabulary than the task's")
    tutor = Tutor(task, prior.model, TutorSettings.of(method, **settings), devices=devices)
    if seeds is None:
        return _generator(run_tutor(tutor, on_record), tutor, prior)
    require(seeds >= 1, f"seeds must be at least 1, not {seeds}")
    require(devices == 1, "several seeds keep all devices busy: leave out devices, or seeds")
    chosen = range(tutor.settings.seed, tutor.settings.seed + seeds)
    tutors = [replace(tutor, settings=replace(tutor.settings, seed=seed)) for seed in chosen]

    def alone(one: Tutor) -> Tuned:
        seed = one.settings.seed
        return run_tutor(one, lambda record: on_record({"seed": seed, **record}))

    if jax.default_backend() != "cpu" and not as_reward(task.reward).remembers:
        tuned = run_seeds(tutor, chosen, lambda one: on_record({"seed": one.seed, **one.record}))
    else:
        tuned = [alone(one) for one in tutors]
    return list(map(_generator, tuned, tutors, [prior] * seeds))


def _require_task(task: object) -> None:
    if not isinstance(task, Task):
        raise UserError(f"the task must be a seqtutor.Task, not {task!r}")


def _generator(tuned: Tuned, tutor: Tutor, prior: Generator) -> Generator:
    """With the remarks also as warnings: a script has no other screen to see them on."""
    for remark in tuned.remarks:
        warnings.warn(remark, stacklevel=4)
    return Generator(
        tuned.policy,
        prior.vocabulary,
        tutor.task.max_length,
        tuned.records,
        list(tuned.remarks),
        {**prior.origin, "tuned": [*prior.origin.get("tuned", []), plain(tutor.settings)]},
    )
