# SPDX-License-Identifier: Apache-2.0
"""Weights of cores that decode nothing but *dense*: read when they are wanted, not before."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4.timing import ACTIVATION_LATENCY
from fantastic4_hw.blockram import BlockRam
from fantastic4_hw.memories import RoundCounter, WordWritePort, WordWriteSignature, row_of
from fantastic4_hw.shapes import beat_layout


class DenseWeights(wiring.Component):
    """All weight memories of a core, and in place of decoders a counter.

    A dense word is a beat, and when a step is taken there is time to read it: codes are there with
    the chunk. So memories are never stalled, and no clock enable has to reach all of them in the
    clock of the join; their address goes from engine to engine, a clock each, and what they give
    through a register of its own. Cannot stall.

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
        The loader's ports; each bank gets as many words.
    codes : ``Out(beat_layout(cfg))``, one an engine
        The beat, ``latency`` clocks and one for each engine before it after it was taken.
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
    write: list[WordWritePort]
    codes: list[data.View]
    fault: Signal

    latency = ACTIVATION_LATENCY

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        write = WordWriteSignature(cfg.weight_depth, cfg.word_width)
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
            at.write_first.eq(self.write[0].first),
            at.write_en.eq(self.write[0].en),
            at.step.eq(self.taken),
        ]

        # The first word is for the first beat of the first layer, and for no other.
        m.d.sync += self.fault.eq(self.taken & (at.at_first != fresh) & ~self.start)
        with m.If(self.taken):
            m.d.sync += fresh.eq(0)
        with m.If(self.give & self.ready):
            m.d.sync += fresh.eq(self.first_layer)

        # Two chains of addresses, each for half an engine's banks: they differ in what they begin
        # with, or synthesis would make one of both.
        passed: list[Value] = [at.addr, at.addr]
        ones = (1 << len(at.addr)) - 1
        for engine in range(cfg.engines):
            own = [
                Signal.like(
                    at.addr, name=f"addr_{engine}_{half}", init=ones * half, reset_less=True
                )
                for half in range(2)
            ]
            m.d.sync += [later.eq(addr) for later, addr in zip(own, passed, strict=True)]
            passed = [*own]
            codes = []
            for index in range(cfg.banks):
                number = engine * cfg.banks + index
                write = self.write[number]
                storage = BlockRam(cfg.weight_depth, cfg.word_width, loaded=True)
                m.submodules[f"bank_{number}"] = storage
                m.d.comb += [
                    storage.write_addr.eq(row_of(write.addr, cfg.weight_depth)),
                    storage.write_data.eq(write.data),
                    storage.write_en.eq(write.en),
                    storage.read_addr.eq(own[2 * index // cfg.banks]),
                ]
                code = Signal(cfg.word_width, name=f"code_{number}", reset_less=True)
                m.d.sync += code.eq(storage.read_data)
                codes.append(code)
            m.d.comb += self.codes[engine].eq(Cat(codes))
        return m
