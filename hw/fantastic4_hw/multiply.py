# SPDX-License-Identifier: Apache-2.0
"""The array's second half: four multipliers that serve all engines, one row a clock."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import BASIS_COUNT, CoreConfig
from fantastic4.layout import LAYER
from fantastic4_hw.blockram import BlockRam
from fantastic4_hw.delay import delayed
from fantastic4_hw.devices import operand_stages, product_latency, registered_product
from fantastic4_hw.memories import WritePort, WriteSignature
from fantastic4_hw.shapes import row_layout, rows_shape


class Multiply(wiring.Component):
    """``z = bias + sum over tiles of sum_i basis[i] * sums[i]``.

    Keeps basis and biases in memories of its own and walks them in the order in which the rows
    come, so an image stores them in that order. A bias is a word, or half of one and a shift
    (``fantastic4.bias``). Cannot stall; takes a row a clock.

    Members
    -------
    begin : ``In(1)``
        An inference begins: start with the first bias.
    basis_base, per_row, bias_narrow, bias_shift : ``In``
        Of the first layer with ``begin``; with the last row of a layer, of the layer behind it,
        whose first tile may follow in the next clock.
    rows : ``In(stream, always_ready)``
        Sums of a row over a tile.
    z : ``Out(stream(signed(acc_width)), always_ready)``
        Finished rows, ``latency`` clocks after their last tile.
    write_basis, write_bias : ``In``
        The loader's ports.
    """

    begin: Signal
    basis_base: Signal
    per_row: Signal
    bias_narrow: Signal
    bias_shift: Signal
    rows: stream.Interface
    z: stream.Interface
    write_basis: WritePort
    write_bias: WritePort

    latency = 7

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "begin": In(1),
                "basis_base": In(20),
                "per_row": In(1),
                "bias_narrow": In(1),
                "bias_shift": In(LAYER.fields["bias_shift"]),
                "rows": In(stream.Signature(row_layout(cfg), always_ready=True)),
                "z": Out(stream.Signature(signed(cfg.acc_width), always_ready=True)),
                "write_basis": In(WriteSignature(cfg.basis_depth, 64)),
                "write_bias": In(WriteSignature(cfg.row_depth, cfg.bias_width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        # Operands wait for the basis, in registers that may be those of memory and multiplier.
        waits = 1 + operand_stages(platform)
        basis = self._basis(m, waits)
        bias = self._bias(m)

        # Stages 1 and 2: operands wait for the basis; then products, and their sum in two stages;
        # by stage 6 it is there.
        sums = [
            delayed(m, self.rows.payload.sums[i], waits, f"sums_{i}") for i in range(BASIS_COUNT)
        ]
        products = [
            registered_product(m, total, factor, platform)
            for total, factor in zip(sums, basis, strict=True)
        ]
        width = len(products[0])
        pairs = [Signal(signed(width + 1), name=f"pair_{i}", reset_less=True) for i in range(2)]
        total = Signal(signed(width + 2), reset_less=True)
        m.d.sync += [
            pairs[0].eq(products[0] + products[1]),
            pairs[1].eq(products[2] + products[3]),
            total.eq(pairs[0] + pairs[1]),
        ]

        # Stage 6: what the tiles before gave; stage 7: add to it.
        row = self.rows.payload
        valid = delayed(m, self.rows.valid, 5, "valid", flags=1)
        opening = delayed(m, row.open, 5, "open")
        close = delayed(m, row.close, 5, "close")
        engine = delayed(m, row.engine, 5, "engine")
        before = Signal(signed(self.cfg.acc_width), reset_less=True)
        latest = delayed(m, total, 4 - waits - product_latency(platform), "total").as_signed()
        z = Signal(signed(self.cfg.acc_width))
        finished = Signal.like(z, reset_less=True)
        m.d.sync += before.eq(Mux(opening, bias, self._partial(m, engine, z, valid)))
        m.d.comb += z.eq(before + latest)
        m.d.sync += [
            self.z.valid.eq(delayed(m, valid & close, 1, "closed", flags=1)),
            finished.eq(z),
        ]
        m.d.comb += self.z.payload.eq(finished)
        return m

    def _partial(self, m: Module, engine: Value, z: Signal, valid: Value) -> Value:
        """Return the ``z`` that the engine had last; one clock later it gets another, if valid."""
        shape = signed(self.cfg.acc_width)
        written = delayed(m, valid, 1, "written", flags=1)
        latest = delayed(m, engine, 1, "latest")
        if self.cfg.engines == 1:
            last = Signal(shape)
            with m.If(written):
                m.d.sync += last.eq(z)
            return Mux(written, z, last)
        m.submodules.partial = partial = memory.Memory(
            shape=shape, depth=1 << rows_shape(self.cfg), init=[]
        )
        write, read = partial.write_port(), partial.read_port(domain="comb")
        m.d.comb += [
            read.addr.eq(engine),
            write.addr.eq(latest),
            write.data.eq(z),
            write.en.eq(written),
        ]
        return Mux(written & (engine == latest), z, read.data)

    def _enters(self) -> Value:
        """Return whether parameters of a layer are offered."""
        row = self.rows.payload
        return self.begin | (self.rows.valid & row.final & row.close & row.ends)

    def _basis(self, m: Module, stages: int) -> list[Value]:
        """Return the basis of the row that came ``stages`` clocks ago."""
        m.submodules.basis = storage = BlockRam(self.cfg.basis_depth, 64, stages=stages)
        row = self.rows.payload
        at, base = (Signal(20, name=name, reset_less=True) for name in ("at", "base"))
        per_row = Signal(reset_less=True)
        with m.If(self._enters()):
            m.d.sync += [
                at.eq(self.basis_base),
                base.eq(self.basis_base),
                per_row.eq(self.per_row),
            ]
        with m.Elif(self.rows.valid):
            with m.If(per_row):
                m.d.sync += at.eq(at + 1)
            with m.Elif(row.final):
                m.d.sync += at.eq(Mux(row.close, base, at + 1))
        m.d.comb += [
            storage.read_addr.eq(at),
            storage.write_addr.eq(self.write_basis.addr),
            storage.write_data.eq(self.write_basis.data),
            storage.write_en.eq(self.write_basis.en),
        ]
        return [storage.read_data.word_select(i, self.cfg.basis_width) for i in range(BASIS_COUNT)]

    def _bias(self, m: Module) -> Value:
        """Return the bias of the row that came five clocks ago."""
        width = self.cfg.bias_width
        half = width // 2
        m.submodules.bias = storage = BlockRam(self.cfg.row_depth, width)
        row = self.rows.payload

        # Parameters come with the last row of the layer before, which still needs its own.
        narrow = Signal(reset_less=True)
        shift = Signal(len(self.bias_shift), reset_less=True)
        with m.If(self._enters()):
            m.d.sync += [narrow.eq(self.bias_narrow), shift.eq(self.bias_shift)]

        # With the row: the address, and on to the next bias.
        at, upper = Signal(range(self.cfg.row_depth + 1)), Signal()
        with m.If(self.begin):
            m.d.sync += at.eq(0)
        with m.Elif(self.rows.valid & row.open):
            stays = narrow & ~upper & ~(row.ends & row.final)
            m.d.sync += [at.eq(at + ~stays), upper.eq(stays)]
        m.d.comb += [
            storage.read_addr.eq(at),
            storage.write_addr.eq(self.write_bias.addr),
            storage.write_data.eq(self.write_bias.data),
            storage.write_en.eq(self.write_bias.en),
        ]

        # Two clocks behind: the word; three: it, or a half of it; then the shift, in two clocks.
        narrow_then, upper_then = delayed(m, narrow, 2, "narrow"), delayed(m, upper, 2, "upper")
        bias, fine, coarse = (
            Signal(signed(width), name=name, reset_less=True)
            for name in ("bias", "bias_fine", "bias_coarse")
        )
        word = storage.read_data
        mantissa = Mux(upper_then, word[half:], word[:half]).as_signed()
        shift_then = delayed(m, shift, 3, "shift")
        later = delayed(m, shift_then, 1, "shift_later")
        m.d.sync += [
            bias.eq(Mux(narrow_then, mantissa, word.as_signed())),
            fine.eq(bias << shift_then[:2]),
            coarse.eq(fine << (later & 0b1100)),
        ]
        return coarse
