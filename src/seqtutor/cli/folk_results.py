"""What the folk experiment shows of games that are over: measures, curves, samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqtutor.cli.folk_gallery import hang, hang_real
from seqtutor.cli.folk_games import DISCRIMINATOR, GameFolder
from seqtutor.cli.folk_laboratory import FolkLaboratory
from seqtutor.measures.controls import TemperedModel
from seqtutor.models.files import SavedModel
from seqtutor.tasks.folk.evaluation import FolkEvaluation, RealTunes, evaluate_real
from seqtutor.tasks.folk.game_report import FolkResults, Gallery
from seqtutor.tasks.folk.next_token import NextToken, next_token
from seqtutor.tasks.folk.variants import MAXIMUM_LIKELIHOOD, REAL, title_of
from seqtutor.training.run import Record


def measure_all(
    laboratory: FolkLaboratory,
    prior: SavedModel,
    games: Sequence[GameFolder],
    seeds: int,
    temperatures: Sequence[float],
) -> tuple[dict[str, list[FolkEvaluation]], dict[float, FolkEvaluation]]:
    """All generators, real tunes, and maximum likelihood at other temperatures.

    Raises:
        UserError: if there are too few sequences for a judge, or a file cannot be written.
    """
    assert prior.folder is not None
    total = seeds + len(games) + len(temperatures)
    places = (f"{number} of {total}" for number in range(1, total + 1))
    generators = {
        MAXIMUM_LIKELIHOOD: [
            laboratory.measure(
                f"{MAXIMUM_LIKELIHOOD}-seed{seed}",
                prior.model,
                prior.folder,
                seed=seed,
                place=next(places),
            )
            for seed in range(seeds)
        ]
    }
    for game in games:
        found = laboratory.measure(
            game.path.name,
            game.generator().model,
            game.run.model,
            seed=game.game.tutoring.seed,
            place=next(places),
            discriminator=game.path / DISCRIMINATOR,
        )
        generators.setdefault(game.game.generator, []).append(found)
    generators[REAL] = [evaluate_real(laboratory.real)]
    sweep = {
        temperature: laboratory.measure(
            f"temperature={temperature:g}",
            TemperedModel(prior.model, temperature),
            prior.folder,
            seed=0,
            place=next(places),
            temperature=temperature,
        )
        for temperature in sorted(temperatures)
    }
    return generators, sweep


def results_of(
    laboratory: FolkLaboratory,
    prior: SavedModel,
    games: Sequence[GameFolder],
    generators: dict[str, list[FolkEvaluation]],
    sweep: dict[float, FolkEvaluation],
    *,
    is_published_data: bool,
    is_trial: bool,
) -> FolkResults:
    """What was measured, how it came about, and samples to hear.

    Raises:
        UserError: if a file cannot be written.
    """
    return FolkResults(
        generators,
        sweep,
        _histories(games),
        _galleries(laboratory, prior, games),
        _learning(games),
        is_published_data=is_published_data,
        is_trial=is_trial,
        next_token=_next_token(prior, laboratory.real, games),
    )


def _next_token(prior: SavedModel, real: RealTunes, games: Sequence[GameFolder]) -> NextToken:
    """What the first seed's generators expect in the middle of the first held-out sequence."""
    models = {MAXIMUM_LIKELIHOOD: prior.model}
    for game in games:
        if game.game.generator not in models:
            models[game.game.generator] = game.generator().model
    sequence = np.asarray(real.held_out.tokens[0])
    return next_token(models, prior.vocabulary, sequence, len(sequence) // 2)


def _galleries(
    laboratory: FolkLaboratory, prior: SavedModel, games: Sequence[GameFolder]
) -> dict[str, Gallery]:
    """Of the first seed: maximum likelihood and real tunes before a judge."""
    folder = laboratory.output / "gallery"
    judge = laboratory.judge_of(f"{MAXIMUM_LIKELIHOOD}-seed0")
    title = title_of(MAXIMUM_LIKELIHOOD)
    galleries = {MAXIMUM_LIKELIHOOD: hang(title, prior, judge, 0, folder / MAXIMUM_LIKELIHOOD)}
    galleries[REAL] = hang_real(
        title_of(REAL), laboratory.real.held_out, prior, judge, folder / REAL
    )
    for game in games:
        name, seed = game.game.generator, game.game.tutoring.seed
        if name not in galleries:
            galleries[name] = hang(
                title_of(name), game.generator(), game.discriminator(), seed, folder / name
            )
    return galleries


def _histories(games: Sequence[GameFolder]) -> dict[str, list[dict[str, list[float]]]]:
    """The rounds that were diagnosed, as columns; by generator a history for each seed."""
    histories: dict[str, list[dict[str, list[float]]]] = {}
    for game in games:
        records = [one for one in game.run.records() if "likeness/cross_entropy" in one]
        if records:
            shared = set.intersection(*(set(record) for record in records))
            columns = {name: [record[name] for record in records] for name in shared}
            columns["step"] = [record["round"] for record in records]
            histories.setdefault(game.game.generator, []).append(columns)
    return histories


def _learning(games: Sequence[GameFolder]) -> dict[str, list[float]]:
    """Of games whose discriminator may lose what it learned in a round: how often it does not."""
    shares: dict[str, list[float]] = {}
    for game in games:
        rules = game.game.adversary
        if rules.only_better and rules.source == "discriminator":
            share = share_of_learning(game.run.records(), rules.first_rounds)
            if share is not None:
                shares.setdefault(game.game.generator, []).append(share)
    return shares


def share_of_learning(records: Sequence[Record], first_rounds: int) -> float | None:
    """In how many rounds after the first ones the discriminator learned, or `None` of no rounds."""
    learned = [one["discriminator/learned"] for one in records if one["round"] > first_rounds]
    return sum(learned) / len(learned) if learned else None
