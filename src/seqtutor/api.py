"""Sequence Tutor from Python: pretrain, tune, compare and evaluate, load and sample."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, overload

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from seqtutor.data import pad, split
from seqtutor.errors import UserError
from seqtutor.files import make_folder
from seqtutor.measures.policy import Evaluation
from seqtutor.measures.policy import evaluate as evaluate_model
from seqtutor.measures.sampling import require_room
from seqtutor.methods.registry import DEFAULT_METHOD
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import CONFIG as MODEL_CONFIG
from seqtutor.models.files import SavedModel, load_model, save_model, weights_hash
from seqtutor.models.registry import register_model
from seqtutor.runs.comparing import ComparisonPlan
from seqtutor.runs.comparing import compare as run_comparison
from seqtutor.runs.config import RunConfig
from seqtutor.runs.preferred import votes_of, with_vote_estimates
from seqtutor.runs.run_folder import CONFIG, RunFolder, plain
from seqtutor.runs.tuning import tune_in_folder
from seqtutor.settings import require, require_seed
from seqtutor.task import Task
from seqtutor.task_records import NoSettings
from seqtutor.task_spec import TaskSpec
from seqtutor.training.pretrain import new_model, train_by_maximum_likelihood
from seqtutor.training.pretrain_settings import PretrainSettings
from seqtutor.training.rollout import sample
from seqtutor.training.run import OnRecord, Record, Tuned, ignore_record, run_tutor
from seqtutor.training.seeds import run_seeds
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from seqtutor.vocabulary import Vocabulary

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def _with_plain_errors(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """The function, whose user errors end with their message.

    Out of a compiled program they come with dozens of its lines before it and JAX's note after it.
    """

    @wraps(function)
    def call(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        try:
            return function(*arguments, **named)
        except UserError as error:
            plain_error = error
        # Outside the handler: what is raised within is chained to what is handled.
        vars(plain_error).pop("__notes__", None)
        plain_error.__cause__ = plain_error.__context__ = None
        raise plain_error.with_traceback(None)

    return call


@dataclass(frozen=True)
class Generator:
    """A model with its vocabulary: what `pretrain`, `tune` and `load` give.

    Attributes:
        model: the sequence model.
        vocabulary: of its tokens.
        max_length: of its sequences, the end token included.
        records: of its training, one for each epoch or chunk.
        remarks: made during its training, such as of a collapse.
        origin: what the configuration of a loaded model says about how it was made. A model that is
            tuned from it keeps this, with the settings of each tuning under `tuned`, so that the
            commands of its task can read what it writes.
        folder: where it was loaded from or written to.
    """

    model: SequenceModel
    vocabulary: Vocabulary
    max_length: int
    records: list[Record] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    origin: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def sample(
        self, number: int, *, seed: int = 0, temperature: float = 1.0, length: int | None = None
    ) -> list[list[str]]:
        """Draw sequences as lists of tokens, without the end token.

        Raises:
            UserError: if `number` or `length` is below one or too large, or `temperature` is not
                above zero.
        """
        length = self.max_length if length is None else length
        require(
            number >= 1 and length >= 1, "the number and the length of samples must be at least 1"
        )
        require(temperature > 0, f"the temperature must be above 0, not {temperature}")
        require_seed("seed", seed)
        require_room(number, length, self.vocabulary.size)
        key, end = jax.random.key(seed), self.vocabulary.end
        rollout = sample(self.model, key, number, length, temperature, end)
        return [self.vocabulary.decode(row) for row in np.asarray(rollout.tokens)]

    def log_probabilities(
        self, tokens: Int[np.ndarray, "batch time"]
    ) -> Float[np.ndarray, "batch time vocab"]:
        """Entry t is log p(· | begin, tokens before t), over the whole vocabulary.

        Raises:
            UserError: if `tokens` are not ids of the vocabulary in an array of this shape.
        """
        ids = _ids(tokens, self.vocabulary.size)
        logits = self.model.unroll(jnp.asarray(ids, jnp.int32))
        return np.asarray(jax.nn.log_softmax(logits))

    def save(self, folder: str | Path) -> None:
        """Write a model folder, and the records into it as metrics.jsonl."""
        origin = {**self.origin, "max_length": self.max_length}
        save_model(SavedModel(self.model, self.vocabulary, origin), Path(folder))
        run = RunFolder(Path(folder))
        if self.records or run.records(()):
            run.replace_records(self.records)

    @classmethod
    def load(cls, folder: str | Path, kinds: Iterable[type[SequenceModel]] = ()) -> Generator:
        """Read what `save` or `seqtutor pretrain` wrote, or a run's policy, with the records.

        Args:
            folder: of a model or a run.
            kinds: classes of models of your own that it may be of; they stay known. Code that the
                folder names is never imported.

        Raises:
            UserError: if it cannot be read, its kind of model is not known, or the run is not
                finished.
        """
        for kind in kinds:
            register_model(kind)
        folder, records, remarks = Path(folder), [], []
        run = RunFolder(folder)
        if (folder / CONFIG).is_file():
            require(run.is_complete, f"the run in {folder} is not finished: it has no model yet")
            records, remarks, folder = run.records(), run.remarks(), run.model
        saved = load_model(folder)
        if not records:
            records = RunFolder(folder).records(()) or saved.origin.get("epochs", [])
        max_length = saved.origin.get("max_length")
        if not isinstance(max_length, int):
            raise UserError(f"the model in {folder} does not say how long its sequences are")
        return cls(
            saved.model, saved.vocabulary, max_length, records, remarks, saved.origin, folder
        )


load = Generator.load


@_with_plain_errors
def pretrain(
    task: Task,
    sequences: Iterable[Sequence[str]],
    *,
    validation_share: float = 0.1,
    on_record: OnRecord = ignore_record,
    **settings: Any,
) -> Generator:
    """Train a prior on sequences of tokens by maximum likelihood.

    Args:
        task: whose vocabulary and length the sequences have.
        sequences: lists of tokens, or strings where every token is one character.
        validation_share: random share of the sequences that decides when to stop.
        on_record: called with the record of each epoch; `print` shows how the training goes. If it
            returns False, the training ends with the best model so far.
        **settings: those of `PretrainSettings.of`: `model`, a kind of model or its class, and the
            settings of the model and of the training by name.

    Raises:
        UserError: if a setting or a sequence cannot be used.
    """
    _require_task(task)
    if isinstance(sequences, str):
        raise UserError("the sequences must be a list of sequences, not one text")
    chosen = PretrainSettings.of(**settings)
    training, validation, _ = split(
        pad(task.vocabulary, task.max_length, sequences),
        validation_share=validation_share,
        test_share=0.0,
        seed=chosen.seed,
    )
    result = train_by_maximum_likelihood(
        new_model(task.vocabulary, chosen),
        training,
        validation,
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
    output: str | Path | None = ...,
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
    output: str | Path | None = ...,
    on_record: OnRecord = ...,
    **settings: Any,
) -> list[Generator]: ...
@_with_plain_errors
def tune(
    prior: Generator,
    task: Task,
    *,
    method: str = DEFAULT_METHOD,
    seeds: int | None = None,
    devices: int = 1,
    output: str | Path | None = None,
    on_record: OnRecord = ignore_record,
    **settings: Any,
) -> Generator | list[Generator]:
    """Tune a copy of the prior on the task's reward by one of the methods.

    Args:
        prior: what `pretrain` or `load` gives.
        task: of the prior's vocabulary.
        method: by name.
        seeds: if given, a list of that many independent policies comes back, tuned with the setting
            `seed`, seed + 1 and so on: all at the same time on a GPU, one after the other on a CPU,
            with `output`, or where the reward has memory.
        devices: that share the work of one policy.
        output: folder of the run, which gets what the command `tune` writes: configuration,
            records, checkpoints, the policy. An interrupted run with the same settings continues
            from there, a finished one is loaded. With `seeds`, a folder for each seed below it.
        on_record: called with every record (with its `seed`, where there are `seeds`); `print`
            shows how the run goes. The run, or that of the seed, ends with the first record for
            which it returns False: the policy is that of this moment, a remark tells the step, and
            the folder of `output` is complete.
        **settings: those of `TutorSettings` and of the method; the rest are the method's defaults.

    Raises:
        UserError: if the prior has another vocabulary than the task, there are not that many
            devices, they cannot share the work, the reward fails, or the folder holds something
            else.
        DivergedError: if the loss, a reward term or a weight is not finite; it is a `UserError`
            whose `last_good` is the policy before.
    """
    _require_task(task)
    if not isinstance(prior, Generator):
        raise UserError(f"the prior must be what pretrain or load gives, not {prior!r}")
    if prior.vocabulary != task.vocabulary:
        raise UserError("the prior was trained on another vocabulary than the task's")
    chosen_settings = with_vote_estimates(TutorSettings.of(method, **settings), task, prior.model)
    votes = votes_of(chosen_settings, task)
    tutor = Tutor(task, prior.model, chosen_settings, devices=devices, votes=votes)
    folder = None if output is None else Path(output)
    if seeds is None:
        return _tune_one(tutor, prior, folder, on_record)
    require(seeds >= 1, f"seeds must be at least 1, not {seeds}")
    require(devices == 1, "several seeds keep all devices busy: leave out devices, or seeds")
    chosen = range(tutor.settings.seed, tutor.settings.seed + seeds)
    tutors = [replace(tutor, settings=replace(tutor.settings, seed=seed)) for seed in chosen]
    if jax.default_backend() != "cpu" and folder is None and not task.reward.has_memory:
        tuned = run_seeds(tutor, chosen, lambda seed, one: on_record({"seed": seed, **one}))
        return list(map(_generator, tuned, tutors, [prior] * seeds))

    def alone(one: Tutor) -> Generator:
        seed = one.settings.seed
        own = None if folder is None else folder / f"seed{seed}"
        return _tune_one(one, prior, own, lambda record: on_record({"seed": seed, **record}))

    return [alone(one) for one in tutors]


def _tune_one(
    tutor: Tutor, prior: Generator, folder: Path | None, on_record: OnRecord
) -> Generator:
    if folder is None:
        return _generator(run_tutor(tutor, on_record), tutor, prior)
    spec, run = TaskSpec.of(tutor.task), RunFolder(folder)
    kept = _keep_prior(prior, folder.parent)
    config = RunConfig(tutor.task.name, tutor.settings, NoSettings(), kept)
    if run.is_complete and (folder / CONFIG).is_file():
        from seqtutor.runs.tuning import require_same

        require_same(spec, config, run)
    else:
        tune_in_folder(spec, config, tutor, run, on_record=on_record, on_remark=_warn)
    return load(folder)


def _keep_prior(prior: Generator, folder: Path) -> Path:
    """The folder of the prior; a prior that was never written is written into `folder`.

    Where `prior` there is another model, its name ends with the start of its weights' hash.
    """
    register_model(type(prior.model))
    if prior.folder is not None:
        return prior.folder
    wanted = weights_hash(prior.model)
    kept = make_folder(folder) / "prior"
    if (kept / MODEL_CONFIG).is_file() and weights_hash(load_model(kept).model) != wanted:
        kept = folder / f"prior-{wanted[:8]}"
    if not (kept / MODEL_CONFIG).is_file():
        prior.save(kept)
    return kept


def _warn(remark: str) -> None:
    """A remark as a warning of the script's line: it has no other screen on which to see it."""
    depth, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("seqtutor."):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(remark, stacklevel=depth)


