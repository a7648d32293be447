# SPDX-License-Identifier: Apache-2.0
"""Errors a user can cause; the command line shows their message without a traceback."""


class FantasticError(Exception):
    """What went wrong, where, and what to do about it, in one message."""


class DataError(FantasticError):
    """A data set is missing, malformed or of the wrong shape."""


class ModelError(FantasticError):
    """A model file or integer network breaks a rule of the format."""


class PackError(FantasticError):
    """A network cannot be packed for the core that was asked for."""


class ImageError(FantasticError):
    """Bytes that are not an image, or not one for this core."""


class SimulationError(FantasticError):
    """A simulation could not be built, or the simulated core broke its contract."""
