"""The results of the adversarial experiment: measures, curves and samples of finished games."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqtutor.adversarial.evaluation import GeneratorMeasures, RealSequences, measure_real
from seqtutor.adversarial.files import DISCRIMINATOR, load_discriminator
from seqtutor.measures.controls import TemperedModel
from seqtutor.models.files import SavedModel, load_model
from seqtutor.runs.games import GameJob
from seqtutor.runs.generator_measures import CachedGeneratorEvaluator
from seqtutor.tasks.folk.gallery import Gallery, write_gallery, write_real_gallery
from seqtutor.tasks.folk.game_report import FolkResults
from seqtutor.tasks.folk.next_token import NextToken, next_token
from seqtutor.tasks.folk.variants import MAXIMUM_LIKELIHOOD, REAL, title_of
from seqtutor.training.run import Record


def measure_all(
    evaluator: CachedGeneratorEvaluator,
    prior: SavedModel,
    games: Sequence[GameJob],
    seeds: int,
    temperatures: Sequence[float],
) -> tuple[dict[str, list[GeneratorMeasures]], dict[float, GeneratorMeasures]]:
    """All generators, real tunes, and maximum likelihood at other temperatures.

    Raises:
        UserError: if there are too few sequences for a judge, or a file cannot be written.
    """
    assert prior.folder is not None
    total = seeds + len(games) + len(temperatures)
    notes = (f"({number} of {total})" for number in range(1, total + 1))
    generators = {
        MAXIMUM_LIKELIHOOD: [
            evaluator.evaluate(
                f"{MAXIMUM_LIKELIHOOD}-seed{seed}",
                prior.model,
                prior.folder,
                seed=seed,
                note=next(notes),
            )
            for seed in range(seeds)
        ]
    }
    for game in games:
        found = evaluator.evaluate(
            game.folder.name,
            _generator(game).model,
            game.run.model,
            seed=game.config.tutoring.seed,
            note=next(notes),
            discriminator=game.folder / DISCRIMINATOR,
        )
        generators.setdefault(game.config.generator, []).append(found)
    generators[REAL] = [measure_real(evaluator.real)]
    sweep = {
        temperature: evaluator.evaluate(
            f"temperature={temperature:g}",
            TemperedModel(prior.model, temperature),
            prior.folder,
            seed=0,
            note=next(notes),
            temperature=temperature,
        )
        for temperature in sorted(temperatures)
    }
    return generators, sweep


def results_of(
    evaluator: CachedGeneratorEvaluator,
    prior: SavedModel,
    games: Sequence[GameJob],
    generators: dict[str, list[GeneratorMeasures]],
    sweep: dict[float, GeneratorMeasures],
    *,
    is_published_data: bool,
    is_trial: bool,
) -> FolkResults:
    """What the report shows: measures, curves, samples.

    Raises:
        UserError: if a file cannot be written.
    """
    return FolkResults(
        generators,
        sweep,
        _histories(games),
        _galleries(evaluator, prior, games),
        _learning(games),
        is_published_data=is_published_data,
        is_trial=is_trial,
        next_token=_next_token(prior, evaluator.real, games),
    )


def _generator(game: GameJob) -> SavedModel:
    return load_model(game.run.model)


def _next_token(prior: SavedModel, real: RealSequences, games: Sequence[GameJob]) -> NextToken:
    """The first seed's distributions in the middle of the first held-out sequence."""
    models = {MAXIMUM_LIKELIHOOD: prior.model}
    for game in games:
        if game.config.generator not in models:
            models[game.config.generator] = _generator(game).model
    sequence = np.asarray(real.held_out.tokens[0])
    return next_token(models, prior.vocabulary, sequence, len(sequence) // 2)


def _galleries(
    evaluator: CachedGeneratorEvaluator, prior: SavedModel, games: Sequence[GameJob]
) -> dict[str, Gallery]:
    """Samples of the first seed; those of maximum likelihood are chosen by a judge."""
    folder = evaluator.output / "gallery"
    judge = evaluator.judge_of(f"{MAXIMUM_LIKELIHOOD}-seed0")
    title = title_of(MAXIMUM_LIKELIHOOD)
    galleries = {
        MAXIMUM_LIKELIHOOD: write_gallery(title, prior, judge, 0, folder / MAXIMUM_LIKELIHOOD)
    }
    galleries[REAL] = write_real_gallery(
        title_of(REAL), evaluator.real.held_out, prior, judge, folder / REAL
    )
    for game in games:
        name, seed = game.config.generator, game.config.tutoring.seed
        if name not in galleries:
            galleries[name] = write_gallery(
                title_of(name),
                _generator(game),
                load_discriminator(game.folder).model,
                seed,
                folder / name,
            )
    return galleries


def _histories(games: Sequence[GameJob]) -> dict[str, list[dict[str, list[float]]]]:
    """The rounds with likelihood and BLEU, as columns; by generator a history for each seed."""
    histories: dict[str, list[dict[str, list[float]]]] = {}
    for game in games:
        records = [one for one in game.run.records() if "likeness/cross_entropy" in one]
        if records:
            shared = set.intersection(*(set(record) for record in records))
            columns = {name: [record[name] for record in records] for name in shared}
            columns["step"] = [record["round"] for record in records]
            histories.setdefault(game.config.generator, []).append(columns)
    return histories


def _learning(games: Sequence[GameJob]) -> dict[str, list[float]]:
    """For games with `only_better`: the share of rounds whose updates were kept."""
    shares: dict[str, list[float]] = {}
    for game in games:
        rules = game.config.adversary
        if rules.only_better and rules.source == "discriminator":
            share = share_of_learning(game.run.records(), rules.first_rounds)
            if share is not None:
                shares.setdefault(game.config.generator, []).append(share)
    return shares


def share_of_learning(records: Sequence[Record], first_rounds: int) -> float | None:
    """Share of the rounds after the first ones whose updates were kept; `None` without rounds."""
    learned = [one["discriminator/learned"] for one in records if one["round"] > first_rounds]
    return sum(learned) / len(learned) if learned else None
