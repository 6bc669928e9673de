#include "pagination.hpp"

#include <algorithm>

namespace api_token {

namespace {

void write_member(Writer& out, std::string_view name, std::optional<std::int64_t> value)
{
    out.raw(name);
    if (value)
        out.number(*value);
    else
        out.raw("null");
}

} // namespace

Pagination paginate(std::int64_t item_count, std::int64_t page_offset, std::int64_t page_size)
{
    Pagination page{};
    page.item_count = item_count;
    page.page_count = (item_count + page_size - 1) / page_size;
    page.page_offset = page_offset;
    page.page_size = page_size;
    if (page_offset < item_count) {
        page.item_start = page_offset + 1;
        page.item_end = std::min(page_offset + page_size, item_count);
        page.page_index = page_offset / page_size + 1;
    }
    if (page_offset + page_size < item_count)
        page.next_page_offset = page_offset + page_size;
    if (page_offset > 0 && item_count > 0)
        page.previous_page_offset =
            std::min(std::max(page_offset - page_size, std::int64_t(0)), (page.page_count - 1) * page_size);
    return page;
}

void write_pagination(Writer& out, const Pagination& page)
{
    write_member(out, R"({"item_count":)", page.item_count);
    write_member(out, R"(,"item_start":)", page.item_start);
    write_member(out, R"(,"item_end":)", page.item_end);
    write_member(out, R"(,"next_page_offset":)", page.next_page_offset);
    write_member(out, R"(,"page_count":)", page.page_count);
    write_member(out, R"(,"page_index":)", page.page_index);
    write_member(out, R"(,"page_offset":)", page.page_offset);
    write_member(out, R"(,"page_size":)", page.page_size);
    write_member(out, R"(,"previous_page_offset":)", page.previous_page_offset);
    out.raw("}");
}

} // namespace api_token
