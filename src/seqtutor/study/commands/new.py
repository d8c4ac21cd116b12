"""`seqtutor study new`: samples of each model as clips, and the plan of who compares what."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.errors import UserError
from seqtutor.settings import LARGEST_SEED, require, require_seed
from seqtutor.study.options import PlanOptions

if TYPE_CHECKING:
    from seqtutor.study.plan import Study, Words
    from seqtutor.task_spec import TaskSpec

MOST_TRIALS = 100_000
"""Comparisons that a plan holds at most."""


@dataclass(frozen=True)
class Options(PlanOptions):
    """Draw samples of each model and fix who compares what; nothing of it changes later.

    Clips are equally loud, and neither their names nor the pages tell which model is heard.
    """

    models: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="MODEL [MODEL ...]")]
    ] = ()
    """Folders of runs or models, or "prior" for the one that comes with the package; NAME=FOLDER
    gives another name. The first is what the others are compared with."""
    output: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """The folder of the study."""
    title: str = "Listening study"
    """What listeners read above each page; it should not name a model."""
    question: str | None = None
    """What listeners are asked; by default which side they prefer."""
    consent: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """A text file of what listeners agree to, a blank line between paragraphs; by default a text
    about what is stored, which names no investigator, institution, contact or ethics approval."""
    partial: bool = True
    """Count the votes of sessions that were not finished."""


def run(spec: TaskSpec[Any], options: Options) -> None:
    """Draw, render, plan, write; prints what was made and what comes next."""
    _check(options, spec.numbers.most_samples)
    spec.require_dependencies()
    from seqtutor.runs.progress import progress_bar
    from seqtutor.runs.provenance import made_by
    from seqtutor.study.making import make_study, named_models
    from seqtutor.study.plan import Rules
    from seqtutor.study.wording import NO_CONSENT

    if options.seed is None:
        options = replace(options, seed=secrets.randbelow(LARGEST_SEED))
    models = named_models(spec, options.models)
    require(len(models) >= 2, "a study compares at least two models; name another one")
    power = options.power(len(models))
    words, rules = _words(spec, options), Rules(partial="keep" if options.partial else "drop")
    trials = power.listeners * options.trials
    require(
        trials <= MOST_TRIALS,
        f"a plan of {trials:,} comparisons is too large; ask for fewer --listeners or "
        "--comparisons",
    )
    assert options.output is not None
    with progress_bar() as progress:
        bar = progress.add_task("Making clips", total=1, unit="studies", note="")
        study = make_study(spec, models, options, words, rules, options.output, made_by())
        progress.update(bar, completed=1)
    _print(study, options)
    print(power)
    if options.consent is None:
        print(f"Warning: {NO_CONSENT}")
    print(f"Next: seqtutor study serve {study.folder}")


def _check(options: Options, most: int) -> None:
    from seqtutor.files import require_unused
    from seqtutor.study.plan import is_shown

    require(bool(options.models), "name two models or more, such as: seqtutor study new prior RUN")
    require(options.output is not None, "name the folder of the study with --output")
    assert options.output is not None
    require_unused(options.output)
    if options.seed is not None:
        require_seed("--seed", options.seed)
    require(is_shown(options.title), "--title has characters that cannot be shown")
    require(
        options.drawn <= most,
        f"a model makes at most {most:,} clips, those for practice and catch trials included; "
        f"these would be {options.drawn:,}",
    )
    require(
        options.form == "pairs" or options.clips >= options.set_size,
        f"--clips must be at least --set-size ({options.set_size}), not {options.clips}",
    )


def _words(spec: TaskSpec[Any], options: Options) -> Words:
    from seqtutor.study.plan import Words
    from seqtutor.study.wording import default_consent, paragraphs_of, question_of

    consent = default_consent()
    if options.consent is not None:
        from seqtutor.files import read_lines

        consent = paragraphs_of(read_lines(options.consent))
        if not consent:
            raise UserError(f"{options.consent} holds no text")
    question = options.question or question_of(spec, options.form)
    return Words(options.title, question, spec.one, consent)


def _print(study: Study, options: Options) -> None:
    from seqtutor.runs.terminal import counted

    plan = study.plan
    print(f"{study.folder}: a study of {', '.join(plan.model_names)}. {plan.rule}")
    print(
        f"Each listener has {options.trials} trials: "
        f"{counted(options.comparisons, 'comparison', 'comparisons')}, {options.practice} for "
        f"practice and {options.catch} to catch who does not listen. The plan's SHA-256 is "
        f"{study.sha256}; --seed {options.seed} makes it again."
    )
