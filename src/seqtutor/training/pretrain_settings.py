"""Settings of maximum likelihood: those of the training, and those of the model that it makes."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from seqtutor.models.registry import register_model, settings_type
from seqtutor.models.settings import ModelSettings
from seqtutor.settings import (
    CheckedSettings,
    Count,
    NotNegative,
    Positive,
    require,
    require_seed,
)

if TYPE_CHECKING:
    from seqtutor.models.base import SequenceModel


@dataclass(frozen=True)
class PretrainSettings(CheckedSettings):
    """How a prior is trained by maximum likelihood.

    `PretrainSettings.of` takes the settings of the model by name beside those of the training.

    Raises:
        UserError: if there is no such kind of model, or a value is out of its range.
    """

    model: str = "lstm"
    """Kind of model: a registered name such as lstm, or your own class as FILE.py:NAME or
    module:NAME. Each kind has settings of its own; see them with --model KIND --help-all."""
    architecture: ModelSettings = field(default=None)  # type: ignore[assignment]
    """Settings of the model; the defaults of its kind if not given."""
    batch: Count = 128
    """Sequences in each update."""
    learning_rate: Positive = 3e-3
    """Learning rate of Adam at the start; it falls along a cosine to a hundredth."""
    weight_decay: NotNegative = 2.5e-5
    """L2 penalty on the weights."""
    dropout: float = 0.0
    """Share of the features before the readout that each update leaves out, so that a small set is
    not learned by heart."""
    gradient_norm: Positive = 5.0
    """Gradients of a larger norm are scaled down to this one."""
    epochs: Count = 50
    """Largest number of passes over the training sequences."""
    patience: Count = 5
    """Stop after this many epochs without a better validation loss, and keep the best model."""
    seed: int = 0
    """Seed of the weights and of the order of the sequences."""

    @classmethod
    def of(cls, model: str | type[SequenceModel] = "lstm", **changes: Any) -> PretrainSettings:
        """The defaults of a kind of model, changed where asked.

        Args:
            model: its kind, as in the field of that name, or its class, which is then registered.
            changes: settings of the training or of the model, by name.

        Raises:
            UserError: if there is no such kind or setting, or a value is out of its range.
        """
        kind = model if isinstance(model, str) else register_model(model).kind
        return cls(kind).changed(**changes)

    def changed(self, **changes: Any) -> PretrainSettings:
        """The same with other values of some settings, of the training or of the model.

        With another `model`, its settings start from the defaults of that kind.

        Raises:
            UserError: as `of` does.
        """
        if "model" in changes:
            of_kind = replace(self, model=changes.pop("model"), architecture=None)  # type: ignore[arg-type]
            return of_kind.changed(**changes)
        of_model = {one.name for one in fields(self.architecture)}
        known = [*self.flat]
        for name in changes:
            require(
                name in known,
                f"there is no setting {name!r} where the model is {self.model}; there are "
                f"{', '.join(known)}",
            )
        own = {name: value for name, value in changes.items() if name in of_model}
        others = {name: value for name, value in changes.items() if name not in of_model}
        return replace(self, architecture=replace(self.architecture, **own), **others)

    @property
    def flat(self) -> dict[str, Any]:
        """All settings by name, those of the model beside those of the training."""
        own = {**vars(self)}
        return {"model": own.pop("model"), **vars(own.pop("architecture")), **own}

    def __post_init__(self) -> None:
        require(
            isinstance(self.model, str),
            f"model must be the name of a kind, not {self.model}; a class is given to "
            "PretrainSettings.of, or to st.pretrain",
        )
        record = settings_type(self.model)
        if self.architecture is None:
            object.__setattr__(self, "architecture", record())
        require(
            isinstance(self.architecture, record),
            f"the architecture of the model {self.model} must be a {record.__name__}, not "
            f"{self.architecture!r}",
        )
        shared = {*vars(self)} & {*vars(self.architecture)}
        require(
            not shared,
            f"the settings of the model {self.model} and those of the training share the name "
            f"{', '.join(sorted(shared))}; rename the model's",
        )
        super().__post_init__()
        require_seed("seed", self.seed)
        require(
            0 <= self.dropout < 1, f"dropout must be at least 0 and below 1, not {self.dropout}"
        )
