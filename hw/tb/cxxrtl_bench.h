// What the benches of both styles share where Yosys made C++ of the network (write_cxxrtl) and there is no
// simulator of SystemVerilog: sends samples.hex, compares with expected.hex, and counts, as network_tb.sv does.
// +stall: there is not always a beat, nor always one taken. +trace: what leaves each layer goes to LAYER.trace.
// Included after the network's C++, which includes CXXRTL.
#pragma once

#include <cstdio>
#include <fstream>
#include <random>
#include <set>
#include <string>

namespace bench {

// The bits of a net, which is a wire where CXXRTL keeps a register or a loop, and a value elsewhere.
template <size_t Bits> const cxxrtl::value<Bits> &bits_of(const cxxrtl::value<Bits> &net) { return net; }
template <size_t Bits> const cxxrtl::value<Bits> &bits_of(const cxxrtl::wire<Bits> &net) { return net.curr; }

template <size_t Bits> void drive(cxxrtl::value<Bits> &net, const cxxrtl::value<Bits> &bits) { net = bits; }
template <size_t Bits> void drive(cxxrtl::wire<Bits> &net, const cxxrtl::value<Bits> &bits) { net.next = bits; }

// A chunk of a value holds eight hexadecimal digits, the lowest first.
constexpr size_t DIGITS = 8;

// The next hexadecimal word of a file; false at its end.
template <size_t Bits> bool read(std::istream &file, cxxrtl::value<Bits> &word) {
    std::string digits;
    if (!(file >> digits)) return false;
    word = {};
    for (size_t place = 0; place < digits.size(); place++) {
        const uint32_t digit = std::stoul(digits.substr(digits.size() - 1 - place, 1), nullptr, 16);
        word.data[place / DIGITS] |= digit << (4 * (place % DIGITS));
    }
    return true;
}

template <size_t Bits> std::string hexadecimal(const cxxrtl::value<Bits> &word) {
    std::string digits;
    for (size_t place = (Bits + 3) / 4; place-- > 0;)
        digits += "0123456789abcdef"[word.data[place / DIGITS] >> (4 * (place % DIGITS)) & 15];
    return digits;
}

struct Options {
    Options(int count, char **arguments) {
        const std::set<std::string> given(arguments + 1, arguments + count);
        stall = given.count("+stall") > 0;
        trace = given.count("+trace") > 0;
    }
    bool stall, trace;
};

// Writes every beat of a stream to a file, one hexadecimal word a line.
class Monitor {
  public:
    Monitor(const char *name, const Options &options) {
        if (options.trace) file.open(name);
    }
    template <size_t Bits> void see(bool valid, bool ready, const cxxrtl::value<Bits> &data) {
        if (file.is_open() && valid && ready) file << hexadecimal(data) << '\n';
    }

  private:
    std::ofstream file;
};

// Both sides of a network, a clock cycle at a time. The public members are what drives it until the next edge.
template <size_t In, size_t Out> class Bench {
  public:
    bool rst = true, in_valid = false, out_ready = true;
    cxxrtl::value<In> in_data;

    // words: that leave for a sample, the label last.
    Bench(const Options &options, long patience, long drain, long words)
        : samples("samples.hex"), answers("expected.hex"), stall(options.stall), patience(patience), drain(drain),
          per_sample(words) {
        more = read(answers, expected);
    }

    // A rising edge of the clock, with what stood on the wires before it; false where the run is over.
    bool edge(bool in_ready, bool out_valid, const cxxrtl::value<Out> &word, bool last) {
        const bool finished = !more && waited > drain, stuck = waited > patience;
        waited++;
        if (!rst && first == 0 && in_valid && in_ready) first = cycle;
        if (!rst && out_valid && out_ready) take(word, last);
        if (stall) out_ready = random() % 4 != 0;
        if (rst) in_valid = false;
        else if (!in_valid || in_ready) in_valid = !(stall && random() % 4 == 0) && read(samples, in_data);
        rst = ++cycle < 4;
        if (finished) {
            std::printf("samples %ld latency %ld interval %ld cycles %ld wrong %ld\n%s\n", labels, latency, interval,
                        previous, wrong, wrong ? "FAIL" : "PASS");
        } else if (stuck) {
            std::printf("FAIL: nothing leaves after word %ld\n", received);
        }
        return !finished && !stuck;
    }

  private:
    void take(const cxxrtl::value<Out> &word, bool last) {
        const bool label = received % per_sample == per_sample - 1;
        if (word != expected || last != label) {
            if (wrong++ < 10)
                std::printf("WRONG sample %ld, word %ld: %s, expected %s\n", received / per_sample,
                            received % per_sample, hexadecimal(word).c_str(), hexadecimal(expected).c_str());
        }
        if (label) {
            if (labels++ == 0) latency = cycle - first;
            interval = cycle - previous;  // the last one: the pipeline is full by then
            previous = cycle;
        }
        received++;
        waited = 0;
        more = read(answers, expected);
    }

    std::ifstream samples, answers;
    std::mt19937 random;
    bool stall, more;
    long patience, drain, per_sample;
    long cycle = 0, first = 0, latency = 0, previous = 0, interval = 0;
    long waited = 0, received = 0, labels = 0, wrong = 0;
    cxxrtl::value<Out> expected;
};

}  // namespace bench
