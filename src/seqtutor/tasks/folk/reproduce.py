"""`seqtutor reproduce folk`: SeqGAN as published, beside generators held by their prior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from seqtutor.settings import require
from seqtutor.tasks.folk.data_settings import FolkDataSettings
from seqtutor.tasks.folk.scales import SCALES, Scale
from seqtutor.tasks.folk.variants import USUAL, require_variants, variant_named

if TYPE_CHECKING:
    from seqtutor.adversarial.evaluation import RealSequences
    from seqtutor.data import Dataset
    from seqtutor.models.files import SavedModel
    from seqtutor.runs.games import GameJob
    from seqtutor.task_spec import TaskSpec


@dataclass(frozen=True)
class Options:
    """Run a whole experiment: train a prior of tunes, play the games, measure, draw.

    Interrupted, it continues when it is called again: finished games and measurements are kept. The
    tunes that come with music21, used where no others are given, have no chords.
    """

    profile: Literal["smoke", "default", "full"] = "default"
    """How much of it:
    - smoke: two minutes, too short to learn much
    - default: an LSTM of 128 cells, one seed
    - full: the published sizes, three seeds; for a GPU
    """
    output: Path | None = None
    """Folder for everything; by default runs/reproduce-folk-PROFILE."""
    generators: Annotated[tuple[str, ...], tyro.conf.arg(metavar="STR [STR ...]")] = USUAL
    """Generators that play, beside maximum likelihood:
    - reinforce, reinforce-baseline, merl: as published, rewarded by D(x) at the end;
      merl-baseline: the same as merl with the reward baseline, which the paper's had
    - rloo, psi, g, path: held by the prior, rewarded by the discriminator's logit; g and path
      play only if they are named
    - constant, random, frozen: controls, rloo with another reward
    - untrained: control, reinforce from a generator that was not pretrained
    """
    c: float = 1.0
    """Weight of the prior, of the generators that are held by it and of the controls."""
    seeds: int | None = None
    """Seeds of the games, instead of the profile's; all have one prior."""
    rounds: int | None = None
    """Rounds of each game, instead of the profile's."""
    temperatures: Annotated[tuple[float, ...] | None, tyro.conf.arg(metavar="[FLOAT ...]")] = None
    """Temperatures at which maximum likelihood is measured as well, instead of the profile's."""
    judges: int | None = None
    """Judges of each generator, whose mean counts, instead of the profile's."""
    rollouts: int | None = None
    """Monte-Carlo completions of each prefix, whose mean reward is the value of a token (16 in Yu
    et al. 2017), for all generators but psi, g and path; a round takes many times as long."""
    prior: Path | None = None
    """Folder of a prior, from `seqtutor pretrain folk` with the same data; one is trained if not
    given."""
    workers: int | None = None
    """Games at the same time, each in a process of its own; by default one for each core, on a GPU
    one."""
    data: Annotated[FolkDataSettings, tyro.conf.arg(name="")] = field(
        default_factory=FolkDataSettings
    )


def run(spec: TaskSpec[Any], options: Options) -> None:
    """Run it step by step, and print the tables."""
    scale = _scale(options)
    import jax

    from seqtutor.adversarial.evaluation import RealSequences
    from seqtutor.runs.expectation import expectation
    from seqtutor.runs.folder_lock import made_and_locked
    from seqtutor.runs.jobs import worker_count
    from seqtutor.runs.policies import load_prior
    from seqtutor.runs.progress import console

    # Several processes would slow each other down on a GPU.
    in_turn = options.workers is None and jax.default_backend() != "cpu"
    workers = 1 if in_turn else worker_count(options.workers)
    output = options.output or Path("runs") / f"reproduce-folk-{options.profile}"
    require(output.is_dir() or not output.exists(), f"--output {output} is not a folder")
    given = None if options.prior is None else load_prior(spec, options.prior)
    if (minutes := _minutes(options, scale)) is not None and not output.exists():
        console.print(expectation(minutes, scale.seeds * len(options.generators), workers))
    console.rule("1  The tunes and the prior")
    data = spec.read_data(options.data)
    console.print("\n".join(data.summary), highlight=False)
    for warning in data.warnings:
        console.print(warning, style="yellow")
    if given is not None:
        _require_same_data(given, data, "prior with --prior")
    real = RealSequences.of(data, scale.most_real, scale.most_held_out)
    with made_and_locked(output):
        prior = given or _own_prior(spec, scale, data, output)
        _experiment(options, scale, data, real, prior, output, workers)


