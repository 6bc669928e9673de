#include "cmocka.hpp"

#include "token/digest.hpp"
#include "token/pfid.hpp"

#include <set>

using namespace api_token;
using namespace std::string_view_literals;

namespace {

std::string hex_of_sha256(std::string_view bytes)
{
    const auto digest = sha256(bytes);
    assert_true(digest.has_value());
    const auto text = hex(*digest);
    return {text.data(), text.size()};
}

/// The examples of FIPS 180 and of NIST's "Secure Hash Standard" test vectors, at the edges of a block.
void vectors(void**)
{
    struct Row {
        std::string message;
        std::string_view digest;
    };
    const Row rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmno"
         "pqrstnop"
         "qrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
        {"\xbd", "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
        {"\xc9\x8c\x8e\x55", "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504"},
        {std::string(55, '\0'), "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"},
        {std::string(56, '\0'), "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"},
        {std::string(57, '\0'), "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785"},
        {std::string(64, '\0'), "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"},
        {std::string(1000, '\0'), "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53"},
        {std::string(1000, 'A'), "c2e686823489ced2017f6059b8b239318b6364f6dcd835d0a519105a1eadd6e4"},
        {std::string(1000000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    for (const auto& [message, digest] : rows) {
        assert_text(hex_of_sha256(message), digest);
    }
    assert_text(hex_of_sha256("abc"), rows[1].digest);
}

void hexadecimal(void**)
{
    const Sha256 digest = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
                           0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab,
                           0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
    const auto text = hex(digest);
    assert_text({text.data(), text.size()}, "00112233445566778899aabbccddeeff"
                                            "0123456789abcdeffedcba9876543210");
}

/// Over many refills: no draw twice, no bit that stands still, and each bit set about half of the time.
void randomness(void**)
{
    constexpr std::size_t draws = 10000;
    std::set<Randomness> seen;
    std::size_t set[80] = {};
    for (std::size_t i = 0; i < draws; ++i) {
        const auto drawn = draw_randomness();
        assert_true(drawn.has_value());
        seen.insert(*drawn);
        for (std::size_t bit = 0; bit < 80; ++bit) {
            set[bit] += (*drawn)[bit / 8] >> bit % 8 & 1;
        }
    }
    assert_int_equal(seen.size(), draws);
    for (const auto count : set) {
        // ten standard deviations
        assert_in_range(count, draws / 2 - 500, draws / 2 + 500);
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {cmocka_unit_test(vectors), cmocka_unit_test(hexadecimal),
                                cmocka_unit_test(randomness)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
