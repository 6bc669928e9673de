#include "cmocka.hpp"

#include "token/timestamp.hpp"

#include <cstdio>

using namespace api_token;
using namespace std::string_view_literals;

namespace {

constexpr Seconds new_year_2030 = 1893456000;

std::string text_of(Seconds time)
{
    const DateTime text = format_date_time(time);
    return {text.data(), text.size()};
}

void accepted(void**)
{
    struct Row {
        std::string_view text;
        Seconds time;
    };
    const Row rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2030-01-01T00:00:00Z", new_year_2030},
        {"2030-01-01t00:00:00z", new_year_2030},
        {"2030-01-01T00:00:00+00:00", new_year_2030},
        {"2030-01-01T00:00:00-00:00", new_year_2030},
        {"2030-01-01T05:45:00+05:45", new_year_2030},
        {"2029-12-31T20:30:00-03:30", new_year_2030},
        {"2030-01-01T00:00:00+14:00", new_year_2030 - 14 * 3600},
        {"2030-01-01T00:00:00+23:59", new_year_2030 - (23 * 60 + 59) * 60},
        {"2030-01-01T00:00:00-23:59", new_year_2030 + (23 * 60 + 59) * 60},
        {"2030-01-01T00:00:00.1Z", new_year_2030},
        {"2030-01-01T00:00:00.123456789012Z", new_year_2030},
        {"2030-01-01T00:00:00.999999999999Z", new_year_2030},
        {"2030-01-01t05:45:00.5+05:45", new_year_2030},
        {"2028-02-29T12:00:00Z", 1835438400},
        {"2000-02-29T00:00:00Z", 951782400},
        {"9999-12-31T23:59:59Z", last_second},
        {"9999-12-31T23:59:59.999Z", last_second},
        {"9999-12-31T23:59:59+00:01", last_second - 60},
        {"0001-01-01T00:00:00Z", -62135596800},
        {"0001-01-01T00:00:00+23:59", -62135596800 - (23 * 60 + 59) * 60},
        {"1969-12-31T23:59:59Z", -1},
        {"2016-12-31T23:59:60Z", 1483228800},
        {"2015-06-30T23:59:60Z", 1435708800},
        {"2015-06-30T23:59:60.5Z", 1435708800},
        {"2017-01-01T05:44:60+05:45", 1483228800},
        {"2016-12-31T15:59:60-08:00", 1483228800},
        {"1969-12-31T23:59:60Z", 0},
        {"0001-06-30T23:59:60Z", -62119958400},
    };
    for (const auto& [text, time] : rows) {
        const auto read = parse_date_time(text);
        assert_row(read.has_value(), text);
        assert_int_equal(*read, time);
    }
}

