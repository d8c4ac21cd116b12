"""How tyro reads the settings of a tutor: both records flat, with those of the chosen method."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructTypeInfo

from seqtutor.methods.registry import loadable_methods, method_named, method_names
from seqtutor.methods.settings import MethodSettings
from seqtutor.training.settings import TutorSettings, methods_with, require_setting


@dataclass(frozen=True, kw_only=True)
class _Flat(TutorSettings):
    options: Annotated[MethodSettings, tyro.conf.arg(name="")]


def tutor_settings(info: StructTypeInfo) -> StructConstructorSpec | None:
    """A rule for tyro; the default instance decides which method's options there are."""
    if info.type is not TutorSettings:
        return None
    nested = ConstructorRegistry.get_struct_spec(replace(info, type=_Flat))
    assert isinstance(nested, StructConstructorSpec)
    names: Any = Literal[method_names()]
    fields = tuple(
        replace(one, type=names, helptext=_methods) if one.name == "method" else one
        for one in nested.fields
    )
    return replace(nested, instantiate=TutorSettings, fields=fields)


def _methods() -> str:
    lines = (f"- {one.name}: {one.summary}" for one in loadable_methods())
    return "\n".join(["How the policy learns:", *lines])


def require_options_of(method: str, arguments: list[str]) -> None:
    """Refuse an option of another method, naming the methods that have it.

    Raises:
        UserError: if there is one among the arguments.
    """
    for argument in arguments:
        name = argument.removeprefix("--").partition("=")[0].partition(".")[0].replace("-", "_")
        if argument.startswith("--") and methods_with(name):
            require_setting(name, method_named(method))
