"""Array shapes and types are checked at run time while the tests run."""

from __future__ import annotations

import signal

from jaxtyping import install_import_hook

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # Of a shell's background job; programs that the tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

install_import_hook(
    [
        "seqtutor.models",
        "seqtutor.objectives",
        "seqtutor.rewards",
        # All of training but its settings, which say themselves what is wrong with a value.
        "seqtutor.training.adversary",
        "seqtutor.training.bleu",
        "seqtutor.training.controls",
        "seqtutor.training.discriminating",
        "seqtutor.training.discriminator_reward",
        "seqtutor.training.diversity",
        "seqtutor.training.exploration",
        "seqtutor.training.judge",
        "seqtutor.training.likeness",
        "seqtutor.training.measuring",
        "seqtutor.training.pretrain",
        "seqtutor.training.pretrain_on_disk",
        "seqtutor.training.replay",
        "seqtutor.training.rollout",
        "seqtutor.training.run",
        "seqtutor.training.seeds",
        "seqtutor.training.tutor",
        "seqtutor.types",
    ],
    "beartype.beartype",
)
