#include "timestamp.hpp"

#include <algorithm>
#include <cstddef>

namespace api_token {

namespace {

constexpr Seconds day_length = 86400;
constexpr std::size_t max_fraction_digits = 100;

/// Days from 0000-03-01, where a year that begins in March has its leap day at its end, to 1970-01-01.
constexpr std::int64_t days_to_epoch = 719468;

struct Date {
    unsigned year;
    unsigned month;
    unsigned day;
};

struct Time {
    unsigned hour;
    unsigned minute;
    unsigned second;
};

constexpr unsigned no_number = 0xffffffff;

constexpr auto two_digits = [] {
    std::array<char, 200> digits{};
    for (std::size_t i = 0; i < 100; ++i) {
        digits[2 * i] = static_cast<char>('0' + i / 10);
        digits[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
    return digits;
}();

bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/// The number of two digits, else no_number.
unsigned read_two(const char* text)
{
    if (!is_digit(text[0]) || !is_digit(text[1])) {
        return no_number;
    }
    return static_cast<unsigned>((text[0] - '0') * 10 + (text[1] - '0'));
}

/// The number of four digits, else no_number.
unsigned read_four(const char* text)
{
    const unsigned high = read_two(text);
    const unsigned low = read_two(text + 2);
    return high == no_number || low == no_number ? no_number : high * 100 + low;
}

void put_two(char* out, std::size_t number)
{
    out[0] = two_digits[2 * number];
    out[1] = two_digits[2 * number + 1];
}

bool is_leap_year(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

unsigned days_in_month(unsigned year, unsigned month)
{
    constexpr std::array<unsigned char, 12> lengths = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap_year(year) ? 29 : lengths[month - 1];
}

bool on_calendar(const Date& date)
{
    return date.year >= 1 && date.year <= 9999 && date.month >= 1 && date.month <= 12 && date.day >= 1 &&
           date.day <= days_in_month(date.year, date.month);
}

/// Days from 1970-01-01 to a date of year 1 or later.
std::int64_t days_of(const Date& date)
{
    const bool before_march = date.month < 3;
    const std::int64_t year = before_march ? date.year - 1 : date.year;
    const std::int64_t month = before_march ? date.month + 9 : date.month - 3;
    const std::int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
    return year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - days_to_epoch;
}

/// The date so many days after 1970-01-01, from 0000-03-01 on.
Date date_of(std::int64_t days)
{
    const std::uint32_t since_march_0000 = static_cast<std::uint32_t>(days + days_to_epoch);
    const std::uint32_t century = (4 * since_march_0000 + 3) / 146097;
    const std::uint32_t day_of_century = since_march_0000 - 146097 * century / 4;
    const std::uint32_t year_of_century = (4 * day_of_century + 3) / 1461;
    const std::uint32_t day_of_year = day_of_century - 1461 * year_of_century / 4;
    const std::uint32_t month = (5 * day_of_year + 2) / 153;
    const std::uint32_t day = day_of_year - (153 * month + 2) / 5 + 1;
    const bool next_year = month >= 10;
    return {100 * century + year_of_century + next_year, next_year ? month - 9 : month + 3, day};
}

/// "2030-01-01"
std::optional<Date> read_date(const char* text)
{
    const Date date = {read_four(text), read_two(text + 5), read_two(text + 8)};
    if (text[4] != '-' || text[7] != '-' || !on_calendar(date)) {
        return std::nullopt;
    }
    return date;
}

/// "23:59:60"
std::optional<Time> read_time(const char* text)
{
    const Time time = {read_two(text), read_two(text + 3), read_two(text + 6)};
    if (text[2] != ':' || text[5] != ':' || time.hour > 23 || time.minute > 59 || time.second > 60) {
        return std::nullopt;
    }
    return time;
}

/// What follows a fraction, or `text` where none begins; nothing for a fraction without digits or with too
/// many.
std::optional<std::string_view> skip_fraction(std::string_view text)
{
    if (!text.starts_with('.')) {
        return text;
    }
    text.remove_prefix(1);
    std::size_t count = 0;
    while (count < text.size() && is_digit(text[count])) {
        ++count;
    }
    if (count == 0 || count > max_fraction_digits) {
        return std::nullopt;
    }
    return text.substr(count);
}

/// Seconds east of UTC: "Z" or "+05:45".
std::optional<Seconds> read_offset(std::string_view text)
{
    if (text == "Z" || text == "z") {
        return 0;
    }
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') {
        return std::nullopt;
    }
    const unsigned hours = read_two(text.data() + 1);
    const unsigned minutes = read_two(text.data() + 4);
    if (hours > 23 || minutes > 59) {
        return std::nullopt;
    }
    const Seconds seconds = (Seconds{hours} * 60 + minutes) * 60;
    return text[0] == '-' ? -seconds : seconds;
}

/// Whether a leap second may stand right before this time.
bool follows_leap_second(Seconds time)
{
    if (time % day_length != 0) {
        return false;
    }
    const Date date = date_of(time / day_length);
    return date.day == 1 && (date.month == 1 || date.month == 7);
}

} // namespace

std::optional<Seconds> parse_date_time(std::string_view text)
{
    constexpr std::size_t seconds_end = 19;
    if (text.size() <= seconds_end || (text[10] != 'T' && text[10] != 't')) {
        return std::nullopt;
    }
    const auto date = read_date(text.data());
    const auto time = read_time(text.data() + 11);
    const auto rest = skip_fraction(text.substr(seconds_end));
    const auto offset = rest ? read_offset(*rest) : std::nullopt;
    if (!date || !time || !offset) {
        return std::nullopt;
    }
    const Seconds of_day = (Seconds{time->hour} * 60 + time->minute) * 60 + time->second;
    const Seconds utc = days_of(*date) * day_length + of_day - *offset;
    if (utc > last_second || (time->second == 60 && !follows_leap_second(utc))) {
        return std::nullopt;
    }
    return utc;
}

DateTime format_date_time(Seconds time)
{
    time = std::clamp(time, Seconds{0}, last_second);
    const Date date = date_of(time / day_length);
    const unsigned second_of_day = static_cast<unsigned>(time % day_length);
    DateTime text = {'0', '0', '0', '0', '-', '0', '0', '-', '0', '0',
                     'T', '0', '0', ':', '0', '0', ':', '0', '0', 'Z'};
    put_two(text.data(), date.year / 100);
    put_two(text.data() + 2, date.year % 100);
    put_two(text.data() + 5, date.month);
    put_two(text.data() + 8, date.day);
    put_two(text.data() + 11, second_of_day / 3600);
    put_two(text.data() + 14, second_of_day / 60 % 60);
    put_two(text.data() + 17, second_of_day % 60);
    return text;
}

} // namespace api_token
