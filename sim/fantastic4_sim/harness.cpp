// SPDX-License-Identifier: Apache-2.0
// Drives the ports of a compiled core through a job: loads images and infers, with random stalls.
//
// usage: model JOB RESULT. Both files are little-endian; verilated.py writes the one and reads the
// other. "done N" on stderr tells how many inferences are finished.
//
// A command ends when it is done, when the core reports an error and nothing has moved for a
// while, or with a fault, which ends the job.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr uint64_t SETTLE = 256;      // clocks until the status tells and decoders are ready
constexpr uint64_t DRAIN = 32;        // clocks after the last result in which no other may come
constexpr uint64_t GRACE = 256;       // clocks without a transfer that end a command after an error
constexpr uint64_t MAX_RESULTS = 4096;  // of one inference

enum Kind : uint32_t { LOAD, INFER };
enum Fault : uint32_t { NONE, HANG, BROKEN_PROMISE, SURPLUS, ENDLESS };

template <typename Port>
void put(Port& port, const uint32_t* words) {
    port = words[0];
}
void put(QData& port, const uint32_t* words) { port = words[0] | uint64_t{words[1]} << 32; }
template <std::size_t N>
void put(VlWide<N>& port, const uint32_t* words) {
    for (std::size_t i = 0; i < N; i++) port[i] = words[i];
}

struct Dice {  // xorshift64*
    uint64_t state;
    uint32_t threshold;

    bool stall() {
        if (!threshold) return false;
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return uint32_t(state * 0x2545F4914F6CDD1DULL >> 32) < threshold;
    }
};

struct Command {
    Kind kind;
    uint64_t patience, frames, frame_transfers, transfer_words;
    const uint32_t* words;

    uint64_t transfers() const { return frames * frame_transfers; }
};

struct Frame {
    uint32_t length, best, cycles, beats, stalls;
};

struct Reply {
    Fault fault = NONE;
    uint32_t loaded = 0, error = 0;
    uint64_t sent = 0, cycles = 0;
    std::vector<uint32_t> values;
    std::vector<Frame> frames;
};

class Driver {
public:
    Driver(uint64_t seed, double stall)
        : dice_{seed * 2 + 1, uint32_t(stall * 4294967296.0)}, grace_(GRACE / (1 - stall)) {
        top_.rst = 1;
        top_.s_axis_load_tvalid = top_.s_axis_input_tvalid = top_.m_axis_result_tready = 0;
        for (int i = 0; i < 4; i++) tick();
        top_.rst = 0;
    }

    ~Driver() { top_.final(); }

    Reply run(const Command& command) {
        Reply reply;
        bool offering = false, held = false;
        uint64_t quiet = 0, start = 0, frame_start = 0;
        uint32_t held_value = 0, held_last = 0, held_best = 0;
        while (true) {
            if (!offering && reply.sent < command.transfers() && !dice_.stall()) {
                offering = true;
                offer(command, reply.sent);
            }
            top_.m_axis_result_tready = !dice_.stall();
            top_.clk = 0;
            top_.eval();

            bool moved = false;
            if (offering && ready(command.kind)) {
                moved = true;
                if (reply.sent++ == 0) start = now_;
                offering = false;
            }
            const uint32_t value = top_.m_axis_result_tdata, last = top_.m_axis_result_tlast,
                           best = top_.m_axis_result_tuser;
            const bool valid = top_.m_axis_result_tvalid;
            if (held && (!valid || value != held_value || last != held_last || best != held_best)) {
                reply.fault = BROKEN_PROMISE;
            }
            held = valid && !top_.m_axis_result_tready;
            held_value = value, held_last = last, held_best = best;
            if (valid && reply.frames.size() == command.frames * (command.kind == INFER)) {
                reply.fault = SURPLUS;
            } else if (valid && top_.m_axis_result_tready) {
                moved = true;
                reply.values.push_back(value);
                const uint64_t length = reply.values.size() - frame_start;
                if (last) {
                    reply.frames.push_back(
                        {uint32_t(length), best, top_.perf_cycles, top_.perf_beats,
                         top_.perf_stalls});
                    reply.cycles = now_ - start + 1;
                    frame_start = reply.values.size();
                    tell(reply.frames.size());
                } else if (length == MAX_RESULTS) {
                    reply.fault = ENDLESS;
                }
            }
            quiet = moved ? 0 : quiet + 1;
            reply.loaded = top_.status_loaded;
            reply.error = top_.status_error;

            top_.clk = 1;
            top_.eval();
            now_++;
            if (!offering) rest(command.kind);

            if (!reply.fault && quiet > command.patience) reply.fault = HANG;
            if (reply.fault || over(command, reply, quiet)) break;
        }
        rest(command.kind);
        return reply;
    }

private:
    bool ready(Kind kind) const {
        return kind == LOAD ? top_.s_axis_load_tready : top_.s_axis_input_tready;
    }

