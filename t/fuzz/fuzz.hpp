#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// What must hold for every input.
inline void must(bool holds, const char* file = __builtin_FILE(), int line = __builtin_LINE())
{
    if (!holds) {
        std::fprintf(stderr, "%s:%d: this does not hold\n", file, line);
        std::abort();
    }
}

/// The fuzzer's bytes, taken off the front. A part is a copy, so that a step over its end is seen.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

    /// Bits to choose by; 0 at the end.
    unsigned choice()
    {
        const unsigned bits = rest_.empty() ? 0 : static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(rest_.empty() ? 0 : 1);
        return bits;
    }

    std::string line()
    {
        const std::size_t end = rest_.find('\n');
        const std::string text(rest_.substr(0, end));
        rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
        return text;
    }

    std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

} // namespace fuzz
