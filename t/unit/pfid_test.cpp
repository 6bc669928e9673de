#include "cmocka.hpp"

#include "token/pfid.hpp"

#include <fstream>
#include <sstream>
#include <vector>

using namespace api_token;

namespace {

struct Fixture {
    std::uint64_t milliseconds;
    std::uint32_t partition;
    Randomness random;
    std::string pfid;
};

Randomness from_hex(const std::string& hex)
{
    Randomness random{};
    assert_int_equal(hex.size(), 2 * random.size());
    for (std::size_t i = 0; i < random.size(); ++i) {
        random[i] = static_cast<std::uint8_t>(std::stoul(hex.substr(2 * i, 2), nullptr, 16));
    }
    return random;
}

std::vector<Fixture> fixtures()
{
    std::vector<Fixture> all;
    std::ifstream file(data_path("pfid_fixtures.csv"));
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
        std::istringstream row(line);
        std::string cells[4];
        for (auto& cell : cells) {
            std::getline(row, cell, ',');
        }
        all.push_back({std::stoull(cells[0]), static_cast<std::uint32_t>(std::stoul(cells[1])),
                       from_hex(cells[2]), cells[3].substr(0, 32)});
    }
    return all;
}

void fixtures_both_ways(void**)
{
    const auto all = fixtures();
    assert_int_equal(all.size(), 1231);
    for (const auto& [milliseconds, partition, random, pfid] : all) {
        assert_text(make_pfid(milliseconds, partition, random).view(), pfid);
        assert_row(is_pfid(pfid), pfid);
        assert_int_equal(partition_of(pfid), partition);
        assert_text(make_pfid(0, partition, random).view().substr(10), pfid.substr(10));
        assert_text(partition_text(pfid), pfid.substr(10, 6));
    }
}

void wide_numbers_are_cut(void**)
{
    const Randomness none{};
    assert_text(make_pfid(~0ULL, ~0U, none).view(), "7zzzzzzzzzzzzzzz0000000000000000");
    assert_text(make_pfid(1ULL << 48, 1U << 30, none).view(), "00000000000000000000000000000000");
}

void each_character(void**)
{
    const std::string digits = "0123456789abcdefghjkmnpqrstvwxyz";
    for (int code = 0; code < 256; ++code) {
        const char character = static_cast<char>(code);
        const bool digit = digits.find(character) != std::string::npos;
        for (std::size_t at = 0; at < 32; ++at) {
            std::string text(32, '0');
            text[at] = character;
            const bool expected = at == 0 ? character >= '0' && character <= '7' : digit;
            assert_int_equal(is_pfid(text), expected);
        }
    }
}

void each_length(void**)
{
    assert_false(is_pfid({}));
    for (std::size_t length = 0; length < 70; ++length) {
        assert_int_equal(is_pfid(std::string(length, '0')), length == 32);
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {cmocka_unit_test(fixtures_both_ways), cmocka_unit_test(wide_numbers_are_cut),
                                cmocka_unit_test(each_character), cmocka_unit_test(each_length)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
