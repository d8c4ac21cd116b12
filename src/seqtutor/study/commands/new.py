"""`seqtutor study new`: samples of each model as clips, and the plan of who compares what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.errors import UserError
from seqtutor.settings import Count, Positive, check_settings, require, require_seed
from seqtutor.study.plan import Form, Goal

if TYPE_CHECKING:
    from seqtutor.study.plan import Words
    from seqtutor.study.power import PowerPlan
    from seqtutor.task_spec import TaskSpec

MOST_TRIALS = 100_000
"""Comparisons that a plan holds at most."""


@dataclass(frozen=True)
class Options:
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
    clips: Count = 20
    """Clips of each model."""
    form: Form = "pairs"
    """pairs: which of two clips; sets: which of two sets of clips as what a model makes, since two
    clips cannot show that a model always begins alike."""
    set_size: Count = 8
    """Clips of a set."""
    listeners: int | None = None
    """For how many listeners comparisons are laid out; by default as many as --effect needs.
    Listeners beyond that begin again with the first layout."""
    effect: Positive = 0.5
    """Log-odds between two models that the study should find with a power of 80 %."""
    comparisons: Count = 20
    """Comparisons of each listener, beside practice and catch trials."""
    adaptive: bool = False
    """Choose each pair of models when it is due, as the one that tells most after the votes so
    far."""
    goal: Goal = "best"
    """What adaptive pairs find out with the fewest votes:
    - best: which model is best; the other models get few votes
    - order: which of any two models is better
    - all: how far apart all models are, which takes hardly fewer votes than balanced pairs
    """
    practice: int = 1
    """Comparisons at the beginning that do not count."""
    catch: int = 2
    """Comparisons whose right answer is known: a clip beside a broken version of it, or, where
    there is no sound, the instruction which side to choose."""
    headphones: bool = False
    """Let in only listeners who show that they wear headphones (a pitch that two ears together
    hear)."""
    score: bool = False
    """Show a score or another picture beside each sound."""
    temperature: float = 1.0
    """Of the sampling."""
    seed: int = 0
    """Of the sampling and of all that is left to chance."""
    title: str = "Listening study"
    """What listeners read above each page; it should not name a model."""
    question: str | None = None
    """What listeners are asked; by default which side they prefer."""
    consent: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """A text file of what listeners agree to, a blank line between paragraphs; by default a text
    about what is stored, which names no investigator, institution, contact or ethics approval."""
    partial: bool = True
    """Count the votes of sessions that were not finished."""

    def __post_init__(self) -> None:
        check_settings(self)


def defaults(spec: TaskSpec[Any], arguments: list[str]) -> Options:
    """The same for every task."""
    return Options()


def run(spec: TaskSpec[Any], options: Options) -> None:
    """Draw, render, plan, write; prints what was made and what comes next."""
    _check(options, spec.numbers.most_samples)
    spec.require_dependencies()
    from seqtutor.runs.progress import progress_bar
    from seqtutor.runs.provenance import made_by
    from seqtutor.study.making import StudyOptions, make_study, named_models
    from seqtutor.study.plan import Rules
    from seqtutor.study.wording import NO_CONSENT

    models = named_models(spec, options.models)
    require(len(models) >= 2, "a study compares at least two models; name another one")
    power = _power(options, len(models))
    how = StudyOptions(
        clips=options.clips,
        words=_words(spec, options),
        form=options.form,
        set_size=options.set_size,
        listeners=options.listeners or power.listeners,
        comparisons=options.comparisons,
        practice=options.practice,
        catches=options.catch,
        is_adaptive=options.adaptive,
        goal=options.goal,
        with_score=options.score,
        has_screen=options.headphones,
        temperature=options.temperature,
        effect=options.effect,
        seed=options.seed,
        rules=Rules(partial="keep" if options.partial else "drop"),
    )
    trials = how.listeners * (how.comparisons + how.practice + how.catches)
    require(
        trials <= MOST_TRIALS,
        f"a plan of {trials:,} comparisons is too large; ask for fewer --listeners or "
        "--comparisons",
    )
    assert options.output is not None
    with progress_bar() as progress:
        bar = progress.add_task("Making clips", total=1, unit="studies", note="")
        study = make_study(spec, models, how, options.output, made_by())
        progress.update(bar, completed=1)
    _print(study, how)
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
    require_seed("--seed", options.seed)
    require(is_shown(options.title), "--title has characters that cannot be shown")
    require(
        options.listeners is None or options.listeners > 0,
        f"--listeners must be at least 1, not {options.listeners}",
    )
    require(options.practice >= 0, f"--practice must be at least 0, not {options.practice}")
    require(options.catch >= 0, f"--catch must be at least 0, not {options.catch}")
    require(options.temperature > 0, f"--temperature must be above 0, not {options.temperature}")
    drawn = options.clips + (options.practice + options.catch) * (
        options.set_size if options.form == "sets" else 1
    )
    require(
        drawn <= most,
        f"a model makes at most {most:,} clips, those for practice and catch trials included; "
        f"these would be {drawn:,}",
    )
    require(
        options.form == "pairs" or options.clips >= options.set_size,
        f"--clips must be at least --set-size ({options.set_size}), not {options.clips}",
    )


def _power(options: Options, models: int) -> PowerPlan:
    """What the listeners find, or how many it takes to find the effect."""
    from seqtutor.study.power import listeners_needed, power_of

    if options.listeners is None:
        return listeners_needed(options.effect, options.comparisons, models=models)
    return power_of(options.listeners, options.effect, options.comparisons, models=models)


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


def _print(study: Any, how: Any) -> None:
    from seqtutor.runs.terminal import counted

    plan = study.plan
    print(f"{study.folder}: a study of {', '.join(plan.model_names)}. {plan.rule}")
    print(
        f"Each listener has {how.practice + how.comparisons + how.catches} trials: "
        f"{counted(how.comparisons, 'comparison', 'comparisons')}, {how.practice} for practice and "
        f"{how.catches} to catch who does not listen. The plan's SHA-256 is {study.sha256}."
    )
