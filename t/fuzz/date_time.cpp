#include "fuzz.hpp"

#include "token/timestamp.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <optional>

using api_token::Seconds;
using fuzz::must;

namespace {

/// The shape of a date-time: a digit for each 0, and every other character as it is.
bool has_shape(std::string_view text, std::string_view shape)
{
    const auto fits = [](char c, char expected) {
        return expected == '0' ? c >= '0' && c <= '9' : c == expected;
    };
    return text.size() == shape.size() && std::equal(text.begin(), text.end(), shape.begin(), fits);
}

int number(std::string_view digits)
{
    return std::atoi(std::string(digits).c_str());
}

/// By the calendar of the C library; nothing for a date or a time of day that is not there. A second of 60 is
/// the first of the next minute.
std::optional<Seconds> by_calendar(std::string_view text)
{
    std::tm fields{};
    fields.tm_year = number(text.substr(0, 4)) - 1900;
    fields.tm_mon = number(text.substr(5, 2)) - 1;
    fields.tm_mday = number(text.substr(8, 2));
    fields.tm_hour = number(text.substr(11, 2));
    fields.tm_min = number(text.substr(14, 2));
    const int second = number(text.substr(17, 2));
    const std::tm asked = fields;
    const Seconds time = timegm(&fields);
    const bool same = asked.tm_year == fields.tm_year && asked.tm_mon == fields.tm_mon &&
                      asked.tm_mday == fields.tm_mday && asked.tm_hour == fields.tm_hour &&
                      asked.tm_min == fields.tm_min;
    return same && second <= 60 && fields.tm_year > -1900 ? std::optional(time + second) : std::nullopt;
}

std::optional<Seconds> offset_of(std::string_view text)
{
    if (text == "Z" || text == "z") {
        return 0;
    }
    const Seconds sign = text.starts_with('-') ? -1 : 1;
    if (!has_shape(text, "+00:00") && !has_shape(text, "-00:00")) {
        return std::nullopt;
    }
    const int hours = number(text.substr(1, 2));
    const int minutes = number(text.substr(4));
    return hours < 24 && minutes < 60 ? std::optional(sign * (hours * 3600 + minutes * 60)) : std::nullopt;
}

bool begins_half_year(Seconds time)
{
    const std::time_t clock = time;
    std::tm fields{};
    gmtime_r(&clock, &fields);
    return fields.tm_sec == 0 && fields.tm_min == 0 && fields.tm_hour == 0 && fields.tm_mday == 1 &&
           (fields.tm_mon == 0 || fields.tm_mon == 6);
}

std::optional<Seconds> expected(std::string_view text)
{
    const std::string_view front = text.substr(0, 19);
    if (!has_shape(front, "0000-00-00T00:00:00") && !has_shape(front, "0000-00-00t00:00:00")) {
        return std::nullopt;
    }
    std::string_view rest = text.substr(19);
    if (rest.starts_with('.')) {
        const std::size_t digits = std::min(rest.find_first_not_of("0123456789", 1), rest.size()) - 1;
        if (digits < 1 || digits > 100) {
            return std::nullopt;
        }
        rest.remove_prefix(1 + digits);
    }
    const auto local = by_calendar(front);
    const auto offset = offset_of(rest);
    if (!local || !offset || *local - *offset > api_token::last_second ||
        (front.ends_with("60") && !begins_half_year(*local - *offset))) {
        return std::nullopt;
    }
    return *local - *offset;
}

void check_writing(Seconds time)
{
    const auto text = api_token::format_date_time(time);
    const auto read = api_token::parse_date_time({text.data(), text.size()});
    must(read == std::clamp(time, Seconds{0}, api_token::last_second));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto time = api_token::parse_date_time(text);
    must(time == expected(text));
    if (time) {
        check_writing(*time);
    }
    Seconds any = 0;
    std::memcpy(&any, data, std::min(size, sizeof(any)));
    check_writing(any);
    check_writing(any & 0x3fffffffff);
    return 0;
}
