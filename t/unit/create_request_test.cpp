#include "cmocka.hpp"

#include "token/create_request.hpp"

#include <span>
#include <utility>

using namespace api_token;
using namespace std::string_view_literals;

namespace {

constexpr Seconds now = 1795507200; // 2026-11-24T08:00:00Z
constexpr Seconds day = 86400;
constexpr CreateRules plain_rules = {90 * day, std::nullopt, true};
constexpr std::string_view account = "013xrzp12g3nqk8ngskn1wtxgka5b0nf";
constexpr std::string_view other_account = "013xrzp12g0000000000000000000000";
constexpr std::string_view environment = "013xrzp12g3nqk8nzxvq7jm2arsfg5h1";
constexpr std::string_view foreign_environment = "013xrzp12g3nqk8pzxvq7jm2arsfg5h1";

struct Given {
    std::string body;
    std::string_view default_account = account;
    std::optional<std::string_view> header = std::nullopt;
    CreateRules rules = plain_rules;
};

Result<CreateRequest, CreateError> parse(const Given& given)
{
    return parse_create(given.body, given.default_account, given.header, given.rules, now);
}

CreateRequest accept(const Given& given)
{
    auto result = parse(given);
    assert_row(static_cast<bool>(result), given.body);
    return std::move(*result);
}

/// The errors as JSON text; empty for an accepted body, "null" where they are null.
std::string errors_of(const Given& given)
{
    auto result = parse(given);
    if (result) {
        return {};
    }
    if (!result.error().errors) {
        return "null";
    }
    char* dumped = json_dumps(result.error().errors.get(), JSON_COMPACT);
    std::string text(dumped);
    std::free(dumped);
    return text;
}

struct Row {
    Given given;
    std::string_view errors;
};

void check(std::span<const Row> rows)
{
    for (const auto& [given, errors] : rows) {
        assert_text(errors_of(given), errors);
    }
}

/// "$a", "$b", "$e" and "$f" stand for the ids above.
std::string with_ids(std::string text)
{
    const std::pair<std::string_view, std::string_view> ids[] = {
        {"$a", account}, {"$b", other_account}, {"$e", environment}, {"$f", foreign_environment}};
    for (const auto& [mark, value] : ids) {
        for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark)) {
            text.replace(at, mark.size(), value);
        }
    }
    return text;
}

/// The body of an account's token with more members.
std::string account_with(std::string_view members)
{
    return with_ids(R"({"token_scope":"account",)" + std::string(members) + "}");
}

std::string environment_with(std::string_view members)
{
    return with_ids(R"({"token_scope":"environment",)" + std::string(members) + "}");
}

std::string with_key(std::string_view json)
{
    return account_with(R"("idempotency_key":)" + std::string(json));
}

std::string repeated(std::string_view text, int times)
{
    std::string all;
    for (int i = 0; i < times; ++i) {
        all += text;
    }
    return all;
}

void the_page_and_the_client(void**)
{
    const std::string bare =
        with_ids(R"({"token_scope":"environment","account_id":"$a","environment_id":"$e",)"
                 R"("expires_at":"2030-01-01T00:00:00Z")");
    const std::string forms[] = {bare + R"(,"idempotency_key":"k"})",
                                 R"({"details":)" + bare + R"(},"idempotency_key":"k"})"};
    for (const auto& form : forms) {
        const CreateRequest request = accept({form, other_account});
        assert_text(name(request.scope), "environment");
        assert_text(request.account_id, account);
        assert_text(request.environment_id, environment);
        assert_int_equal(request.expires_at, 1893456000);
        assert_true(request.expires_at_given);
        assert_text(request.idempotency_key, "k");
    }
}

void defaults(void**)
{
    for (const auto body :
         {R"({"token_scope":"account"})", R"({"details":{"token_scope":"account"}})",
          R"({"token_scope":"account","account_id":null,"environment_id":null,"expires_at":null,)"
          R"("idempotency_key":null})"}) {
        const CreateRequest request = accept({body});
        assert_text(request.account_id, account);
        assert_text(request.environment_id, "");
        assert_int_equal(request.expires_at, now + 90 * day);
        assert_false(request.expires_at_given);
        assert_text(request.idempotency_key, "");
    }
    const CreateRequest endless =
        accept({R"({"token_scope":"account"})", account, {}, {INT64_MAX, {}, true}});
    assert_int_equal(endless.expires_at, last_second);
}

