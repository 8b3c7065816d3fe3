"""The gate and the three attention activations (paper, section 6.2 to 6.4) as Keras layers.

Shapes throughout: features F, trunk P and mask K are (batch, height, width, channels).
"""

from collections.abc import Callable
from typing import Any, Literal

import keras
from keras import ops

Attention = Literal["mixed", "channel", "spatial"]
ATTENTIONS: tuple[Attention, ...] = ("mixed", "channel", "spatial")
Gate = float | str
GATES: dict[str, Callable] = {"trainable": ops.sigmoid}
"""Gates that learn, by name: gamma in [0, 1] as a function of one scalar that starts at 0."""


def check_gate(gate: Any) -> Gate:
    """Return `gate` if it is a name in `GATES` or a number from 0 to 1; raise ValueError otherwise."""
    if isinstance(gate, str) and gate in GATES:
        return gate
    if isinstance(gate, int | float) and not isinstance(gate, bool) and 0 <= gate <= 1:
        return float(gate)
    raise ValueError(f"gate: expected {' or '.join(map(repr, GATES))} or a number from 0 to 1, got {gate!r}")


@keras.saving.register_keras_serializable(package="gralib")
class MaskActivation(keras.layers.Layer):
    """Turn the mask branch's last features into a soft mask K, in one of three ways.

    - `mixed` (Eq. 4): a sigmoid for each channel and position; in (0, 1).
    - `channel` (Eq. 5): each position's channel vector divided by its L2 norm; in [-1, 1]. Where features are
      negative so is the mask, although section 6.2 has masks in [0, 1].
    - `spatial` (Eq. 6): each channel standardised over its positions, then a sigmoid; in (0, 1).

    Args:
        kind: 'mixed', 'channel' or 'spatial'.

    Call: (batch, height, width, channels) -> the same shape.

    Raises:
        ValueError: an unknown `kind`.
    """

    epsilon = 1e-6

    def __init__(self, kind: Attention = "mixed", **kwargs: Any):
        super().__init__(**kwargs)
        if kind not in ATTENTIONS:
            raise ValueError(f"attention: expected one of {', '.join(ATTENTIONS)}, got {kind!r}")
        self.kind = kind

    def call(self, x):
        """Return the mask K."""
        if self.kind == "mixed":
            return ops.sigmoid(x)  # Eq. 4
        if self.kind == "channel":
            norm = ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + self.epsilon**2)
            return x / norm  # Eq. 5
        mean, variance = ops.moments(x, axes=[1, 2], keepdims=True)
        return ops.sigmoid((x - mean) / ops.sqrt(variance + self.epsilon))  # Eq. 6

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "kind": self.kind}


@keras.saving.register_keras_serializable(package="gralib")
class GatedAttention(keras.layers.Layer):
    """Weigh trunk features by a gated mask: O = (gamma + (1 - gamma) K) F (Eq. 3).

    gamma = 0 is naive attention K F (Eq. 1, the mask's full effect); gamma = 1 is the trunk alone (Fig. 4);
    gamma = 1/2 is residual attention (1 + K) F up to a factor of two. The paper does not say how the gate stays
    within [0, 1] nor where it starts: here a trainable gate is the sigmoid of one scalar that starts at gamma = 1/2.

    The value of a frozen gate is a weight too (`held`; negative when the gate learns), so that one compiled
    network serves every gate value.

    Args:
        gate: a name in `GATES`, such as 'trainable', or a number from 0 to 1 to freeze gamma at.

    Call: [K, F], each (batch, height, width, channels) -> O, the same shape.

    Raises:
        ValueError: a gate outside [0, 1].
    """

    def __init__(self, gate: Gate = "trainable", **kwargs: Any):
        super().__init__(**kwargs)
        self.gate = check_gate(gate)
        self.learnt = GATES[self.gate if isinstance(self.gate, str) else "trainable"]

    def build(self, input_shape) -> None:
        """Make the gate's two scalars."""
        self.logit = self.add_weight(name="logit", shape=(), initializer="zeros", trainable=isinstance(self.gate, str))
        held = -1.0 if isinstance(self.gate, str) else self.gate
        self.held = self.add_weight(
            name="held", shape=(), initializer=keras.initializers.Constant(held), trainable=False
        )

    def gamma(self):
        """Return the gate's present value, a scalar tensor in [0, 1]."""
        held = ops.convert_to_tensor(self.held)
        return ops.where(held < 0, self.learnt(self.logit), held)

    @property
    def frozen(self) -> bool:
        """Whether gamma is held at a number."""
        return float(self.held) >= 0

    def hold(self, gate: Gate) -> None:
        """Freeze gamma at a number from now on, or let it learn again (a name), in a compiled network too."""
        gate = check_gate(gate)
        self.held.assign(-1.0 if isinstance(gate, str) else gate)

    def call(self, inputs):
        """Return O of Eq. 3."""
        mask, features = inputs
        gamma = ops.cast(self.gamma(), features.dtype)
        return (gamma + (1 - gamma) * mask) * features  # Eq. 3

    def compute_output_shape(self, input_shape):
        """Return the features' shape."""
        return input_shape[1]

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "gate": self.gate}