    bool over(const Command& command, const Reply& reply, uint64_t quiet) const {
        if (reply.error && quiet > grace_) return true;
        if (reply.sent < command.transfers()) return false;
        if (command.kind == LOAD) return quiet > SETTLE && (reply.loaded || reply.error);
        return quiet > DRAIN && reply.frames.size() == command.frames;
    }

    void offer(const Command& command, uint64_t transfer) {
        const uint32_t* words = command.words + transfer * command.transfer_words;
        const bool last = (transfer + 1) % command.frame_transfers == 0;
        if (command.kind == LOAD) {
            put(top_.s_axis_load_tdata, words);
            top_.s_axis_load_tlast = last;
            top_.s_axis_load_tvalid = 1;
        } else {
            put(top_.s_axis_input_tdata, words);
            top_.s_axis_input_tlast = last;
            top_.s_axis_input_tvalid = 1;
        }
    }

    void rest(Kind kind) { (kind == LOAD ? top_.s_axis_load_tvalid : top_.s_axis_input_tvalid) = 0; }

    void tick() {
        top_.clk = 0;
        top_.eval();
        top_.clk = 1;
        top_.eval();
    }

    void tell(uint64_t done) {
        const auto time = std::chrono::steady_clock::now();
        if (time - told_ < std::chrono::milliseconds(50)) return;
        told_ = time;
        std::fprintf(stderr, "done %llu\n", static_cast<unsigned long long>(done));
    }

    VerilatedContext context_;
    Vtop top_{&context_};
    Dice dice_;
    uint64_t grace_, now_ = 0;
    std::chrono::steady_clock::time_point told_{};
};

class Reader {
public:
    explicit Reader(const char* path) {
        std::ifstream file(path, std::ios::binary);
        const std::vector<char> raw{std::istreambuf_iterator<char>(file), {}};
        words_.resize(raw.size() / 4);
        std::copy(raw.begin(), raw.begin() + words_.size() * 4,
                  reinterpret_cast<char*>(words_.data()));
    }

    uint64_t next() {
        const uint64_t low = words_.at(at_), high = words_.at(at_ + 1);
        at_ += 2;
        return low | high << 32;
    }

    const uint32_t* block(uint64_t words) {
        const uint32_t* start = words_.data() + at_;
        at_ += words;
        if (at_ > words_.size()) std::abort();
        return start;
    }

    bool more() const { return at_ < words_.size(); }

private:
    std::vector<uint32_t> words_;
    std::size_t at_ = 0;
};

void write(std::ofstream& file, const void* data, std::size_t size) {
    file.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    Reader job(argv[1]);
    std::ofstream result(argv[2], std::ios::binary);
    const uint64_t seed = job.next();
    const double stall = double(job.next()) / 4294967296.0;
    const auto driver = std::make_unique<Driver>(seed, stall);
    while (job.more()) {
        Command command{};
        command.kind = Kind(job.next());
        command.patience = job.next();
        command.frames = job.next();
        command.frame_transfers = job.next();
        command.transfer_words = job.next();
        command.words = job.block(command.transfers() * command.transfer_words);
        const Reply reply = driver->run(command);
        const uint64_t head[] = {reply.fault,  reply.loaded,        reply.error,        reply.sent,
                                 reply.cycles, reply.values.size(), reply.frames.size()};
        write(result, head, sizeof head);
        write(result, reply.values.data(), reply.values.size() * sizeof(uint32_t));
        write(result, reply.frames.data(), reply.frames.size() * sizeof(Frame));
        if (reply.fault) break;
    }
    return result.good() ? 0 : 3;
}