void no_object(void**)
{
    for (const auto body :
         {"", "[]", "null", "\"a\"", "{", R"({"token_scope":"account","token_scope":"account"})",
          R"({"token_scope":"account","a\u0000":1})", "{\"token_scope\":\"\xff\"}"}) {
        assert_text(errors_of({body}), "null");
    }
}

void token_scope(void**)
{
    constexpr auto required = R"({"token_scope":["is required"]})";
    constexpr auto unknown = R"({"token_scope":["must be account or environment"]})";
    const Row rows[] = {
        {{"{}"}, required},
        {{R"({"details":{}})"}, required},
        {{R"({"token_scope":null})"}, required},
        {{R"({"token_scope":""})"}, unknown},
        {{R"({"token_scope":"Account"})"}, unknown},
        {{R"({"token_scope":"account\u0000"})"}, unknown},
        {{R"({"token_scope":1})"}, unknown},
        {{R"({"token_scope":["account"]})"}, unknown},
    };
    check(rows);
}

void account_id(void**)
{
    constexpr auto invalid = R"({"account_id":["must be a valid account id"]})";
    constexpr auto required = R"({"account_id":["is required"]})";
    const Row rows[] = {
        {{account_with(R"("account_id":"$a")"), ""}, ""},
        {{account_with(R"("account_id":"$b")")}, ""},
        {{R"({"token_scope":"account"})", ""}, required},
        {{account_with(R"("account_id":null)"), ""}, required},
        {{account_with(R"("account_id":"")")}, invalid},
        {{account_with(R"("account_id":"any")")}, invalid},
        {{account_with(R"("account_id":"013XRZP12G3NQK8NGSKN1WTXGKA5B0NF")")}, invalid},
        {{account_with(R"("account_id":"$a0")")}, invalid},
        {{account_with(R"("account_id":1)")}, invalid},
        {{account_with(R"("account_id":false)")}, invalid},
        {{account_with(R"("account_id":{})")}, invalid},
    };
    check(rows);
}

void environment_id(void**)
{
    constexpr CreateRules unchecked = {90 * day, std::nullopt, false};
    constexpr auto required = R"({"environment_id":["is required for the scope environment"]})";
    constexpr auto invalid = R"({"environment_id":["must be a valid environment id"]})";
    constexpr auto surplus = R"({"environment_id":["must be null or absent for the scope account"]})";
    constexpr auto foreign = R"({"environment_id":["must be an environment of the account"]})";
    const Row rows[] = {
        {{environment_with(R"("environment_id":"$e")")}, ""},
        {{environment_with(R"("account_id":"$a","environment_id":"$e")"), other_account}, ""},
        {{R"({"token_scope":"environment"})"}, required},
        {{environment_with(R"("environment_id":null)")}, required},
        {{environment_with(R"("environment_id":"")")}, invalid},
        {{environment_with(R"("environment_id":"$e ")")}, invalid},
        {{environment_with(R"("environment_id":7)")}, invalid},
        {{account_with(R"("environment_id":"$e")")}, surplus},
        {{account_with(R"("environment_id":"")")}, surplus},
        {{account_with(R"("environment_id":0)")}, surplus},
        {{environment_with(R"("environment_id":"$f")")}, foreign},
        {{environment_with(R"("environment_id":"$e")"), other_account}, foreign},
        {{environment_with(R"("account_id":"$b","environment_id":"$e")")}, foreign},
        {{environment_with(R"("environment_id":"$f")"), account, {}, unchecked}, ""},
        {{environment_with(R"("environment_id":"no")"), account, {}, unchecked}, invalid},
        {{environment_with(R"("account_id":"no","environment_id":"$f")")},
         R"({"account_id":["must be a valid account id"]})"},
        {{environment_with(R"("environment_id":"$f")"), ""}, R"({"account_id":["is required"]})"},
    };
    check(rows);
}

