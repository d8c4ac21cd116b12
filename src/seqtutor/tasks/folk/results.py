"""The results of the adversarial experiment: measures, curves and samples of finished games."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqtutor.adversarial.evaluation import measure_real
from seqtutor.adversarial.files import DISCRIMINATOR, load_discriminator
from seqtutor.measure import Estimates
from seqtutor.measures.controls import TemperedModel
from seqtutor.models.files import SavedModel, load_model
from seqtutor.report.plots import History
from seqtutor.runs.games import GameJob
from seqtutor.runs.generator_measures import CachedGeneratorEvaluator
from seqtutor.runs.run_folder import as_columns
from seqtutor.tasks.folk.gallery import write_gallery, write_real_gallery
from seqtutor.tasks.folk.next_token import NextToken, next_token
from seqtutor.tasks.folk.variants import MAXIMUM_LIKELIHOOD, REAL, title_of
from seqtutor.training.run import Record


@dataclass(frozen=True)
class Results:
    """All that the report shows.

    Attributes:
        evaluator: measures generators by the data.
        prior: maximum likelihood.
        games: finished ones.
        generators: by name, the measures of each seed; maximum likelihood comes first.
        sweep: the measures of maximum likelihood by temperature.
        is_published_data: whether the paper's figures are of the same sequences.
        is_trial: whether too little was run to learn anything.
    """

    evaluator: CachedGeneratorEvaluator
    prior: SavedModel
    games: Sequence[GameJob]
    generators: dict[str, list[Estimates]]
    sweep: dict[float, Estimates]
    is_published_data: bool = False
    is_trial: bool = False

    @property
    def first_games(self) -> dict[str, GameJob]:
        """The game of the first seed, by generator."""
        return {game.config.generator: game for game in reversed(self.games)}

    def next_token(self) -> NextToken:
        """The first seed's distributions in the middle of the first held-out sequence."""
        names = dict.fromkeys(game.config.generator for game in self.games)
        models = {name: load_model(self.first_games[name].run.model).model for name in names}
        sequence = np.asarray(self.evaluator.real.held_out.tokens[0])
        return next_token(
            {MAXIMUM_LIKELIHOOD: self.prior.model, **models},
            self.prior.vocabulary,
            sequence,
            len(sequence) // 2,
        )

    def write_galleries(self) -> dict[str, list[str]]:
        """Write samples of the first seed, those of maximum likelihood chosen by a judge.

        Returns:
            By generator, lines of Markdown with links.
        """
        folder = self.evaluator.output / "gallery"
        judge = self.evaluator.judge_of(f"{MAXIMUM_LIKELIHOOD}-seed0")
        pages = {
            MAXIMUM_LIKELIHOOD: write_gallery(
                title_of(MAXIMUM_LIKELIHOOD), self.prior, judge, 0, folder / MAXIMUM_LIKELIHOOD
            ),
            REAL: write_real_gallery(
                title_of(REAL), self.evaluator.real.held_out, self.prior, judge, folder / REAL
            ),
        }
        for name in dict.fromkeys(game.config.generator for game in self.games):
            game = self.first_games[name]
            generator, opponent = load_model(game.run.model), load_discriminator(game.folder).model
            seed = game.config.tutoring.seed
            pages[name] = write_gallery(title_of(name), generator, opponent, seed, folder / name)
        return pages

    def histories(self) -> dict[str, list[History]]:
        """The rounds with likelihood and BLEU, as columns; by generator one for each seed."""
        histories: dict[str, list[History]] = {}
        for game in self.games:
            records = [one for one in game.run.records() if "likeness/cross_entropy" in one]
            if records:
                columns = as_columns(records)
                own: History = {**columns, "step": columns["round"]}
                histories.setdefault(game.config.generator, []).append(own)
        return histories

    def shares_of_learning(self) -> dict[str, list[float]]:
        """For games with `only_better`: the share of rounds whose updates were kept, by seed."""
        shares: dict[str, list[float]] = {}
        for game in self.games:
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


def measured(
    evaluator: CachedGeneratorEvaluator,
    prior: SavedModel,
    games: Sequence[GameJob],
    seeds: int,
    temperatures: Sequence[float],
) -> Results:
    """Measure all generators, real tunes, and maximum likelihood at other temperatures.

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
            load_model(game.run.model).model,
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
    return Results(evaluator, prior, games, generators, sweep)
