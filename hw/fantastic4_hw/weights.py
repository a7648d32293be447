# SPDX-License-Identifier: Apache-2.0
"""Weights of cores that decode nothing but *dense*: read when they are wanted, not before."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.activations import ActivationMemory
from fantastic4_hw.blockram import BlockRam
from fantastic4_hw.memories import RoundCounter, WritePort, WriteSignature
from fantastic4_hw.shapes import beat_layout


class DenseWeights(wiring.Component):
    """All weight memories of a core, and in place of decoders a counter.

    A dense word is a beat, and when a step is taken there is time to read it: codes are there with
    the chunk. So memories are never stalled, and no clock enable has to reach all of them in the
    clock of the join; their address goes through a register an engine. Cannot stall.

    Members
    -------
    start : ``In(1)``
        The words begin anew.
    give : ``In(1)``, open : ``In(1)``, first_layer : ``In(1)``
        Of ``LayerFeed``; ``give`` is its command being valid.
    ready : ``Out(1)``
        A command is taken.
    fed : ``Out(1)``, taken : ``In(1)``
        There is a beat; it is taken.
    write : ``In``, one a bank
        The loader's ports. Words come in order, as many for each bank.
    codes : ``Out(beat_layout(cfg))``, one an engine
        The beat, ``latency`` clocks after it was taken.
    fault : ``Out(1)``
        For one clock: the words are more or fewer than the layers take.
    """

    start: Signal
    give: Signal
    open: Signal
    first_layer: Signal
    ready: Signal
    fed: Signal
    taken: Signal
    write: list[WritePort]
    codes: list[data.View]
    fault: Signal

    latency = ActivationMemory.latency

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        write = WriteSignature(cfg.weight_depth, cfg.word_width)
        super().__init__(
            {
                **dict.fromkeys(("start", "give", "open", "first_layer", "taken"), In(1)),
                **dict.fromkeys(("ready", "fed", "fault"), Out(1)),
                "write": In(write).array(cfg.engines * cfg.banks),
                "codes": Out(beat_layout(cfg)).array(cfg.engines),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        cfg = self.cfg
        m.submodules.round = at = RoundCounter(cfg.weight_depth)
        fresh = Signal()
        m.d.comb += [
            self.ready.eq(~self.open),
            self.fed.eq(self.open),
            at.start.eq(self.start),
            at.write_addr.eq(self.write[0].addr),
            at.write_en.eq(self.write[0].en),
            at.step.eq(self.taken),
        ]

        # The first word is for the first beat of the first layer, and for no other.
        m.d.sync += self.fault.eq(self.taken & (at.at_first != fresh) & ~self.start)
        with m.If(self.taken):
            m.d.sync += fresh.eq(0)
        with m.If(self.give & self.ready):
            m.d.sync += fresh.eq(self.first_layer)

        for engine in range(cfg.engines):
            # Synthesis merges registers that are alike, so these differ in how they begin.
            init, reset_less = -(engine & 1), bool(engine & 2)
            own = Signal.like(at.addr, init=init % (1 << len(at.addr)), reset_less=reset_less)
            m.d.sync += own.eq(at.addr)
            for index in range(cfg.banks):
                number = engine * cfg.banks + index
                write = self.write[number]
                storage = BlockRam(cfg.weight_depth, cfg.word_width, loaded=True)
                m.submodules[f"bank_{number}"] = storage
                m.d.comb += [
                    storage.write_addr.eq(write.addr),
                    storage.write_data.eq(write.data),
                    storage.write_en.eq(write.en),
                    storage.read_addr.eq(own),
                    self.codes[engine]
                    .as_value()
                    .word_select(index, cfg.word_width)
                    .eq(storage.read_data),
                ]
        return m
