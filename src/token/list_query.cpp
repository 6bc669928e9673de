#include "list_query.hpp"

#include "form.hpp"
#include "pfid.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace api_token {

namespace {

/// A decimal number without a sign, from `least` to `most`.
std::optional<std::int64_t> parse_number(std::string_view text, std::int64_t least, std::int64_t most)
{
    std::int64_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    bool is_number = error == std::errc() && end == text.data() + text.size() && text.front() != '-';
    return is_number && number >= least && number <= most ? std::optional(number) : std::nullopt;
}

constexpr std::int64_t largest_offset = 9'007'199'254'740'991; // that JSON holds as it is
constexpr std::int64_t largest_page = 100;

bool set_account(ListQuery& query, std::string_view value)
{
    if (!is_pfid(value))
        return false;
    query.account_size = value.copy(query.account.data(), query.account.size());
    return true;
}

bool set_sorting(ListQuery& query, std::string_view value)
{
    query.descending = value.starts_with('-');
    value.remove_prefix(query.descending ? 1 : 0);
    query.order = value == "expires_at" ? Order::expires_at : Order::inserted_at;
    return value == "expires_at" || value == "inserted_at";
}

bool set_offset(ListQuery& query, std::string_view value)
{
    auto number = parse_number(value, 0, largest_offset);
    query.offset = number.value_or(0);
    return number.has_value();
}

bool set_page_size(ListQuery& query, std::string_view value)
{
    auto number = parse_number(value, 1, largest_page);
    query.page_size = number.value_or(1);
    return number.has_value();
}

struct Parameter {
    std::string_view name;
    bool (*set)(ListQuery&, std::string_view);
    std::string_view sentence;
};

constexpr std::array<Parameter, 4> parameters = {{
    {"account_id", set_account, "account_id must be a valid account id."},
    {"sorting", set_sorting, "sorting must be inserted_at, -inserted_at, expires_at or -expires_at."},
    {"pagination[offset]", set_offset, "pagination[offset] must be a number from 0 on."},
    {"pagination[page_size]", set_page_size, "pagination[page_size] must be a number from 1 to 100."},
}};

} // namespace

Result<ListQuery, QueryError> parse_list_query(std::string_view text)
{
    ListQuery query;
    std::array<bool, parameters.size()> seen{};
    while (auto pair = next_pair(text)) {
        std::array<char, 32> name_memory, value_memory;
        auto name = form_decode(pair->name, name_memory);
        auto parameter = std::find_if(parameters.begin(), parameters.end(),
                                      [&](const auto& known) { return name && *name == known.name; });
        if (parameter == parameters.end())
            return QueryError{"The query holds a parameter that lists do not have."};
        if (std::exchange(seen[static_cast<std::size_t>(parameter - parameters.begin())], true))
            return QueryError{"The query holds a parameter twice."};
        auto value = form_decode(pair->value, value_memory);
        if (!value || value->empty() || !parameter->set(query, *value))
            return QueryError{parameter->sentence};
    }
    return query;
}

std::string_view sorting(const ListQuery& query)
{
    if (query.order == Order::expires_at)
        return query.descending ? "-expires_at" : "expires_at";
    return query.descending ? "-inserted_at" : "inserted_at";
}

} // namespace api_token