void refused(void**)
{
    const std::string_view rows[] = {
        "",
        "Z",
        "2030",
        "2030-01-01",
        "2030-01-01T00:00Z",
        "2030-01-01T00:00:00",
        "2030-01-01T00:00:00+",
        "2030-01-01T00:00:00+0",
        "2030-01-01T00:00:00+00",
        "2030-01-01T00:00:00+0000",
        "2030-01-01T00:00:00+00:0",
        "2030-01-01T00:00:00+00:000",
        "2030-01-01T00:00:00 00:00",
        "2030-01-01T00:00:00+00-00",
        "2030-01-01T00:00:00+24:00",
        "2030-01-01T00:00:00-24:00",
        "2030-01-01T00:00:00+00:60",
        "2030-01-01T00:00:00+ 1:00",
        "2030-01-01T00:00:00+-1:00",
        "2030-01-01T00:00:00\xe2\x88\x92"
        "01:00",
        "2030-01-01T24:00:00Z",
        "2030-01-01T23:60:00Z",
        "2030-01-01T23:59:61Z",
        "2030-01-01T12:00:60Z",
        "2030-01-01T23:59:60Z",
        "2030-06-30T22:59:60Z",
        "2030-06-30T23:59:60+01:00",
        "2030-12-31T23:59:60-00:01",
        "2030-03-31T23:59:60Z",
        "2030-01-01T00:59:60+00:30",
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:00-23:59",
        "2030-01-01T00:00:00,5Z",
        "2030-01-01T00:00:00.Z",
        "2030-01-01T00:00:00.",
        "2030-01-01T00:00:00.5",
        "2030-01-01T00:00:00.5.5Z",
        "2030-01-01T00:00:00.-5Z",
        "2030-01-01T00:00:00.5 Z",
        "2030-01-01 00:00:00Z",
        "2030-01-01_00:00:00Z",
        "2030-01-01T00:00:00X",
        "2030-01-01T00:00:00ZZ",
        "2030-01-01T00:00:00Z ",
        " 2030-01-01T00:00:00Z",
        "2030-01-01T00:00:00Z\n",
        "2030-01-01T00:00:00Z\0"sv,
        "2030-01-01T00:00:00\0"sv,
        "2030-01-01T00:00:00+00:00Z",
        "2030-02-29T00:00:00Z",
        "2028-02-30T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2030-00-01T00:00:00Z",
        "2030-13-01T00:00:00Z",
        "2030-01-00T00:00:00Z",
        "2030-01-32T00:00:00Z",
        "2030-04-31T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0000-12-31T23:59:59-01:00",
        "10000-01-01T00:00:00Z",
        "+2030-01-01T00:00:00Z",
        "-2030-01-01T00:00:00Z",
        "203-01-01T00:00:00Z",
        "2030-1-1T00:00:00Z",
        "2030-1-01T00:00:00.0Z",
        "2030/01/01T00:00:00Z",
        "2030-01-01T00.00.00Z",
        "20300101T000000Z",
        "2030-W01-1T00:00:00Z",
        "2030-001T00:00:00.00Z",
        "2o30-01-01T00:00:00Z",
        "203:-01-01T00:00:00Z",
        "2030-01-01T0/:00:00Z",
        "1893456000",
        "1893456000.0000000000Z",
        "Tue, 01 Jan 2030 00:00:00 GMT",
    };
    for (const auto text : rows) {
        assert_row(!parse_date_time(text).has_value(), text);
    }
}

void fraction_length(void**)
{
    for (std::size_t digits = 0; digits <= 1000; ++digits) {
        const auto read = parse_date_time("2030-01-01T00:00:00." + std::string(digits, '9') + "Z");
        assert_int_equal(read.has_value(), digits >= 1 && digits <= 100);
        assert_int_equal(read.value_or(new_year_2030), new_year_2030);
    }
}

/// A calendar that counts.
struct Day {
    int year = 1;
    int month = 1;
    int day = 1;

    void next()
    {
        const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        const int lengths[] = {31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        if (++day > lengths[month - 1]) {
            day = 1;
            if (++month > 12) {
                month = 1;
                ++year;
            }
        }
    }

    std::string text(const char* time) const
    {
        char date[64];
        std::snprintf(date, sizeof(date), "%04d-%02d-%02d%s", year, month, day, time);
        return date;
    }
};

void each_day(void**)
{
    Day day;
    for (Seconds time = -62135596800; time <= last_second; time += 86400, day.next()) {
        const std::string text = day.text("T23:59:58Z");
        if (parse_date_time(text) != time + 86398 || (time >= 0 && text_of(time + 86398) != text)) {
            fail_msg("row: %s", text.c_str());
        }
    }
    assert_int_equal(day.year, 10000);
}

void each_second(void**)
{
    for (Seconds time = new_year_2030; time < new_year_2030 + 86400; ++time) {
        const std::string text = text_of(time);
        assert_true(parse_date_time(text) == time);
        assert_int_equal(std::stoi(text.substr(11, 2)) * 3600 + std::stoi(text.substr(14, 2)) * 60 +
                             std::stoi(text.substr(17, 2)),
                         time - new_year_2030);
    }
}

void written(void**)
{
    assert_text(text_of(0), "1970-01-01T00:00:00Z");
    assert_text(text_of(last_second), "9999-12-31T23:59:59Z");
    assert_text(text_of(-1), "1970-01-01T00:00:00Z");
    assert_text(text_of(INT64_MAX), "9999-12-31T23:59:59Z");
    assert_text(text_of(*parse_date_time("2030-01-01T00:00:00+14:00")), "2029-12-31T10:00:00Z");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {cmocka_unit_test(accepted),        cmocka_unit_test(refused),
                                cmocka_unit_test(fraction_length), cmocka_unit_test(each_day),
                                cmocka_unit_test(each_second),     cmocka_unit_test(written)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
