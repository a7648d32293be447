# SPDX-License-Identifier: Apache-2.0
"""Training: ``train(load("digits"), TrainConfig.for_dataset("digits")).network()``."""

from fantastic4.train.config import TrainConfig
from fantastic4.train.loop import Progress, TrainResult, train

__all__ = ["Progress", "TrainConfig", "TrainResult", "train"]
