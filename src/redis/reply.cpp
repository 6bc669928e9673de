#include "reply.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <hiredis/hiredis.h>

namespace redis {

bool Reply::is_nil() const
{
    return !reply_ || reply_->type == REDIS_REPLY_NIL;
}

bool Reply::is_error() const
{
    return reply_ && reply_->type == REDIS_REPLY_ERROR;
}

std::string_view Reply::text() const
{
    if (!reply_)
        return {};
    switch (reply_->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
        return {reply_->str, static_cast<std::size_t>(reply_->len)};
    default:
        return {};
    }
}

std::string_view Reply::error_word() const
{
    auto error = is_error() ? text() : std::string_view();
    return error.substr(0, std::min(error.find(' '), std::size_t(32)));
}

std::int64_t Reply::integer() const
{
    if (reply_ && reply_->type == REDIS_REPLY_INTEGER)
        return reply_->integer;
    std::int64_t number = 0;
    auto digits = text();
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
}

std::size_t Reply::size() const
{
    return reply_ && reply_->type == REDIS_REPLY_ARRAY ? reply_->elements : 0;
}

Reply Reply::operator[](std::size_t index) const
{
    return index < size() ? Reply(reply_->element[index]) : Reply();
}

Failure classify(std::string_view error)
{
    static constexpr std::array<std::string_view, 10> passing = {
        "BUSY",   "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF",
        "NOAUTH", "NOREPLICAS",  "OOM",     "READONLY",   "TRYAGAIN"};
    auto word = error.substr(0, error.find(' '));
    bool passes = std::find(passing.begin(), passing.end(), word) != passing.end() ||
                  error.starts_with("ERR max number of clients") ||
                  // what NOAUTH is for a command of many words
                  error.starts_with("ERR Protocol error: unauthenticated");
    return passes ? Failure::unavailable : Failure::rejected;
}

} // namespace redis
