"""`seqtutor reproduce folk`: SeqGAN as published, beside generators held by their prior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from seqtutor.adversarial.settings import JudgeSettings
from seqtutor.cli.pretrain_folk import (
    load_and_tell,
    train_and_save,
    usual_data,
    usual_training,
)
from seqtutor.settings import require
from seqtutor.tasks.folk.data_settings import FolkDataSettings
from seqtutor.tasks.folk.variants import (
    USUAL,
    GameSizes,
    require_variants,
    variant_named,
)
from seqtutor.training.pretrain_settings import PretrainSettings

if TYPE_CHECKING:
    from seqtutor.cli.folk_games import GameFolder
    from seqtutor.models.files import SavedModel
    from seqtutor.tasks.folk.dataset import FolkData
    from seqtutor.tasks.folk.evaluation import RealTunes


@dataclass(frozen=True)
class Profile:
    """How much of the experiment is run.

    Attributes:
        seeds: of the games.
        most_real: sequences to play with and to judge by, at most.
        most_held_out: sequences to validate and to measure on, each, at most.
        pretraining: of the prior.
        sizes: of the games.
        judge: the settings of the judges.
        judges: how many of them each generator has.
        temperatures: of the sweep.
    """

    seeds: int
    most_real: int | None
    most_held_out: int | None
    pretraining: PretrainSettings
    sizes: GameSizes
    judge: JudgeSettings
    judges: int
    temperatures: tuple[float, ...]


MOST_REAL, MOST_HELD_OUT = 2048, 350
"""Real sequences in the default profile: all of Nottingham's and of the published ones; a part of
music21's, which are three times as many."""


def usual_judge() -> JudgeSettings:
    """The judges of the default profile."""
    return JudgeSettings(epochs=20, patience=3)


PROFILES = {
    "smoke": Profile(
        seeds=1,
        most_real=128,
        most_held_out=128,
        pretraining=PretrainSettings.of(hidden_sizes=(16,), batch=32, epochs=2),
        sizes=GameSizes(
            rounds=2,
            first_rounds=1,
            environments=16,
            anchored_environments=16,
            anchored_iterations=1,
            generated=64,
            discriminator_batch=32,
        ),
        judge=JudgeSettings(epochs=2, patience=1),
        judges=1,
        temperatures=(0.7,),
    ),
    "default": Profile(
        seeds=1,
        most_real=MOST_REAL,
        most_held_out=MOST_HELD_OUT,
        pretraining=usual_training(),
        sizes=GameSizes(),
        judge=usual_judge(),
        judges=3,
        temperatures=(0.5, 0.7, 0.85, 1.15),
    ),
    "full": Profile(
        seeds=3,
        most_real=None,
        most_held_out=None,
        pretraining=usual_training().changed(
            hidden_sizes=(512,),
            embedding_size=32,
            batch=16,
            learning_rate=4e-3,
            dropout=0.5,
        ),
        sizes=GameSizes(
            rounds=100,
            first_rounds=100,
            discriminator_epochs=3,
            environments=128,
            generated=1408,
            diagnoses=20,
            discriminator="bjare",
            discriminator_rate=1e-4,
        ),
        judge=JudgeSettings(),
        judges=5,
        temperatures=(0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2),
    ),
}


@dataclass(frozen=True)
class Options:
    """Run a whole experiment: train a prior of tunes, play the games, measure, draw.

    Interrupted, it goes on where it stopped when it is called again: what is finished is kept. The
    tunes that come with music21, used where no others are given, have no chords.
    """

    task: tyro.conf.Positional[Literal["folk"]] = "folk"
    """Which experiment. folk: Table 1 of Bjare & Meredith (2020), and what it lacks."""
    profile: Literal["smoke", "default", "full"] = "default"
    """How much of it:
    - smoke: two minutes, too short to learn much
    - default: an LSTM of 128 cells, one seed
    - full: the published sizes, three seeds; for a GPU
    """
    output: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder for everything; by default runs/reproduce-folk-PROFILE."""
    generators: Annotated[tuple[str, ...], tyro.conf.arg(metavar="STR [STR ...]")] = USUAL
    """Which generators play, beside maximum likelihood:
    - reinforce, reinforce-baseline, merl: as published, rewarded by D(x) at the end
    - rloo, psi, g, path: anchored to the prior, rewarded by the discriminator's logit; g and path
      play only if they are named
    - constant, random, frozen: controls, rloo with another reward
    - untrained: control, reinforce from a generator that was not pretrained
    """
    c: float = 1.0
    """Weight of the prior, of the anchored generators and the controls."""
    seeds: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Seeds of the games, instead of the profile's; all have one prior."""
    rounds: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Rounds of each game, instead of the profile's."""
    temperatures: Annotated[tuple[float, ...] | None, tyro.conf.arg(metavar="[FLOAT ...]")] = None
    """Of the sweep of maximum likelihood, instead of the profile's."""
    judges: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Fresh judges of each generator, whose mean counts, instead of the profile's."""
    rollouts: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Monte-Carlo completions of each prefix, by whose mean reward a token is judged (16 in Yu et
    al. 2017), of all generators but psi, g and path; a round takes many times as long."""
    prior: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder of a prior, from `seqtutor pretrain folk` with the same data; one is trained if not
    given."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Games at the same time, each in a process of its own; by default one for each core, on a GPU
    one."""
    data: Annotated[FolkDataSettings, tyro.conf.arg(name="")] = field(default_factory=usual_data)


