#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace api_token {

/// Unix time in whole seconds.
using Seconds = std::int64_t;

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
inline constexpr Seconds last_second = 253402300799;

/// "2030-01-01T00:00:00Z"
using DateTime = std::array<char, 20>;

/// Reads an RFC 3339 §5.6 date-time, of any offset. A fraction (at most 100 digits) is cut, not rounded.
/// A leap second (23:59:60 UTC, on 30 June or 31 December) counts as the second after it, as POSIX counts.
/// Refused: year 0000, what is not on the calendar, and what is after 9999 in UTC.
std::optional<Seconds> parse_date_time(std::string_view text);

/// Writes a time in UTC, with Z; one outside 0 to last_second as the nearer of the two.
DateTime format_date_time(Seconds time);

} // namespace api_token
