#include "cmocka.hpp"

#include "token/pagination.hpp"

#include <vector>

using namespace api_token;

namespace {

constexpr std::int64_t huge = INT64_MAX / 4;

std::string written(std::int64_t item_count, std::int64_t page_offset, std::int64_t page_size)
{
    std::vector<char> memory(pagination_capacity);
    Writer out(memory);
    write_pagination(out, paginate(item_count, page_offset, page_size));
    assert_false(out.overflowed());
    return std::string(out.view());
}

void members_in_order(void**)
{
    assert_text(written(45, 20, 20),
                R"({"item_count":45,"item_start":21,"item_end":40,"next_page_offset":40,)"
                R"("page_count":3,"page_index":2,"page_offset":20,"page_size":20,)"
                R"("previous_page_offset":0})");
    assert_text(written(0, 5, 20),
                R"({"item_count":0,"item_start":null,"item_end":null,"next_page_offset":null,)"
                R"("page_count":0,"page_index":null,"page_offset":5,"page_size":20,)"
                R"("previous_page_offset":null})");
}

/// Each row: what goes in, then the members that come of it; -1 is null.
void edges(void**)
{
    struct Row {
        std::string_view name;
        std::int64_t item_count, page_offset, page_size;
        std::int64_t item_start, item_end, next, page_count, page_index, previous;
    };
    const Row rows[] = {
        {"empty", 0, 0, 20, -1, -1, -1, 0, -1, -1},
        {"empty, beyond", 0, 20, 20, -1, -1, -1, 0, -1, -1},
        {"one item", 1, 0, 20, 1, 1, -1, 1, 1, -1},
        {"one item, pages of one", 1, 0, 1, 1, 1, -1, 1, 1, -1},
        {"one short of a page", 19, 0, 20, 1, 19, -1, 1, 1, -1},
        {"exactly one page", 20, 0, 20, 1, 20, -1, 1, 1, -1},
        {"one page and one item", 21, 0, 20, 1, 20, 20, 2, 1, -1},
        {"the second page of one item", 21, 20, 20, 21, 21, -1, 2, 2, 0},
        {"the first of exactly two", 40, 0, 20, 1, 20, 20, 2, 1, -1},
        {"the last of exactly two", 40, 20, 20, 21, 40, -1, 2, 2, 0},
        {"in the middle", 100, 40, 20, 41, 60, 60, 5, 3, 20},
        {"a last page that is short", 45, 40, 20, 41, 45, -1, 3, 3, 20},
        {"an offset inside the first page", 45, 7, 20, 8, 27, 27, 3, 1, 0},
        {"an offset inside a page", 45, 33, 20, 34, 45, -1, 3, 2, 13},
        {"an offset inside a page, up to the end", 45, 25, 20, 26, 45, -1, 3, 2, 5},
        {"an offset inside a page, one left", 46, 25, 20, 26, 45, 45, 3, 2, 5},
        {"the last item", 45, 44, 20, 45, 45, -1, 3, 3, 24},
        {"just beyond a short page", 45, 45, 20, -1, -1, -1, 3, -1, 25},
        {"just beyond a full page", 40, 40, 20, -1, -1, -1, 2, -1, 20},
        {"beyond, less than a page", 45, 50, 20, -1, -1, -1, 3, -1, 30},
        {"a page beyond", 45, 60, 20, -1, -1, -1, 3, -1, 40},
        {"far beyond", 45, 1000, 20, -1, -1, -1, 3, -1, 40},
        {"far beyond one page", 20, 1000, 20, -1, -1, -1, 1, -1, 0},
        {"pages of one", 3, 1, 1, 2, 2, 2, 3, 2, 0},
        {"beyond pages of one", 3, 3, 1, -1, -1, -1, 3, -1, 2},
        {"the largest offset of a query", 5, 1000000000000, 100, -1, -1, -1, 1, -1, 0},
        {"huge, at its start", huge, 0, 100, 1, 100, 100, huge / 100 + 1, 1, -1},
        {"huge, at its end", huge, huge - 1, 100, huge, huge, -1, huge / 100 + 1, (huge - 1) / 100 + 1,
         huge - 101},
        {"huge, beyond", huge, huge * 2, 100, -1, -1, -1, huge / 100 + 1, -1, huge / 100 * 100},
        {"huge, pages of one", huge, 1, 1, 2, 2, 2, huge, 2, 0},
    };
    for (const auto& row : rows) {
        const auto page = paginate(row.item_count, row.page_offset, row.page_size);
        const auto is = [&](std::optional<std::int64_t> member, std::int64_t expected, const char* name) {
            if (member.value_or(-1) != expected) {
                fail_msg("row: %s, %s is %lld", row.name.data(), name,
                         static_cast<long long>(member.value_or(-1)));
            }
        };
        is(page.item_count, row.item_count, "item_count");
        is(page.item_start, row.item_start, "item_start");
        is(page.item_end, row.item_end, "item_end");
        is(page.next_page_offset, row.next, "next_page_offset");
        is(page.page_count, row.page_count, "page_count");
        is(page.page_index, row.page_index, "page_index");
        is(page.page_offset, row.page_offset, "page_offset");
        is(page.page_size, row.page_size, "page_size");
        is(page.previous_page_offset, row.previous, "previous_page_offset");
    }
}

/// Who follows next_page_offset sees each item once; who follows previous_page_offset comes to the start.
void walks(void**)
{
    for (std::int64_t count = 0; count <= 60; ++count) {
        for (std::int64_t size = 1; size <= 25; ++size) {
            std::int64_t seen = 0, pages = 0;
            for (std::optional<std::int64_t> offset = 0; offset;) {
                const auto page = paginate(count, *offset, size);
                assert_int_equal(page.item_start.value_or(count + 1), seen + 1);
                assert_int_equal(page.page_index.value_or(0), count == 0 ? 0 : ++pages);
                seen = page.item_end.value_or(seen);
                offset = page.next_page_offset;
            }
            assert_int_equal(seen, count);
            assert_int_equal(paginate(count, 0, size).page_count, pages);

            for (std::int64_t from = 0; from <= count + 2 * size; ++from) {
                std::int64_t offset = from, steps = 0;
                while (const auto previous = paginate(count, offset, size).previous_page_offset) {
                    assert_true(*previous < offset && *previous >= 0);
                    assert_true(paginate(count, *previous, size).item_start.has_value());
                    offset = *previous;
                    ++steps;
                }
                assert_true((offset == 0 || count == 0) && steps <= pages + 1);
            }
        }
    }
}

void room(void**)
{
    std::vector<char> memory(pagination_capacity);
    Writer out(memory);
    write_pagination(out, {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN,
                           INT64_MIN, INT64_MIN});
    assert_false(out.overflowed());
    assert_true(out.view().ends_with(R"(,"previous_page_offset":-9223372036854775808})"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {cmocka_unit_test(members_in_order), cmocka_unit_test(edges),
                                cmocka_unit_test(walks), cmocka_unit_test(room)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
