"""Array shapes and types are checked at run time while the tests run."""

from __future__ import annotations

from jaxtyping import install_import_hook

install_import_hook(
    [
        "seqtutor.models",
        "seqtutor.objectives",
        "seqtutor.rewards",
        "seqtutor.training",
        "seqtutor.types",
    ],
    "beartype.beartype",
)
