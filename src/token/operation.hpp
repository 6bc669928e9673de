#pragma once

#include <cstdint>
#include <string_view>

namespace api_token {

/// What a request asks for.
enum class Operation : std::uint8_t {
    none,
    create,
    list,
    retrieve,
    suspend,
    activate,
    revoke,
    remove,
    introspect
};

inline constexpr std::size_t operations = static_cast<std::size_t>(Operation::introspect) + 1;

/// In a word; empty for none.
constexpr std::string_view name(Operation operation)
{
    constexpr std::string_view names[operations] = {"",         "create", "list",   "retrieve",  "suspend",
                                                    "activate", "revoke", "delete", "introspect"};
    return names[static_cast<std::size_t>(operation)];
}

} // namespace api_token
