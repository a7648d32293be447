# SPDX-License-Identifier: Apache-2.0
"""Decoder of ternary layers with five trits in a byte."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from fantastic4_hw.decoder.countdown import Countdown
from fantastic4_hw.decoder.signature import Decoder


class Ternary5Decoder(Decoder):
    """Half a word is a beat; ``fantastic4.formats.ternary5`` describes the words.

    A word is taken with the first of its beats. The fifth beat is *added* to the bits of the other
    half, which is cleared for it, so that it needs no multiplexer of its own: a pair of trits as
    two codes and a pair in the three bits of a byte differ in the ``heavy`` bit only.

    Bytes that stand for nothing are faults.

    Parameters
    ----------
    lanes : int
        A multiple of 4.
    """

    command_to_beat = 2
    """Clocks from taking a command to its first beat."""

    beat_to_command = 1
    """Clocks from the last beat to taking the next command."""

    @property
    def latency(self) -> int:
        """See `Decoder`."""
        return 2

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        half = 2 * self.lanes
        m.submodules.left = left = Countdown(self.count_width)
        phase = Signal(3)  # 0, 1, 2, 3 and, for the fifth beat, 5
        second = phase[0]
        rest = Signal(half, reset_less=True)
        fifth = Signal(half, reset_less=True)
        trits = Signal(half - self.lanes // 2, reset_less=True)
        step = self.step
        m.d.comb += [
            self.can.eq(left.running & (self.i.valid | second)),
            self.i.ready.eq(step & ~second),
            left.step.eq(step),
            left.load.eq(self.command.valid & self.command.ready),
            left.count.eq(self.command.payload.beats),
            left.clear.eq(self.start),
            self.command.ready.eq(left.idle),
        ]

        # Stage 1: four bits a pair, out of bytes or of the fifth beat.
        source = Mux(second, rest, self.i.payload[:half])
        pairs: list[Value] = []
        lasts: list[Value] = []
        bad: list[Value] = []
        for byte in range(self.lanes // 4):
            pair_bits, last, invalid = self._byte(
                m, byte, source.word_select(byte, 8), fifth.word_select(byte, 8)
            )
            pairs += pair_bits
            lasts.append(last)
            bad.append(invalid)
        collected = Cat(trits, *lasts)
        coded = Signal(half, reset_less=True)
        m.d.sync += coded.eq(Cat(pairs))
        with m.If(step):
            m.d.sync += [
                trits.eq(collected[self.lanes // 2 :]),
                rest.eq(self.i.payload[half:]),
                phase.eq(phase + 1),
            ]
            with m.If(phase == 3):
                m.d.sync += [rest.eq(0), phase.eq(5)]
            with m.If(phase == 5):
                m.d.sync += phase.eq(0)
        m.d.sync += self.fault.eq(step & Cat(bad).any())

        # Stage 2: two codes a pair.
        beat = Signal(half, reset_less=True)
        m.d.comb += [self.o[j].eq(beat.word_select(j, 2)) for j in range(self.lanes)]
        m.d.sync += beat.eq(
            Cat(self._codes(coded.word_select(n, 4)) for n in range(self.lanes // 2))
        )

        with m.If(self.start | left.load):
            m.d.sync += phase.eq(0)
        with m.If(self.start | left.load | (step & (phase != 3))):
            m.d.sync += fifth.eq(0)
        with m.Elif(step):
            m.d.sync += fifth.eq(collected)
        return m

    def _byte(
        self, m: Module, index: int, byte: Value, fifth: Value
    ) -> tuple[list[Value], Value, Value]:
        """Return the two pairs of a byte, its last trit, and whether it stands for nothing.

        A pair is three bits and ``heavy``. While ``fifth`` is not zero, ``byte`` is.
        """
        p, q, t = (Signal(w, name=f"{n}_{index}") for n, w in (("p", 3), ("q", 3), ("t", 2)))
        m.d.comb += [
            p.eq(byte[0:3] | Cat(fifth[2:4], fifth[0])),
            q.eq(byte[3:6] | Cat(fifth[6:8], fifth[4])),
            t.eq(byte[6:8]),
        ]
        escape, p_heavy, q_heavy = (
            Signal(name=f"{name}_{index}") for name in ("escape", "p_heavy", "q_heavy")
        )
        last = Signal(2, name=f"last_{index}")
        m.d.comb += [
            escape.eq(t.all()),
            p_heavy.eq(escape & (~p[2] | q[:2].all())),
            q_heavy.eq(escape & p[2]),
            last.eq(Mux(escape, Mux(p_heavy, p[:2], q[:2]), t)),
        ]
        first = Cat(p[:2], Mux(escape, q[2], p[2]) | p_heavy, p_heavy | fifth[1])
        other = Cat(q[:2], q[2] | q_heavy, q_heavy | fifth[5])
        invalid = p_heavy & (p[:2].all() | (p[2] & q[2]))
        return [first, other], last, invalid

    def _codes(self, pair: Value) -> Value:
        """Return the two codes of a pair.

        Without the heavy bit, 3 and 7 are (2, 0) and (2, 1) and all others the codes themselves;
        with it, bit 2 tells (2, 2) from (2, b).
        """
        low, middle, heavy = pair[:2], pair[2], pair[3]
        two = low.all() & ~heavy
        first = Cat(middle & ~heavy & ~two, heavy | two)
        second = Mux(heavy, Mux(middle, Const(2, 2), low), Mux(two, Cat(middle, 0), low))
        return Cat(first, second)
