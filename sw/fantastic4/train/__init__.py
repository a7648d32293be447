# SPDX-License-Identifier: Apache-2.0
"""Training: ``train(load("digits"), TrainConfig.for_dataset("digits")).network()``."""

from fantastic4.train.checkpoint import Checkpoint
from fantastic4.train.config import TrainConfig
from fantastic4.train.device import find_device
from fantastic4.train.loop import train
from fantastic4.train.progress import Progress
from fantastic4.train.result import TrainResult
from fantastic4.train.tensorboard import TensorBoardLog

__all__ = [
    "Checkpoint",
    "Progress",
    "TensorBoardLog",
    "TrainConfig",
    "TrainResult",
    "find_device",
    "train",
]
