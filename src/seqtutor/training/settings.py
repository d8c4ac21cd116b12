"""Settings of training; they are the command line's options and every run's config.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from seqtutor.errors import UserError
from seqtutor.methods.registry import DEFAULT_METHOD, loadable_methods, method_named
from seqtutor.methods.settings import (
    NO_EXPLORATION,
    BatchSettings,
    MethodSettings,
    ReplaySettings,
)
from seqtutor.settings import (
    CheckedSettings,
    Count,
    NotNegative,
    Positive,
    Range,
    Share,
    require,
    require_seed,
)

if TYPE_CHECKING:
    from seqtutor.methods.base import Method

MOST_STEPS = 10**10
"""Two weeks at ten thousand a second, before any counter overflows."""

SMALLEST_C = 1e-6
"""Below it, rewards drown every log-probability in single precision."""


@dataclass(frozen=True, kw_only=True)
class TutorSettings(CheckedSettings):
    """How a prior is tuned: settings of every method, and in `options` those of the chosen one.

    `TutorSettings.of` makes one from the flat names of both.

    Raises:
        UserError: if a value is out of its range or does not go with the method.
    """

    method: str
    """How the policy learns."""
    c: Annotated[float, Range(at_least=SMALLEST_C)] = 0.5
    """Weight of the prior: the policy maximises E[r]/c − KL(π‖p); smaller obeys the reward more."""
    discount: Share = 0.8
    """γ: how much a later reward counts a step earlier."""
    options: MethodSettings
    """The method's own settings."""
    steps: Annotated[int, Range(above=0, at_most=MOST_STEPS)] = 3_000_000
    """Environment steps (tokens generated) in all, to the nearest whole collection."""
    environments: Count = 128
    """Sequences collected at a time."""
    network: Literal["prior", "task"] = "prior"
    """What the policy's network is:
    - prior: a copy of the prior, which learns from the tokens alone
    - task: one of the task's own that is given the state of the reward, beside the frozen prior,
      whose log-probabilities are added to its logits
    """
    optimiser: Literal["adam", "muon"] = "adam"
    """How gradients become steps:
    - adam: each weight by itself
    - muon: matrices as a whole, all of whose directions then learn as fast, vectors as adam does;
      gets further in as many updates, at a larger learning rate such as 0.01
    """
    learning_rate: Positive = 3e-3
    """Learning rate at the start."""
    learning_rate_final_share: Share = 0.02
    """What is left of the learning rate at the end of its cosine decay."""
    gradient_norm: Positive = 10.0
    """Gradients of a larger norm are scaled down to this one."""
    seed: int = 0
    """Seed of every random number of the run."""
    log_every: Count = 20_000
    """Environment steps between two records, about: the run is cut into records of one length, but
    for a collection more or less."""
    stop_at_kl: Positive | None = None
    """End the run at the first record whose KL divergence from the prior, in nats a step, reaches
    this; --log-every says how often there is one."""
    stop_on_collapse: bool = False
    """End the run when the policy has collapsed; otherwise there is only a warning."""
    collapse_entropy: NotNegative = 0.1
    """Entropy, in nats a step, under which a policy counts as collapsed."""
    collapse_distinct: NotNegative = 0.5
    """Share of its first distinct sequences in a batch under which it does so too."""

    @classmethod
    def of(cls, method: str = DEFAULT_METHOD, **changes: Any) -> TutorSettings:
        """The defaults of a method, changed where asked.

        Args:
            method: its name.
            changes: settings of either record by name.

        Raises:
            UserError: if there is no such method, the method has no such setting, or a setting is
                out of its range.
        """
        chosen = method_named(method)
        common, own = _split(chosen, changes)
        defaults = {"discount": chosen.discount}
        return cls(method=method, options=chosen.settings(**own), **{**defaults, **common})

    @property
    def symbol(self) -> str:
        """What tables and figures call the method."""
        return method_named(self.method).symbol

    def with_changes(self, **changes: Any) -> TutorSettings:
        """The same settings but for those given, of either record.

        Raises:
            UserError: as `of` does.
        """
        common, own = _split(method_named(self.method), changes)
        return replace(self, options=replace(self.options, **own), **common)

    def __post_init__(self) -> None:
        chosen = method_named(self.method)
        super().__post_init__()
        require_seed("seed", self.seed)
        require(
            type(self.options) is chosen.settings,
            f"the settings are those of another method than {self.method}; begin with that "
            "method's defaults",
        )
        options, environments = self.options, self.environments
        if isinstance(options, ReplaySettings):
            require(
                options.replay_capacity % environments == 0,
                f"replay_capacity ({options.replay_capacity}) must be a multiple of environments "
                f"({environments})",
            )
            return
        if chosen.learns_from_votes:
            return
        require(
            environments > 1,
            f"{self.method} compares the sequences of a collection: environments must be above 1",
        )
        require(
            not isinstance(options, BatchSettings) or options.batch <= environments,
            f"{self.method} draws batches from the collection: batch "
            f"({getattr(options, 'batch', 0)}) must not be above environments ({environments})",
        )


