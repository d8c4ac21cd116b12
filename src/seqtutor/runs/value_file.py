"""The soft values that a run learned, in a file of its folder beside the policy.

A policy needs no values, so that `model/` has none. With them, and the policy's own logits, the
network is what it was at the end of the run: sequential Monte Carlo looks ahead by it.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import safetensors.numpy

from seqtutor.errors import UserError
from seqtutor.files import atomic_write, read_regular
from seqtutor.methods.registry import method_named
from seqtutor.methods.settings import ValueSettings
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import UNREADABLE
from seqtutor.models.product import ProductModel
from seqtutor.runs.run_folder import RunFolder
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor

VALUE = "value.safetensors"
WEIGHT, BIAS = "weight", "bias"
MOST_BYTES = 2**24


def save_value(tutor: Tutor, folder: RunFolder, network: ActionValueNetwork) -> None:
    """Write the scalar readout of a run's network, if its method learns soft values.

    Raises:
        UserError: if the file cannot be written.
    """
    if tutor.method.soft_value is None:
        return
    arrays = {WEIGHT: np.asarray(network.value_weight), BIAS: np.asarray(network.value_bias)}
    atomic_write(folder.path / VALUE, safetensors.numpy.save(arrays))


def load_network(
    folder: RunFolder, policy: SequenceModel, settings: TutorSettings
) -> ActionValueNetwork | None:
    """The network that a run ended with; `None` where its folder has no values.

    Args:
        folder: of the run.
        policy: of the run, as it was saved.
        settings: of the run.

    Raises:
        UserError: if the file is damaged, or of another network.
    """
    path = folder.path / VALUE
    if not path.exists():
        return None
    begins_at_zero = method_named(settings.method).logits_start == "zero"
    is_factor = begins_at_zero or settings.network == "task"
    model, is_residual = policy, False
    if is_factor and isinstance(policy, ProductModel):
        model, is_residual = policy.factor, not begins_at_zero
    options = settings.options
    value = options if isinstance(options, ValueSettings) else ValueSettings()
    network = ActionValueNetwork(
        model, value.value_scale, value.value_body_share, is_residual=is_residual
    )
    try:
        arrays = safetensors.numpy.load(read_regular(path, MOST_BYTES))
        weight, bias = (jnp.asarray(arrays[name], jnp.float32) for name in (WEIGHT, BIAS))
    except UNREADABLE:
        weight = bias = jnp.zeros(0)
    if weight.shape != network.value_weight.shape or bias.shape != ():
        raise UserError(f"{path} is damaged; without it the run's policy alone proposes particles")
    return eqx.tree_at(lambda n: (n.value_weight, n.value_bias), network, (weight, bias))