def _experiment(
    options: Options,
    scale: Scale,
    data: Dataset,
    real: RealSequences,
    prior: SavedModel,
    output: Path,
    workers: int,
) -> None:
    """All that comes after the prior."""
    from seqtutor.runs.games import play_games
    from seqtutor.runs.generator_measures import CachedGeneratorEvaluator
    from seqtutor.runs.interruption import telling_how_to_go_on
    from seqtutor.runs.progress import console
    from seqtutor.runs.terminal import print_table
    from seqtutor.tasks.folk.game_report import sweep_table, table_of, write_report
    from seqtutor.tasks.folk.results import measured

    console.rule("2  The games")
    games = _games(options, scale, data, real, prior, output)
    play_games(games, output, workers)
    console.rule("3  Measuring, each generator by judges of its own")
    evaluator = CachedGeneratorEvaluator(data, real, scale.judge, scale.judges, output)
    with telling_how_to_go_on(output):
        results = measured(evaluator, prior, games, scale.seeds, scale.temperatures)
    console.rule("4  Table, figures, gallery")
    results = replace(
        results,
        is_published_data=options.data.sequences is not None,
        is_trial=options.profile == "smoke",
    )
    remark = _remark(options, scale, data, real)
    path = write_report(results, output, "\n\n".join([remark, *_left_out(games, output)]))
    print_table(table_of(results))
    if results.sweep:
        print_table(sweep_table(results.sweep))
    print(f"Everything is in {output}; begin with {path}")


def _minutes(options: Options, scale: Scale) -> float | None:
    """What the experiment takes on the reference machine, by the number of rounds."""
    usual = SCALES[options.profile]
    if usual.minutes is None or options.rollouts is not None:
        return None
    rounds = scale.seeds * scale.sizes.rounds * len(options.generators)
    usually = usual.seeds * usual.sizes.rounds * len(Options().generators)
    return usual.minutes * rounds / usually


def _scale(options: Options) -> Scale:
    """The profile with the numbers that the options give instead.

    Raises:
        UserError: if a number is out of its range, or a generator cannot play.
    """
    require(0 < options.c < math.inf, f"--c must be above 0, not {options.c}")
    scale = SCALES[options.profile]
    given = {name: getattr(options, name) for name in ("seeds", "judges", "rounds")}
    for name, value in given.items():
        require(value is None or value >= 1, f"--{name} is {value}; it must be at least 1")
    rounds = given.pop("rounds") or scale.sizes.rounds
    sizes = replace(scale.sizes, rounds=rounds, rollouts=options.rollouts)
    numbers = {name: value for name, value in given.items() if value is not None}
    scale = replace(scale, sizes=sizes, **numbers)
    require_variants(options.generators, sizes)
    if options.temperatures is not None:
        scale = replace(scale, temperatures=options.temperatures)
    for temperature in scale.temperatures:
        require(
            0 < temperature < math.inf and temperature != 1,
            f"--temperatures must be above 0 and not 1, which is maximum likelihood; got "
            f"{temperature}",
        )
    names = [f"{temperature:g}" for temperature in scale.temperatures]
    require(
        len(set(names)) == len(names),
        f"--temperatures are told apart by six digits, and two of {', '.join(names)} are the same",
    )
    return scale