_COMMON = tuple(one.name for one in fields(TutorSettings) if one.name != "options")


def setting_names(method: Method) -> tuple[str, ...]:
    """The flat names of the settings of a method: its own, and those of every method."""
    return (*_COMMON, *(one.name for one in fields(method.settings)))


def applicable_settings(method: str, **settings: Any) -> dict[str, Any]:
    """Those of the settings that the method has, for presets of all methods.

    Raises:
        UserError: if there is no such method.
    """
    names = setting_names(method_named(method))
    return {name: value for name, value in settings.items() if name in names}


def undiscounted(method: str, **settings: Any) -> dict[str, Any]:
    """`applicable_settings` for a reward that is paid at the end: γ = λ = 1 and no exploration."""
    whole = {"discount": 1.0, "trace": 1.0, "exploration": NO_EXPLORATION}
    return applicable_settings(method, **whole, **settings)


def require_setting(name: str, method: Method) -> None:
    """Raise a `UserError` unless the method has a setting of that name."""
    names = setting_names(method)
    if name in names:
        return
    others = methods_with(name)
    if others:
        raise UserError(f"{name} is a setting of {', '.join(others)}, not of {method.name}")
    raise UserError(f"there is no setting {name!r}; there are {', '.join(names)}")


def methods_with(setting: str) -> list[str]:
    """The methods that have a setting of that name."""
    return [one.name for one in loadable_methods() if setting in setting_names(one)]


def _split(method: Method, flat: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Flat settings as those of every method and the method's own."""
    for name in flat:
        require_setting(name, method)
    common = {name: value for name, value in flat.items() if name in _COMMON}
    return common, {name: value for name, value in flat.items() if name not in _COMMON}


def to_flat(settings: TutorSettings) -> dict[str, Any]:
    """Both records as one mapping of plain values, the method's own where `options` stands."""
    flat: dict[str, Any] = {}
    for name, value in asdict(settings).items():
        flat |= value if name == "options" else {name: value}
    return flat


_WHEN_IGNORED = {
    "trace": 0.8,
    "priority_exponent": 0.0,
    "importance_exponent": 0.4,
    "target_rate": 0.05,
    "value_body_share": 0.1,
    "double_q": False,
    "entropy_weight": 1.0,
    "log_partition": "learned",
    "clip": 0.2,
    "value_weight": 0.5,
}
"""What a method that lacks them was written with, before methods had settings of their own."""
_IGNORED = {"updates", "batch", "replay_capacity", "huber_threshold", "value_scale", "exploration"}
"""What such a method was written with whatever it was."""


def from_flat(flat: Mapping[str, Any]) -> TutorSettings:
    """The settings that `to_flat` gives as a mapping; what is missing is the method's default.

    Mappings written before methods had settings of their own hold those of all methods. What the
    method lacks is dropped from them.

    Raises:
        UserError: as `TutorSettings.of` does.
    """
    given = dict(flat)
    method = method_named(given.pop("method", DEFAULT_METHOD))
    names = setting_names(method)
    # No method has both, so that these are the settings of all.
    if {"double_q", "entropy_weight"} <= given.keys():
        for name in [*_WHEN_IGNORED, *_IGNORED]:
            if name in given and name not in names:
                value = given.pop(name)
                if name in _WHEN_IGNORED and value != _WHEN_IGNORED[name]:
                    require_setting(name, method)
    hints = get_type_hints(TutorSettings) | get_type_hints(method.settings)
    typed = {name: _typed(hints.get(name), value) for name, value in given.items()}
    return TutorSettings.of(method.name, **typed)


def _typed(hint: Any, value: Any) -> Any:
    """A plain value as the type of its field."""
    if isinstance(value, Mapping) and isinstance(hint, type) and is_dataclass(hint):
        unknown = value.keys() - {one.name for one in fields(hint)}
        require(not unknown, f"there is no setting {', '.join(sorted(map(str, unknown)))}")
        inner = get_type_hints(hint)
        return hint(**{name: _typed(inner[name], one) for name, one in value.items()})
    if isinstance(value, str) and hint == Path | None:
        return Path(value)
    is_float = hint is float or hint == float | None
    return float(value) if is_float and type(value) is int else value
