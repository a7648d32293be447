# SPDX-License-Identifier: Apache-2.0
"""What a core takes of a chip, estimated in milliseconds from a calibration by synthesis."""

from fantastic4.area.model import Area, estimate, technologies

__all__ = ["Area", "estimate", "technologies"]
