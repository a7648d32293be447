// SPDX-License-Identifier: Apache-2.0
// Drives cells of iCE40 and plain logic side by side; ends with 1 at the first difference.
#include <cstdio>
#include <cstdint>
#include <random>
#include "Vtop.h"

int main() {
    Vtop top;
    std::mt19937 dice(1);
    const auto below = [&](uint32_t bound) { return uint32_t(dice() % bound); };
    const auto clock = [&]() {
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
    };
    const uint32_t totals[] = {0, 1, 2, 65535, 65536, 130559, 130560};
    const uint32_t factors[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    top.rst = 0;

    for (int round = 0; round < 3; round++) {
        top.fetch = 0;
        top.move = 0;
        for (uint32_t row = 0; row < DEPTH; row++) {
            top.write_en = 1;
            top.write_addr = row;
            top.write_data = below(1 << WIDTH);
            clock();
        }
        top.write_en = 0;
        // What stands in the registers now may be anything: read one row into both.
        top.fetch = 1;
        top.move = 1;
        top.read_addr = 0;
        clock();
        clock();
        for (int n = 0; n < 100000; n++) {
            top.fetch = below(4) != 0;
            top.move = below(4) != 0;
            top.read_addr = below(DEPTH);
            top.total = n % 2 ? below(512 * 255 + 1) : totals[below(7)];
            top.factor = n % 3 ? below(1 << 16) : factors[below(6)];
            clock();
            if (top.plain_row != top.cell_row) {
                std::printf("row %x, not %x\n", top.cell_row, top.plain_row);
                return 1;
            }
            if (n > 3 && top.plain_product != top.cell_product) {
                std::printf("product %llx, not %llx\n", (unsigned long long)top.cell_product,
                            (unsigned long long)top.plain_product);
                return 1;
            }
        }
    }
    return 0;
}