def run(options: Options) -> None:
    """Do it step by step, saying what happens."""
    profile = _profile(options)
    import jax

    from seqtutor.runs.folder_lock import made_and_locked
    from seqtutor.runs.jobs import worker_count
    from seqtutor.runs.progress import console
    from seqtutor.tasks.folk.evaluation import RealTunes
    from seqtutor.tasks.folk.model import load_folk_model

    # Several processes would get in each other's way on a GPU.
    in_turn = options.workers is None and jax.default_backend() != "cpu"
    workers = 1 if in_turn else worker_count(options.workers)
    output = options.output or Path("runs") / f"reproduce-folk-{options.profile}"
    require(output.is_dir() or not output.exists(), f"--output {output} is not a folder")
    given = None if options.prior is None else load_folk_model(options.prior)
    console.rule("1  The tunes and the prior")
    data = load_and_tell(options.data)
    if given is not None:
        _require_same_data(given, data, options)
    real = RealTunes.of(data, profile.most_real, profile.most_held_out)
    with made_and_locked(output):
        prior = given or _own_prior(options, profile, data, output)
        _experiment(options, profile, data, real, prior, output, workers)


def _experiment(
    options: Options,
    profile: Profile,
    data: FolkData,
    real: RealTunes,
    prior: SavedModel,
    output: Path,
    workers: int,
) -> None:
    """All that comes after the prior."""
    from seqtutor.cli.folk_laboratory import FolkLaboratory
    from seqtutor.cli.folk_results import measure_all, results_of
    from seqtutor.cli.output import print_table
    from seqtutor.runs.interruption import telling_how_to_go_on
    from seqtutor.runs.progress import console
    from seqtutor.tasks.folk.game_report import sweep_table, table_of, write_report

    console.rule("2  The games")
    games = _games(options, profile, data, prior, output, len(real.played))
    _play(games, prior, real, output, workers)
    console.rule("3  Measuring, each by judges of its own")
    laboratory = FolkLaboratory(data, real, profile.judge, profile.judges, output)
    with telling_how_to_go_on(output):
        generators, sweep = measure_all(
            laboratory, prior, games, profile.seeds, profile.temperatures
        )
    console.rule("4  Table, figures, gallery")
    results = results_of(
        laboratory,
        prior,
        games,
        generators,
        sweep,
        is_published_data=options.data.sequences is not None,
        is_trial=options.profile == "smoke",
    )
    remark = _remark(options, profile, data, real)
    path = write_report(results, output, "\n\n".join([remark, *_left_out(games, output)]))
    print_table(table_of(results))
    if sweep:
        print_table(sweep_table(sweep))
    print(f"Everything is in {output}; begin with {path}")


def _profile(options: Options) -> Profile:
    require(0 < options.c < math.inf, f"--c must be above 0, not {options.c}")
    profile = PROFILES[options.profile]
    for name in ("seeds", "rounds", "judges"):
        value = getattr(options, name)
        require(value is None or value >= 1, f"--{name} is {value}; it must be at least 1")
    if options.seeds is not None:
        profile = replace(profile, seeds=options.seeds)
    if options.judges is not None:
        profile = replace(profile, judges=options.judges)
    if options.rounds is not None:
        profile = replace(profile, sizes=replace(profile.sizes, rounds=options.rounds))
    profile = replace(profile, sizes=replace(profile.sizes, rollouts=options.rollouts))
    require_variants(options.generators, profile.sizes)
    if options.temperatures is not None:
        profile = replace(profile, temperatures=options.temperatures)
    for temperature in profile.temperatures:
        require(
            0 < temperature < math.inf and temperature != 1,
            f"--temperatures must be above 0 and not 1, which is maximum likelihood; got "
            f"{temperature}",
        )
    named = [f"{temperature:g}" for temperature in profile.temperatures]
    require(
        len(set(named)) == len(named),
        f"--temperatures are told apart by six digits, and two of {', '.join(named)} are the same",
    )
    return profile


