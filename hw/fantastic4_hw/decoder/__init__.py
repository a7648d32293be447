# SPDX-License-Identifier: Apache-2.0
"""Decoders: weight words in, beats of ``lanes`` codes out; one module a format."""
