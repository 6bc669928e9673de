#pragma once

#include "json.hpp"

#include <cstdint>
#include <optional>

namespace api_token {

/// Where a page of `page_size` items stands that begins at `page_offset`. Start, end and index count from
/// one, offsets from zero; what is not there is null: of a page beyond the end, all of its own places.
struct Pagination {
    std::int64_t item_count;
    std::optional<std::int64_t> item_start;
    std::optional<std::int64_t> item_end;
    std::optional<std::int64_t> next_page_offset;
    std::int64_t page_count;
    std::optional<std::int64_t> page_index;
    std::int64_t page_offset;
    std::int64_t page_size;
    /// Of a page beyond the end: the offset of the last page.
    std::optional<std::int64_t> previous_page_offset;
};

Pagination paginate(std::int64_t item_count, std::int64_t page_offset, std::int64_t page_size);

/// Characters that write_pagination takes at most.
inline constexpr std::size_t pagination_capacity = 400;

void write_pagination(Writer& out, const Pagination& pagination);

} // namespace api_token
