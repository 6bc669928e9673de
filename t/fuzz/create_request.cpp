#include "fuzz.hpp"

#include "token/create_request.hpp"
#include "token/pfid.hpp"

#include <array>
#include <optional>

using api_token::CreateRequest;
using api_token::CreateRules;
using api_token::Scope;
using fuzz::must;

namespace {

constexpr api_token::Seconds now = 1800000000;
constexpr std::string_view account = "013xrzp12g3nqk8ngskn1wtxgka5b0nf";

void check_accepted(const CreateRequest& request, const CreateRules& rules)
{
    must(api_token::is_pfid(request.account_id));
    must((request.scope == Scope::environment) == !request.environment_id.empty());
    if (request.scope == Scope::environment) {
        must(api_token::is_pfid(request.environment_id));
        must(!rules.environment_check ||
             api_token::partition_of(request.environment_id) == api_token::partition_of(request.account_id));
    }
    const bool is_future = request.expires_at > now && request.expires_at <= api_token::last_second;
    const bool is_possible = is_future && (!rules.max_ttl || request.expires_at - now <= *rules.max_ttl);
    must((request.expiry_problem == nullptr) == is_possible);
    must(is_possible ||
         (request.expires_at_given && request.expires_at > 0 && !request.idempotency_key.empty()));
    must(request.idempotency_key.size() <= 4 * 64 && api_token::is_utf8(request.idempotency_key));
}

void check_refused(const json_t* errors, std::string_view body)
{
    must((errors == nullptr) == (api_token::parse_json_object(body) == nullptr));
    must(errors == nullptr || json_object_size(errors) > 0);
    const char* field;
    json_t* messages;
    json_object_foreach(const_cast<json_t*>(errors), field, messages)
    {
        must(json_array_size(messages) > 0);
        for (std::size_t i = 0; i < json_array_size(messages); ++i) {
            must(!api_token::json_text(json_array_get(messages, i)).empty());
        }
    }
}

std::string print(const CreateRequest& request)
{
    std::array<char, 2048> memory;
    const auto expires_at = api_token::format_date_time(request.expires_at);
    api_token::Writer out(memory);
    out.raw(R"({"idempotency_key":)").string_or_null(request.idempotency_key);
    out.raw(R"(,"details":{"token_scope":)").string(name(request.scope));
    out.raw(R"(,"account_id":)").string(request.account_id);
    out.raw(R"(,"environment_id":)").string_or_null(request.environment_id);
    out.raw(R"(,"expires_at":)").string({expires_at.data(), expires_at.size()}).raw("}}");
    must(!out.overflowed());
    return std::string(out.view());
}

void check_printed(const CreateRequest& request, const CreateRules& rules)
{
    const std::string body = print(request);
    const auto again = api_token::parse_create(body, {}, std::nullopt, rules, now);
    must(again && again->account_id == request.account_id && again->scope == request.scope &&
         again->environment_id == request.environment_id && again->expires_at == request.expires_at &&
         again->idempotency_key == request.idempotency_key);
}

} // namespace

/// A character of choices, the header Idempotency-Key if they say so, the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    constexpr api_token::Seconds day = 86400;
    fuzz::Input input(data, size);
    const unsigned choice = input.choice();
    const CreateRules rules{90 * day, choice & 1 ? std::optional(365 * day) : std::nullopt,
                            (choice & 2) != 0};
    const auto header = choice & 4 ? std::optional(input.line()) : std::nullopt;
    const auto request =
        api_token::parse_create(input.rest(), choice & 8 ? account : std::string_view(), header, rules, now);
    if (request) {
        check_accepted(*request, rules);
        check_printed(*request, rules);
    } else {
        check_refused(request.error().errors.get(), input.rest());
    }
    return 0;
}
