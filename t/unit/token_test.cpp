#include "cmocka.hpp"

#include "token/token.hpp"

#include <algorithm>
#include <vector>

using namespace api_token;

namespace {

constexpr std::string_view account = "013xrzp12g3nqk8ngskn1wtxgka5b0nf";
constexpr std::string_view environment = "013xrzp12g3nqk8nzxvq7jm2arsfg5h1";
constexpr std::string_view admin = "013xrzp12g3nqk8n0000000000000000";
constexpr std::string_view id = "01kxrzp12g3nqk8nzzzzzzzzzzzzzzzz";
constexpr Seconds made = 1795507200;    // 2026-11-24T08:00:00Z
constexpr Seconds expires = 1893456000; // 2030-01-01T00:00:00Z

Token account_token()
{
    Token token;
    token.id = id;
    token.account_id = account;
    token.inserted_at = token.updated_at = made;
    token.expires_at = expires;
    return token;
}

/// Every member as long as it can be.
Token largest_token()
{
    Token token = account_token();
    token.environment_id = environment;
    token.created_by_admin_user_id = admin;
    token.scope = Scope::environment;
    token.stored_status = StoredStatus::suspended;
    token.last_used_at = made + 1;
    return token;
}

template <class Write>
std::string written(std::size_t room, Write write)
{
    std::vector<char> memory(room);
    Writer out(memory);
    write(out);
    assert_false(out.overflowed());
    return std::string(out.view());
}

std::string details(const Token& token, Seconds now)
{
    return written(details_capacity, [&](Writer& out) { write_details(out, token, now); });
}

std::string summary(const Token& token, Seconds now)
{
    return written(details_capacity, [&](Writer& out) { write_summary(out, token, now); });
}

std::string claims(const Token& token, std::string_view issuer, std::string_view audience)
{
    return written(claims_capacity(issuer, audience),
                   [&](Writer& out) { write_claims(out, token, issuer, audience); });
}

void status_by_time(void**)
{
    struct Row {
        StoredStatus stored;
        Seconds now;
        Status status;
    };
    const Row rows[] = {
        {StoredStatus::active, expires - 1, Status::active},
        {StoredStatus::active, expires, Status::expired},
        {StoredStatus::active, expires + 1, Status::expired},
        {StoredStatus::suspended, expires - 1, Status::suspended},
        {StoredStatus::suspended, expires, Status::expired},
        {StoredStatus::revoked, expires - 1, Status::revoked},
        {StoredStatus::revoked, expires, Status::revoked},
    };
    for (const auto& [stored, now, status] : rows) {
        Token token = account_token();
        token.stored_status = stored;
        assert_text(name(status_at(token, now)), name(status));
    }
}

void actions_by_status(void**)
{
    struct Row {
        Status status;
        bool activate, remove, revoke, suspend;
    };
    const Row rows[] = {{Status::active, false, false, true, true},
                        {Status::suspended, true, false, true, false},
                        {Status::revoked, false, true, false, false},
                        {Status::expired, false, true, true, false}};
    for (const auto& row : rows) {
        assert_int_equal(allows(row.status, Operation::activate), row.activate);
        assert_int_equal(allows(row.status, Operation::remove), row.remove);
        assert_int_equal(allows(row.status, Operation::revoke), row.revoke);
        assert_int_equal(allows(row.status, Operation::suspend), row.suspend);
    }
}

void names_both_ways(void**)
{
    for (const auto text : {"account", "environment"}) {
        assert_text(name(*parse_scope(text)), text);
    }
    for (const auto text : {"active", "suspended", "revoked"}) {
        assert_text(name(*parse_stored_status(text)), text);
    }
    for (const auto text : {"", "Account", "account ", "environments", "active"}) {
        assert_false(parse_scope(text).has_value());
    }
    for (const auto text : {"", "Active", "expired", "suspend", "account"}) {
        assert_false(parse_stored_status(text).has_value());
    }
}

void details_of_a_new_token(void**)
{
    assert_text(
        details(account_token(), made),
        R"({"account_id":"013xrzp12g3nqk8ngskn1wtxgka5b0nf","available_actions":{"activate":false,"delete":false,)"
        R"("revoke":true,"suspend":true},"created_by_admin_user_id":null,"environment_id":null,)"
        R"("expires_at":"2030-01-01T00:00:00Z","id":"01kxrzp12g3nqk8nzzzzzzzzzzzzzzzz",)"
        R"("inserted_at":"2026-11-24T08:00:00Z","last_used_at":null,"status":"active","token_scope":"account",)"
        R"("type":"api_token","updated_at":"2026-11-24T08:00:00Z"})");
}

void summary_of_the_largest_token(void**)
{
    assert_text(summary(largest_token(), made),
                R"({"account_id":"013xrzp12g3nqk8ngskn1wtxgka5b0nf",)"
                R"("created_by_admin_user_id":"013xrzp12g3nqk8n0000000000000000",)"
                R"("environment_id":"013xrzp12g3nqk8nzxvq7jm2arsfg5h1","expires_at":"2030-01-01T00:00:00Z",)"
                R"("id":"01kxrzp12g3nqk8nzzzzzzzzzzzzzzzz","inserted_at":"2026-11-24T08:00:00Z",)"
                R"("last_used_at":"2026-11-24T08:00:01Z","status":"suspended","token_scope":"environment",)"
                R"("type":"api_token","updated_at":"2026-11-24T08:00:00Z"})");
}

void actions_shown(void**)
{
    Token token = account_token();
    token.stored_status = StoredStatus::suspended;
    const std::string suspended = details(token, made);
    assert_row(suspended.find(R"({"activate":true,"delete":false,"revoke":true,"suspend":false})") !=
                   std::string::npos,
               suspended);
    const std::string expired = details(token, expires);
    assert_row(expired.find(R"({"activate":false,"delete":true,"revoke":true,"suspend":false})") !=
                   std::string::npos,
               expired);
    assert_row(expired.find(R"("status":"expired")") != std::string::npos, expired);
}

void details_fit_their_capacity(void**)
{
    std::size_t longest = 0;
    for (auto stored : {StoredStatus::active, StoredStatus::suspended, StoredStatus::revoked}) {
        for (Seconds now : {made, expires}) {
            Token token = largest_token();
            token.stored_status = stored;
            const std::string text = details(token, now);
            longest = std::max(longest, text.size());
            const Json read = parse_json_object(text);
            assert_int_equal(json_object_size(read.get()), 12);
            assert_int_equal(json_object_size(json_object_get(read.get(), "available_actions")), 4);
        }
    }
    assert_in_range(longest, 1, details_capacity);
}

void claims_in_order(void**)
{
    assert_text(claims(largest_token(), "https://issuer.example", "api"),
                R"({"iss":"https://issuer.example","aud":"api","sub":"013xrzp12g3nqk8ngskn1wtxgka5b0nf",)"
                R"("jti":"01kxrzp12g3nqk8nzzzzzzzzzzzzzzzz","iat":1795507200,"exp":1893456000,)"
                R"("token_scope":"environment","environment_id":"013xrzp12g3nqk8nzxvq7jm2arsfg5h1"})");
    assert_text(claims(account_token(), "", ""),
                R"({"sub":"013xrzp12g3nqk8ngskn1wtxgka5b0nf","jti":"01kxrzp12g3nqk8nzzzzzzzzzzzzzzzz",)"
                R"("iat":1795507200,"exp":1893456000,"token_scope":"account"})");
}

void claims_fit_their_capacity(void**)
{
    Token token = largest_token();
    token.inserted_at = token.expires_at = INT64_MIN;
    const std::string worst(300, '\x01');
    const std::string text = claims(token, worst, worst);
    assert_int_equal(text.size(), claims_capacity(worst, worst));
    const Json read = parse_json_object(text);
    assert_text(json_text(json_object_get(read.get(), "iss")), worst);
    assert_text(json_text(json_object_get(read.get(), "aud")), worst);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(status_by_time),
        cmocka_unit_test(actions_by_status),
        cmocka_unit_test(names_both_ways),
        cmocka_unit_test(details_of_a_new_token),
        cmocka_unit_test(summary_of_the_largest_token),
        cmocka_unit_test(actions_shown),
        cmocka_unit_test(details_fit_their_capacity),
        cmocka_unit_test(claims_in_order),
        cmocka_unit_test(claims_fit_their_capacity),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