void expires_at(void**)
{
    constexpr CreateRules ten_days = {day, 10 * day, true};
    constexpr auto invalid = R"({"expires_at":["must be an RFC 3339 date-time"]})";
    constexpr auto past = R"({"expires_at":["must be in the future"]})";
    constexpr auto late = R"({"expires_at":["must not be later than a token may live"]})";
    const Row rows[] = {
        {{account_with(R"("expires_at":"2026-11-24T08:00:01Z")")}, ""},
        {{account_with(R"("expires_at":"9999-12-31T23:59:59Z")")}, ""},
        {{account_with(R"("expires_at":"2026-12-04T08:00:00Z")"), account, {}, ten_days}, ""},
        {{account_with(R"("expires_at":"2026-12-04T13:45:00.9+05:45")"), account, {}, ten_days}, ""},
        {{account_with(R"("expires_at":"2026-12-04T08:00:01Z")"), account, {}, ten_days}, late},
        {{account_with(R"("expires_at":"9999-12-31T23:59:59Z")"), account, {}, ten_days}, late},
        {{account_with(R"("expires_at":"2026-11-24T08:00:00Z")")}, past},
        {{account_with(R"("expires_at":"2026-11-24T08:00:00.9Z")")}, past},
        {{account_with(R"("expires_at":"2026-11-24T09:00:00+01:00")")}, past},
        {{account_with(R"("expires_at":"0001-01-01T00:00:00Z")"), account, {}, ten_days}, past},
        {{account_with(R"("expires_at":"")")}, invalid},
        {{account_with(R"("expires_at":"2030-02-29T00:00:00Z")")}, invalid},
        {{account_with(R"("expires_at":"2030-01-01T00:00:00")")}, invalid},
        {{account_with(R"("expires_at":"2030-01-01T00:00:00Z ")")}, invalid},
        {{account_with(R"("expires_at":"2030-01-01T00:00:00Z\u0000")")}, invalid},
        {{account_with(R"("expires_at":9223372036854775808)")}, invalid},
        {{account_with(R"("expires_at":1893456000)")}, invalid},
        {{account_with(R"("expires_at":1.9e9)")}, invalid},
        {{account_with(R"("expires_at":false)")}, invalid},
        {{account_with(R"("expires_at":["2030-01-01T00:00:00Z"])")}, invalid},
    };
    check(rows);
    const CreateRequest request = accept({account_with(R"("expires_at":"2030-01-01T00:00:00+14:00")")});
    assert_int_equal(request.expires_at, 1893456000 - 14 * 3600);
}

