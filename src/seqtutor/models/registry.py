"""Kinds of sequence models by name.

A kind is a `SequenceModel` class. It is found by its name in `MODELS` and `WRAPPERS`, among the
entry points of the group `seqtutor.models`, among those that the running program has registered, in
the tasks of installed packages, or in the files and modules that the environment variable
SEQTUTOR_MODELS names. Nothing is imported before a kind is asked for.
"""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, TypeVar

from seqtutor.errors import UserError
from seqtutor.references import load_reference
from seqtutor.task_registry import find_spec, task_names

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray

    from seqtutor.models.base import SequenceModel
    from seqtutor.models.settings import ModelSettings

MODELS = {
    "lstm": "seqtutor.models.lstm:LSTM",
    "gru": "seqtutor.models.gru:GRU",
}
"""Kinds that can be trained from scratch."""
WRAPPERS = {
    "product": "seqtutor.models.product:ProductModel",
    "adapted": "seqtutor.models.base:AdaptedModel",
}
"""Kinds that are made of other models."""
SETTINGS = {
    "lstm": "seqtutor.models.lstm_settings:LSTMSettings",
}
"""Settings that are to be known without importing their model, and JAX with it."""
GROUP = "seqtutor.models"
"""Entry points of other packages: the name is the kind, the object its class."""
VARIABLE = "SEQTUTOR_MODELS"
"""References (FILE.py:NAME or module:NAME) of the user's own kinds, separated by commas."""

_Kind = TypeVar("_Kind", bound="type[SequenceModel]")
_registered: dict[str, type[SequenceModel]] = {}


def names() -> list[str]:
    """Names of the kinds that can be trained, those of SEQTUTOR_MODELS left out."""
    of_packages = [point.name for point in entry_points(group=GROUP)]
    return list(dict.fromkeys([*MODELS, *of_packages, *_registered]))


def register_model(kind: _Kind) -> _Kind:
    """Make a class known by its `kind` in this process; it can be used as a decorator.

    A class that was registered by the same name before is replaced.

    Raises:
        UserError: if it is not a sequence model with a name, or the package has a kind of that
            name.
    """
    _require_kind(kind, getattr(kind, "__name__", f"the model ({type(kind).__name__})"))
    if kind.kind not in MODELS | WRAPPERS:
        _registered[kind.kind] = kind
    elif registered_kind(kind.kind) is not kind:
        raise UserError(f"seqtutor has a kind of model {kind.kind!r} already; choose another name")
    return kind


def registered_kind(name: str) -> type[SequenceModel]:
    """The class of a kind, by its name alone; a reference is not followed.

    Raises:
        UserError: if no such kind is known, or its code cannot be imported.
    """
    if name in _registered:
        return _registered[name]
    known = MODELS | WRAPPERS
    if name in known:
        return _named(load_reference(known[name]), name, known[name])
    for point in entry_points(group=GROUP, name=name):
        try:
            return _named(point.load(), name, point.value)
        except (ImportError, AttributeError) as error:
            raise UserError(f"the kind of model {name!r} cannot be loaded: {error}") from error
    for task in task_names():
        own = find_spec(task).model_kinds
        if name in own:
            return _named(load_reference(own[name]), name, own[name])
    for reference in filter(None, os.environ.get(VARIABLE, "").split(",")):
        kind = _require_kind(load_reference(reference.strip()), reference)
        if kind.kind == name:
            return register_model(kind)
    raise UserError(
        f"there is no kind of model {name!r} (known: {', '.join(names())}); to use one of your "
        f"own, set {VARIABLE}=FILE.py:NAME, or install a package that registers it under the entry "
        f"points {GROUP!r}"
    )


def chosen_kind(name: str) -> type[SequenceModel]:
    """The class of a kind that the user chose: a name, or a reference, which is followed.

    Raises:
        UserError: if no such kind is known, or its code cannot be imported.
    """
    if ":" not in name:
        return registered_kind(name)
    return register_model(_require_kind(load_reference(name), name))


def settings_type(name: str) -> type[ModelSettings]:
    """The record of the settings that models of a chosen kind are created with.

    Raises:
        UserError: if no such kind is known, or it is made of other models.
    """
    if reference := _settings_apart(name):
        found: type[ModelSettings] = load_reference(reference)
        return found
    kind = chosen_kind(name)
    if kind.Settings is None:
        raise UserError(
            f"a model of the kind {kind.kind!r} is made of other models and cannot be trained from "
            f"scratch; choose one of {', '.join(names())}"
        )
    return kind.Settings


def _settings_apart(name: str) -> str | None:
    """Where the settings of a kind stand in a module without JAX; tasks come last, as for kinds."""
    if name in SETTINGS or name in names() or ":" in name:
        return SETTINGS.get(name)
    of_tasks = (find_spec(task).model_settings for task in task_names())
    return next((own[name] for own in of_tasks if name in own), None)


def create(name: str, vocabulary_size: int, key: PRNGKeyArray, **settings: Any) -> SequenceModel:
    """A new model of a kind with random weights.

    Raises:
        UserError: if there is no such kind, or it does not have such settings.
    """
    return chosen_kind(name).create(vocabulary_size, settings_type(name)(**settings), key)


def _named(kind: object, name: str, where: str) -> type[SequenceModel]:
    checked = _require_kind(kind, where)
    if checked.kind != name:
        raise UserError(f"{where} is registered as {name!r}, but its kind is {checked.kind!r}")
    return checked


def _require_kind(kind: object, where: str) -> type[SequenceModel]:
    from seqtutor.models.base import SequenceModel

    if not (isinstance(kind, type) and issubclass(kind, SequenceModel)):
        raise UserError(f"{where} is not a class derived from seqtutor.SequenceModel")
    if not isinstance(getattr(kind, "kind", None), str):
        raise UserError(f"{where} has no name: give the class an attribute `kind`")
    if kind.__abstractmethods__:
        missing = ", ".join(sorted(kind.__abstractmethods__))
        raise UserError(f"{where} does not define {missing}")
    return kind
