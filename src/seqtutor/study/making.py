"""A new study: sequences of each model by a stated rule, their clips, and the plan."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seqtutor.errors import UserError
from seqtutor.exhibits import Exhibit, Shown
from seqtutor.files import TEMPORARY, make_folder, require_unused, write_together
from seqtutor.models.files import weights_hash
from seqtutor.runs.policies import NamedPolicy, find_policy, with_seeds
from seqtutor.settings import require
from seqtutor.study.clips import ClipWriter, clips_by_model
from seqtutor.study.design import sheets
from seqtutor.study.options import PlanOptions
from seqtutor.study.plan import (
    CLIPS,
    PLAN,
    Clip,
    Comparison,
    Model,
    Plan,
    Rules,
    Study,
    Words,
    is_shown,
    read_study,
)
from seqtutor.task_spec import TaskSpec

RULE = (
    "The first {clips} {many} that each model generated from the seed of the study, none chosen or "
    "left out by hand; those for practice and catch trials are the ones generated next."
)

UNHEARD = 0.5
"""`Rules.unheard` where there is something to be heard."""


def named_models(spec: TaskSpec[Any], given: Sequence[str]) -> dict[str, NamedPolicy]:
    """The models by the names that the researcher gave them: MODEL, or NAME=MODEL.

    Raises:
        UserError: if one cannot be read, or one name is given twice, or one model is without names
            that tell it apart on purpose.
    """
    places: list[tuple[str, str]] = []
    for one in given:
        name, equals, place = one.partition("=")
        if equals and not Path(one).exists():
            places.append((name, place))
        else:
            places += [(found, found) for found in with_seeds([one])]
    names = [name.rstrip("/") or name for name, _ in places]
    require(all(names), "a model's name is empty; write NAME=MODEL")
    for name in names:
        require(is_shown(name), f"a model cannot be called {name!r}; write NAME=MODEL")
        require(names.count(name) == 1, f"{name} is named twice; name each model once")
    found = {name: find_policy(spec, place) for name, (_, place) in zip(names, places, strict=True)}
    unnamed: dict[Path | None, str] = {}
    for (name, place), policy in zip(places, found.values(), strict=True):
        if name == place:
            first = unnamed.setdefault(policy.saved.folder and policy.saved.folder.resolve(), name)
            require(first == name, f"{first} and {name} are the same model; name each model once")
    return found


def make_study(
    spec: TaskSpec[Any],
    policies: Mapping[str, NamedPolicy],
    options: PlanOptions,
    words: Words,
    rules: Rules,
    output: Path,
    made_by: Mapping[str, Any],
) -> Study:
    """Draw sequences of each model, and write a study of them.

    Args:
        spec: the task.
        policies: by the names that the researcher gave them.
        options: what the researcher decided.
        words: what listeners read.
        rules: who is left out.
        output: the folder.
        made_by: facts that are kept beside the plan.

    Raises:
        UserError: if the folder is taken, or cannot be written.
    """
    require_unused(output)
    models = []
    for place, (name, policy) in enumerate(policies.items()):
        # Models that begin with the same random numbers would often begin with the same notes.
        seed = int(np.random.SeedSequence([options.chosen_seed, place]).generate_state(1)[0])
        models.append(Model(name, weights_hash(policy.saved.model), seed))
    exhibits, tokens = _drawn(spec, policies, models, options)
    folders = {name: str(policy.saved.folder or "") for name, policy in policies.items()}
    facts = {**made_by, "models": folders}
    return write_study(spec, models, exhibits, options, words, rules, output, facts, tokens)


def write_study(
    spec: TaskSpec[Any],
    models: Sequence[Model],
    exhibits: Mapping[str, Sequence[Exhibit]],
    options: PlanOptions,
    words: Words,
    rules: Rules,
    output: Path,
    made_by: Mapping[str, Any],
    tokens: Mapping[str, Sequence[Sequence[str]]] | None = None,
) -> Study:
    """Write a study of what is shown; its folder is there as a whole or not at all.

    Args:
        spec: the task.
        models: whose sequences are shown.
        exhibits: by the name of a model, `options.drawn` of them.
        options: what the researcher decided.
        words: what listeners read.
        rules: who is left out.
        output: the folder.
        made_by: facts that are kept beside the plan.
        tokens: by the name of a model, those of its sequences, by name.

    Raises:
        UserError: if the folder is taken, or cannot be written.
    """
    require_unused(output)
    writer = ClipWriter(options.chosen_seed, options.score)
    clips = [
        writer.clip(
            exhibit,
            name,
            number,
            "compared" if number < options.clips else "spare",
            tokens[name][number] if tokens else (),
        )
        for name, own in exhibits.items()
        for number, exhibit in enumerate(own)
    ]
    trials, broken = _trials(writer, clips, options)
    listeners = options.power(len(models)).listeners
    has_sound = any(clip.sound for clip in clips)
    practice, catches = (
        [one for one in trials if one.kind == kind] for kind in ("practice", "catch")
    )
    plan = Plan(
        task=spec.name,
        form=options.form,
        set_size=options.set_size,
        is_adaptive=options.adaptive,
        goal=options.goal,
        temperature=options.temperature,
        effect=options.effect,
        seed=options.chosen_seed,
        rule=RULE.format(clips=options.clips, many=spec.many),
        models=tuple(models),
        clips=(*clips, *broken),
        sheets=tuple(sheets(clips_by_model(clips), listeners, options, practice, catches)),
        words=words,
        screen=writer.screen(options.chosen_seed) if options.headphones else (),
        rules=replace(rules, unheard=UNHEARD) if has_sound else rules,
    )
    files = {f"{CLIPS}/{name}": content for name, content in writer.files.items()}
    # Beside the plan, which is the same whenever it is made of the same models and options.
    facts = f"{json.dumps(dict(made_by), indent=1)}\n".encode()
    _write(files | {"made_by.json": facts, PLAN: plan.content()}, output)
    return read_study(output)


def _drawn(
    spec: TaskSpec[Any],
    policies: Mapping[str, NamedPolicy],
    models: Sequence[Model],
    options: PlanOptions,
) -> tuple[dict[str, Sequence[Exhibit]], dict[str, list[list[str]]]]:
    """What is shown of the first sequences of each model, and their tokens by name."""
    from seqtutor.comparisons import token_names
    from seqtutor.data import Sequences
    from seqtutor.measures.sampling import draw
    from seqtutor.task_records import Drawn

    shown, tokens = {}, {}
    for place, (model, policy) in enumerate(zip(models, policies.values(), strict=True)):
        settings = policy.config.settings if policy.config else spec.settings_type()
        drawn = draw(
            policy.model,
            policy.model,
            number=options.drawn,
            length=policy.length,
            end=policy.saved.vocabulary.end,
            seed=model.seed,
            temperature=options.temperature,
        )
        sequences, saved = Sequences(drawn.tokens, drawn.mask), policy.saved
        own = Drawn(sequences, saved.vocabulary, saved.origin, settings, model.seed)
        tokens[model.name] = token_names(sequences, saved.vocabulary)
        # By number, so that no file of a clip can hold the name of the model.
        shown[str(place)] = Shown(own, np.arange(options.drawn))
    exhibition = spec.exhibits(shown)
    found = {model.name: exhibition.exhibits[str(n)] for n, model in enumerate(models)}
    have_sound = {exhibit.sound is not None for own in found.values() for exhibit in own}
    if len(have_sound) > 1:
        raise UserError(f"some {spec.many} have a sound and some have none: {exhibition.notes}")
    return found, tokens


def _trials(
    writer: ClipWriter, clips: Sequence[Clip], options: PlanOptions
) -> tuple[list[Comparison], list[Clip]]:
    """Practice and catch trials, from clips that no comparison has; and the broken clips.

    A catch trial has a clip beside its broken version. Where there is no sound that can be broken,
    the listener is told which side to choose.
    """
    spare: dict[str, list[Clip]] = {}
    for clip in clips:
        if clip.use == "spare":
            spare.setdefault(clip.model, []).append(clip)
    models, size = list(spare), options.side
    trials, made = [], []
    for place in range(options.practice + options.catch):
        part = slice(place * size, (place + 1) * size)
        first = spare[models[place % len(models)]][part]
        second = spare[models[(place + 1) % len(models)]][part]
        left, right = tuple(c.id for c in first), tuple(c.id for c in second)
        if place < options.practice:
            trials.append(Comparison("practice", left, right))
        elif first[0].sound is None:
            trials.append(Comparison("catch", left, right, -1, is_instructed=True))
        else:
            own = [writer.broken(clip, options.chosen_seed + place) for clip in first]
            made += own
            trials.append(Comparison("catch", left, tuple(c.id for c in own), -1))
    return trials, made


def _write(files: Mapping[str, bytes], output: Path) -> None:
    """All files in a folder beside, which takes the name when they are there."""
    parent = make_folder(output.absolute().parent)
    own = parent / f".{output.name}.{secrets.token_hex(4)}{TEMPORARY}"
    try:
        write_together((own / name, content) for name, content in files.items())
        if output.is_dir():
            shutil.rmtree(output)  # Empty, as `require_unused` has seen.
        own.rename(output)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(own, ignore_errors=True)