def _own_prior(options: Options, profile: Profile, data: FolkData, output: Path) -> SavedModel:
    """The experiment's prior, which was trained before or is trained now."""
    from seqtutor.models.files import CONFIG
    from seqtutor.runs.run_folder import CONFIG as RUN_CONFIG
    from seqtutor.tasks.folk.model import load_folk_model

    folder = output / "prior"
    if not (folder / CONFIG).is_file():
        require(
            not any(output.glob(f"*/{RUN_CONFIG}")),
            f"{output} holds games and no prior of its own; give theirs with --prior, or choose "
            "another folder with --output",
        )
        train_and_save(data, options.data, profile.pretraining, folder)
    prior = load_folk_model(folder)
    _require_same_data(prior, data, options)
    return prior


def _require_same_data(prior: SavedModel, data: FolkData, options: Options) -> None:
    other = "folder with --output" if options.prior is None else "prior with --prior"
    require(
        prior.origin["data"].get("sha256") == data.digest,
        f"the prior in {prior.folder} was trained on other sequences; give the same --data and "
        f"its options, or choose another {other}",
    )


def _games(
    options: Options,
    profile: Profile,
    data: FolkData,
    prior: SavedModel,
    output: Path,
    real: int,
) -> list[GameFolder]:
    """Seed after seed, so that a whole experiment is there early."""
    from seqtutor.cli.folk_games import GameFolder
    from seqtutor.runs.measure_cache import digest
    from seqtutor.tasks.folk.game import FolkGame

    assert prior.folder is not None
    own = digest(prior.folder)
    games = []
    for seed in range(profile.seeds):
        for name in options.generators:
            variant = variant_named(name, profile.sizes, options.c)
            variant = variant.in_a_game(seed, data.length)
            game = FolkGame(
                name,
                data.digest,
                own,
                real,
                variant.tutoring,
                variant.adversary,
                variant.start,
            )
            games.append(GameFolder(output / f"{name}-seed{seed}", game))
    return games


def _play(
    games: Sequence[GameFolder], prior: SavedModel, real: RealTunes, output: Path, workers: int
) -> None:
    """Those that are not over yet: in this process, or several at a time in others."""
    from seqtutor.cli.folk_games import play_in_turn
    from seqtutor.cli.folk_jobs import play_side_by_side
    from seqtutor.runs.progress import console

    waiting = sum(not game.is_done for game in games)
    if waiting < len(games):
        console.print(f"{len(games) - waiting} games are over already")
    if min(workers, waiting) > 1:
        play_side_by_side(games, prior, real, output, workers)
    else:
        play_in_turn(games, prior, real, output)


def _left_out(games: Sequence[GameFolder], output: Path) -> list[str]:
    """What is to be said of games in the folder that an earlier command has played, if any."""
    from seqtutor.runs.run_folder import CONFIG

    own = {game.path for game in games}
    others = sorted(one.parent.name for one in output.glob(f"*/{CONFIG}") if one.parent not in own)
    if not others:
        return []
    return [
        "Not shown, since this command did not name them: the games of earlier commands "
        f"{', '.join(others)}."
    ]


def _remark(options: Options, profile: Profile, data: FolkData, real: RealTunes) -> str:
    from seqtutor.cli.output import counted
    from seqtutor.cli.pretrain_folk import source_of
    from seqtutor.runs.provenance import made_by_in_words

    remark = (
        f"Tunes: {source_of(options.data)}; tokenisation {data.tokenisation.name}, "
        f"{data.vocabulary.size:,} token types, sequences of {data.length} tokens. "
        f"{counted(profile.seeds, 'seed', 'seeds')}, {profile.sizes.rounds} rounds a game after "
        f"{profile.sizes.first_rounds} of the discriminator alone, {len(real.played):,} real "
        f"sequences for each discriminator and judge, {len(real.held_out):,} held out to measure "
        f"on, c = {options.c:g}."
    )
    if options.rollouts is not None:
        completions = counted(options.rollouts, "completion", "completions")
        remark += f" Rewards by {completions} of each prefix."
    if options.profile == "smoke":
        remark += " A smoke run: it shows that everything works; nothing has been learned."
    return f"{remark}\n\n{made_by_in_words()}"
