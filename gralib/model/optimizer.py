"""Nadam (Dozat 2016) as one update over all weights laid end to end, its rate falling along half a cosine.

The same rule and the same numbers as `keras.optimizers.Nadam`, which updates each of some 270 variables with a
dozen operations of its own; building and tracing those is most of the wait for the first training step.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from gralib.config import RunConfig

GATE = "logit"
"""Name of a gate's scalar, see `gralib.model.attention.GatedAttention`."""


@keras.saving.register_keras_serializable(package="gralib")
class FlatNadam(keras.optimizers.Nadam):
    """`keras.optimizers.Nadam` with momentum and velocity kept in one flat vector each.

    The rate rises over `warmup_steps`, then falls to zero at `total_steps`, as `keras.optimizers.schedules.CosineDecay`
    lets it; the scalars of gates move `gate_rate` times as fast; a step takes the share rate * `decay` off every kernel
    (Loshchilov and Hutter 2019). All four are variables, so that one compiled network serves every recipe;
    `total_steps` = 0 keeps the rate as it is.

    Args:
        learning_rate: the greatest rate.
        averaging: decay of a running mean of all weights, in `average`; 0: none is kept.
    """

    def __init__(self, learning_rate: float = 1e-3, averaging: float = 0.0, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.averaging = averaging

    def build(self, var_list) -> None:
        """Make the two flat moments for `var_list`, the mean where one is kept, and the settings."""
        if self.built:
            return
        keras.optimizers.Optimizer.build(self, var_list)
        size = sum(math.prod(v.shape) for v in var_list)
        self._momentum = self.add_variable((size,), dtype="float32", name="momentum")
        self._velocity = self.add_variable((size,), dtype="float32", name="velocity")
        self._u_product = self.add_variable((), initializer="ones", dtype="float32", name="u_product")
        if self.averaging:
            self.average = self.add_variable((size,), dtype="float32", name="average")
        for name in ("total_steps", "warmup_steps", "gate_rate", "decay"):
            first = "ones" if name == "gate_rate" else "zeros"
            setattr(self, name, self.add_variable((), initializer=first, dtype="float32", name=name))

    def follow(self, config: RunConfig, total_steps: int) -> None:
        """Set rate, schedule, gate rate and decay to those of a configuration whose training has so many steps."""
        self.learning_rate = config.learning_rate
        self.total_steps.assign(total_steps)
        self.warmup_steps.assign(round(config.warmup * total_steps))
        self.gate_rate.assign(config.gate_rate)
        self.decay.assign(config.weight_decay)

    def rate(self, step):
        """Return the share of the greatest rate at a step counted from 0 (a tensor)."""
        rise = ops.minimum((step + 1) / (self.warmup_steps + 1), 1)
        done = (step - self.warmup_steps) / ops.maximum(self.total_steps - self.warmup_steps, 1)
        fall = (1 + ops.cos(math.pi * ops.clip(done, 0, 1))) / 2
        return rise * ops.where(self.total_steps > 0, fall, 1.0)

    def _backend_update_step(self, grads, trainable_variables, learning_rate) -> None:
        flat = _end_to_end(grads)
        rate = ops.cast(learning_rate, "float32") * self.rate(ops.cast(self.iterations, "float32"))
        update, shrink = rate * self._direction(flat), rate * self.decay
        ends = np.cumsum([math.prod(v.shape) for v in trainable_variables])[:-1].tolist()
        pieces = ops.split(update, ends) if ends else [update]
        for variable, piece in zip(trainable_variables, pieces, strict=True):
            change = piece if len(variable.shape) == 1 else ops.reshape(piece, variable.shape)
            if variable.name == GATE:
                change = change * self.gate_rate
            elif variable.name == "kernel":
                change = change + shrink * ops.cast(variable, "float32")
            variable.assign_sub(ops.cast(change, variable.dtype))
        if self.averaging:
            self._follow(trainable_variables)

    def _direction(self, flat):
        """Return the step of Nadam at rate 1 for the gradients laid end to end, and move the moments."""
        step = ops.cast(self.iterations + 1, "float32")
        u_now = self.beta_1 * (1 - 0.5 * ops.power(0.96, step))
        u_next = self.beta_1 * (1 - 0.5 * ops.power(0.96, step + 1))
        product = self._u_product * u_now
        momentum = self._momentum + (flat - self._momentum) * (1 - self.beta_1)
        velocity = self._velocity + (ops.square(flat) - self._velocity) * (1 - self.beta_2)
        m_hat = u_next * momentum / (1 - product * u_next) + (1 - u_now) * flat / (1 - product)
        v_hat = velocity / (1 - ops.power(self.beta_2, step))
        self._u_product.assign(product)
        self._momentum.assign(momentum)
        self._velocity.assign(velocity)
        return m_hat / (ops.sqrt(v_hat) + self.epsilon)

    def _follow(self, variables) -> None:
        """Move the running mean towards the weights, faster in the first steps, when they move fast."""
        step = ops.cast(self.iterations, "float32")
        keep = ops.minimum(self.averaging, (1 + step) / (10 + step))
        self.average.assign(keep * self.average + (1 - keep) * _end_to_end(variables))


def _end_to_end(tensors):
    """Return tensors as one vector of float32; vectors, most of the weights, go in without a reshaping each."""
    parts = [ops.cast(tensor, "float32") for tensor in tensors]
    return ops.concatenate([part if len(part.shape) == 1 else ops.reshape(part, (-1,)) for part in parts])


def reach(config: RunConfig, steps: int) -> float:
    """Return how far the scalar of a gate can move in so many steps, were each of them as long as its rate.

    Nadam's steps are about its rate (0.001 by the paper): gamma, the sigmoid of the scalar, starts at 1/2 and ends
    between sigmoid(-reach) and sigmoid(reach). A frozen gate goes nowhere.
    """
    if config.network != "gra_net" or not isinstance(config.gate, str):
        return 0.0
    optimizer = FlatNadam()
    optimizer.build([keras.Variable(0.0)])
    optimizer.follow(config, steps)
    share = float(ops.sum(optimizer.rate(ops.arange(steps, dtype="float32"))))
    return config.gate_rate * config.learning_rate * share