def _own_prior(spec: TaskSpec[Any], scale: Scale, data: Dataset, output: Path) -> SavedModel:
    """The experiment's prior, from an earlier call or trained now."""
    from seqtutor.models.files import CONFIG
    from seqtutor.runs.policies import load_prior
    from seqtutor.runs.pretraining import Pretraining, fitting_batch, pretrain_in_folder
    from seqtutor.runs.run_folder import CONFIG as RUN_CONFIG

    folder = output / "prior"
    if not (folder / CONFIG).is_file() or not load_prior(spec, folder).origin.get("finished", True):
        require(
            not any(output.glob(f"*/{RUN_CONFIG}")),
            f"{output} holds games and no prior of its own; give theirs with --prior, or choose "
            "another folder with --output",
        )
        training = fitting_batch(scale.pretraining, data)
        pretrain_in_folder(lambda: Pretraining(spec, data, training), folder)
    prior = load_prior(spec, folder)
    _require_same_data(prior, data, "folder with --output")
    return prior


def _require_same_data(prior: SavedModel, data: Dataset, other: str) -> None:
    require(
        prior.origin["data"].get("sha256") == data.digest,
        f"the prior in {prior.folder} was trained on other sequences; give the same --data and "
        f"its options, or choose another {other}",
    )


def _games(
    options: Options,
    scale: Scale,
    data: Dataset,
    real: RealSequences,
    prior: SavedModel,
    output: Path,
) -> list[GameJob]:
    """Seed after seed, so that a whole experiment exists early."""
    from seqtutor.measures.controls import untrained
    from seqtutor.runs.games import GameConfig, GameJob, unrewarded_task
    from seqtutor.runs.measure_cache import digest
    from seqtutor.tasks.folk.variants import title_of

    assert prior.folder is not None
    task = unrewarded_task(data.vocabulary, data.max_length, prior.origin["task"])
    initial = SCALES["default"].pretraining.architecture
    games = []
    for seed in range(scale.seeds):
        for name in options.generators:
            variant = variant_named(name, scale.sizes, options.c).in_a_game(seed, data.max_length)
            start = prior
            if variant.start == "untrained":
                model = untrained(prior.model, seed, initial)
                start = replace(prior, model=model, folder=None)
            config = GameConfig(
                name,
                data.digest,
                digest(prior.folder),
                len(real.training),
                variant.tutoring,
                variant.adversary,
                variant.start,
                task.name,
            )
            title, folder = f"{title_of(name)}, seed {seed}", output / f"{name}-seed{seed}"
            job = GameJob(title, folder, config, task, start, real.training, real.validation)
            games.append(job)
    return games


def _left_out(games: Sequence[GameJob], output: Path) -> list[str]:
    """A remark on games in the folder that an earlier command has played, if there are any."""
    from seqtutor.runs.run_folder import CONFIG

    own = {game.folder for game in games}
    others = sorted(one.parent.name for one in output.glob(f"*/{CONFIG}") if one.parent not in own)
    if not others:
        return []
    return [
        "Not shown, since this command did not name them: the games of earlier commands "
        f"{', '.join(others)}."
    ]


def _remark(options: Options, scale: Scale, data: Dataset, real: RealSequences) -> str:
    from seqtutor.runs.provenance import made_by_in_words
    from seqtutor.runs.terminal import counted

    remark = (
        f"Tunes: {data.origin['data']['source']}; tokenisation {data.origin['tokenisation']}, "
        f"{data.vocabulary.size:,} token types, sequences of {data.max_length} tokens. "
        f"{counted(scale.seeds, 'seed', 'seeds')}, {scale.sizes.rounds} rounds a game after "
        f"{scale.sizes.first_rounds} of the discriminator alone, {len(real.training):,} real "
        f"sequences for each discriminator and judge, {len(real.held_out):,} held out to measure "
        f"on, c = {options.c:g}."
    )
    if options.rollouts is not None:
        completions = counted(options.rollouts, "completion", "completions")
        remark += f" Rewards by {completions} of each prefix."
    if options.profile == "smoke":
        remark += " A smoke run: it shows that everything works; nothing has been learned."
    return f"{remark}\n\n{made_by_in_words()}"