@_with_plain_errors
def evaluate(
    policy: Generator,
    task: Task,
    *,
    prior: Generator | None = None,
    number: int = 10_000,
    seed: int = 0,
    temperature: float = 1.0,
) -> Evaluation:
    """Measure a policy on sequences that it generates.

    Args:
        policy: a tuned policy, or a prior.
        task: gives the reward and its own measures.
        prior: that KL and log p refer to. A prior is measured without one.
        number: of sequences.
        seed: of the sampling.
        temperature: of the sampling; everything is measured of the distribution that is sampled.

    Returns:
        The samples, and estimates with standard errors by name: the task's measures, `entropy`,
        `kl` and `log_prior` in nats a step, `distinct`, `reward` and each of its terms.

    Raises:
        UserError: if the policy was tuned and no prior is given.
    """
    _require_task(task)
    require(
        prior is not None or not {"tuned", "run"} & policy.origin.keys(),
        "this policy was tuned: name the prior that its KL divergence is from, "
        "st.evaluate(policy, task, prior=prior)",
    )
    return evaluate_model(
        policy.model,
        (prior or policy).model,
        task.vocabulary,
        task.measures,
        number=number,
        length=task.max_length,
        seed=seed,
        temperature=temperature,
        reward=task.reward,
    )


@_with_plain_errors
def compare(
    prior: Generator,
    task: Task,
    *,
    methods: Sequence[str],
    output: str | Path,
    c: Sequence[float] = (2.5, 5.0, 10.0, 20.0),
    **plan: Any,
) -> Path:
    """Compare methods at equal KL divergence from the prior, beside controls, in this process.

    Args:
        prior: what `pretrain` or `load` gives.
        task: of the prior's vocabulary.
        methods: by name.
        output: folder for everything; called again with it, the comparison continues.
        c: weights of the prior.
        **plan: further attributes of `ComparisonOptions`, such as `steps`, `seeds` and `number`.

    Returns:
        The path of the report.
    """
    _require_task(task)
    output = make_folder(output)
    spec, kept = TaskSpec.of(task), _keep_prior(prior, output)
    chosen = ComparisonPlan(spec, tuple(methods), output, c=tuple(c), prior=kept, **plan)
    report, remarks = run_comparison(chosen, in_this_process=True)
    for remark in remarks:
        _warn(remark)
    return report


def _ids(tokens: Any, size: int) -> np.ndarray:
    try:
        ids = np.asarray(tokens)
    except ValueError:  # Of lists that differ in length.
        ids = np.array(None)
    require(
        ids.ndim == 2 and np.issubdtype(ids.dtype, np.integer),
        "the tokens must be whole numbers in an array of sequences of one length, such as "
        "[[0, 1, 2]]; Vocabulary.encode gives those of a sequence",
    )
    for outside in ids[(ids < 0) | (ids >= size)]:
        raise UserError(f"the token {outside} is not one of the vocabulary, 0 to {size - 1}")
    return ids


def _require_task(task: object) -> None:
    if not isinstance(task, Task):
        raise UserError(f"the task must be a seqtutor.Task, not {task!r}")


def _generator(tuned: Tuned, tutor: Tutor, prior: Generator) -> Generator:
    for remark in tuned.remarks:
        _warn(remark)
    settings = plain(tutor.settings)
    return Generator(
        tuned.policy,
        prior.vocabulary,
        tutor.task.max_length,
        tuned.records,
        list(tuned.remarks),
        {**prior.origin, "tuned": [*prior.origin.get("tuned", []), settings]},
    )
