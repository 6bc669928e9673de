#pragma once

#include "result.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace api_token {

/// The orders of a list, and the names that the query has for them.
enum class Order { inserted_at, expires_at };

/// What the query of a list asks for.
struct ListQuery {
    /// A PFID, or empty for the caller's account.
    std::string_view account_id() const { return {account.data(), account_size}; }

    std::array<char, 32> account{};
    std::size_t account_size = 0;
    Order order = Order::inserted_at;
    bool descending = true;
    std::int64_t offset = 0;
    std::int64_t page_size = 20;
};

/// What is wrong with a query, in a sentence.
struct QueryError {
    std::string_view sentence;
};

/// Reads account_id, sorting, pagination[offset] and pagination[page_size] from a query as browsers write it
/// (application/x-www-form-urlencoded, WHATWG URL §5.1). A parameter that is unknown, twice there or empty is
/// an error.
Result<ListQuery, QueryError> parse_list_query(std::string_view query);

/// The value of `sorting` that asks for this order.
std::string_view sorting(const ListQuery& query);

} // namespace api_token