void idempotency_keys(void**)
{
    constexpr auto length = R"({"idempotency_key":["must be a string of 1 to 64 characters"]})";
    constexpr auto utf8 = R"({"idempotency_key":["must be valid UTF-8"]})";
    constexpr auto differ =
        R"({"idempotency_key":["must equal the header Idempotency-Key where both are given"]})";
    const std::string longest = std::string(64, 'k');
    const std::string longest_in_bytes = repeated("😀", 64);
    const std::string too_long = longest_in_bytes + "k";
    const std::string none = R"({"token_scope":"account"})";
    const auto quoted = [](const std::string& text) { return '"' + text + '"'; };
    const Row rows[] = {
        {{with_key(R"("k")")}, ""},
        {{with_key(R"("two words")")}, ""},
        {{with_key(quoted(longest))}, ""},
        {{with_key(quoted(longest_in_bytes))}, ""},
        {{with_key(quoted(longest + "k"))}, length},
        {{with_key(quoted(too_long))}, length},
        {{with_key(R"("")")}, length},
        {{with_key("1")}, length},
        {{with_key("false")}, length},
        {{with_key("[]")}, length},
        {{with_key(R"("a\nb")")}, ""},
        {{with_key(R"("\u007f")")}, ""},
        {{with_key(R"("\u0085")")}, ""},
        {{none, account, "k"}, ""},
        {{none, account, longest_in_bytes}, ""},
        {{none, account,
          "\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
         ""},
        {{none, account, too_long}, length},
        {{none, account, ""}, length},
        {{none, account, "a\tb"}, ""},
        {{none, account, "\xc2\x9f"}, ""},
        {{none, account, "\xff"}, utf8},
        {{none, account, "\x80"}, utf8},
        {{none, account, "\xbf"}, utf8},
        {{none, account, "\xc0\xaf"}, utf8},
        {{none, account, "\xc1\xbf"}, utf8},
        {{none, account, "\xe0\x9f\xbf"}, utf8},
        {{none, account, "\xed\xa0\x80"}, utf8},
        {{none, account, "\xf0\x8f\xbf\xbf"}, utf8},
        {{none, account, "\xf4\x90\x80\x80"}, utf8},
        {{none, account, "\xf8\x88\x80\x80\x80"}, utf8},
        {{none, account, "a\xe2\x82"}, utf8},
        {{none, account, "\xe2\x82z"}, utf8},
        {{with_key(R"("k")"), account, "k"}, ""},
        {{with_key("null"), account, "k"}, ""},
        {{with_key(R"("k")"), account, "l"}, differ},
        {{with_key(R"("k")"), account, ""}, length},
        {{with_key(R"("")"), account, "k"}, length},
        {{R"({"details":{"token_scope":"account"},"idempotency_key":"k"})", account, "l"}, differ},
        {{R"({"details":{"token_scope":"account","idempotency_key":"k"}})"},
         R"({"idempotency_key":["is not a field of an API token"]})"},
    };
    check(rows);
    assert_text(accept({none, account, "h"}).idempotency_key, "h");
    assert_text(accept({with_key("null"), account, "h"}).idempotency_key, "h");
    assert_text(accept({with_key(R"("k")"), account, "k"}).idempotency_key, "k");
}

void unknown_fields(void**)
{
    const Row rows[] = {
        {{account_with(R"("expire_at":"2027-01-01T00:00:00Z")")},
         R"({"expire_at":["is not a field of an API token"]})"},
        {{account_with(R"("a":1,"":null)")},
         R"({"a":["is not a field of an API token"],"":["is not a field of an API token"]})"},
        {{R"({"details":{"token_scope":"account","status":"active"}})"},
         R"({"status":["is not a field of an API token"]})"},
        {{R"({"details":{"token_scope":"account","details":{}}})"},
         R"({"details":["is not a field of an API token"]})"},
        {{R"({"details":{"token_scope":"account"},"expires_at":null})"},
         R"({"expires_at":["must not stand beside details"]})"},
        {{R"({"details":{"token_scope":"account","x":1},"x":1})"},
         R"({"x":["must not stand beside details","is not a field of an API token"]})"},
    };
    check(rows);
}

void details_of_another_type(void**)
{
    for (const auto details : {"null", "[]", "\"\"", "1", "true"}) {
        const std::string body = R"({"details":)" + std::string(details) + R"(,"token_scope":"account"})";
        assert_text(errors_of({body}),
                    R"({"token_scope":["must not stand beside details"],"details":["must be an object"]})");
    }
}

void all_errors_at_once(void**)
{
    const Row rows[] = {
        {{R"({"token_scope":"x","account_id":1,"environment_id":2,"expires_at":3,"idempotency_key":4,"y":5})"},
         R"({"y":["is not a field of an API token"],"token_scope":["must be account or environment"],)"
         R"("account_id":["must be a valid account id"],"environment_id":["must be a valid environment id"],)"
         R"("expires_at":["must be an RFC 3339 date-time"],)"
         R"("idempotency_key":["must be a string of 1 to 64 characters"]})"},
        {{with_ids(R"({"environment_id":"$f","expires_at":"2020-01-01T00:00:00Z"})")},
         R"({"token_scope":["is required"],"environment_id":["must be an environment of the account"],)"
         R"("expires_at":["must be in the future"]})"},
    };
    check(rows);
}

// jansson allocates through these; the one that the countdown reaches fails, and each after it.
long allocations_left = 0;

void* scarce_malloc(std::size_t size)
{
    return allocations_left-- > 0 ? std::malloc(size) : nullptr;
}

void short_of_memory(void**)
{
    const std::string good = account_with(R"("account_id":"$a","idempotency_key":"k")");
    const std::string bad = R"({"token_scope":"x","account_id":1,"environment_id":2,"expires_at":3,"y":5})";
    json_set_alloc_funcs(scarce_malloc, std::free);
    for (long allocations = 0; allocations < 200; ++allocations) {
        allocations_left = allocations;
        const auto accepted = parse({good});
        assert_true(accepted || !accepted.error().errors);
        allocations_left = allocations;
        assert_false(static_cast<bool>(parse({bad})));
    }
    allocations_left = 200;
    assert_true(static_cast<bool>(parse({good})));
    json_set_alloc_funcs(std::malloc, std::free);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(the_page_and_the_client),
        cmocka_unit_test(defaults),
        cmocka_unit_test(no_object),
        cmocka_unit_test(token_scope),
        cmocka_unit_test(account_id),
        cmocka_unit_test(environment_id),
        cmocka_unit_test(expires_at),
        cmocka_unit_test(idempotency_keys),
        cmocka_unit_test(unknown_fields),
        cmocka_unit_test(details_of_another_type),
        cmocka_unit_test(all_errors_at_once),
        cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
