#include "create_request.hpp"

#include "pfid.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

namespace api_token {

namespace {

constexpr std::array<std::string_view, 5> bare_fields = {"token_scope", "account_id", "environment_id",
                                                         "expires_at", "idempotency_key"};
constexpr auto details_fields = std::span(bare_fields).first<4>();
constexpr std::array<std::string_view, 2> envelope_fields = {"details", "idempotency_key"};

constexpr std::ptrdiff_t idempotency_key_max_length = 64;

/// {"field": ["message", …]}. Counts an error even when there is no memory to keep its message.
class Errors {
public:
    void add(const char* field, const char* message)
    {
        any_ = true;
        if (!fields_) {
            fields_.reset(json_object());
        }
        json_t* messages = json_object_get(fields_.get(), field);
        if (messages == nullptr) {
            messages = json_array();
            if (json_object_set_new(fields_.get(), field, messages) != 0) {
                return;
            }
        }
        json_array_append_new(messages, json_string(message));
    }

    /// Behind those of its own.
    void append(const Errors& others)
    {
        if (!others.any_) {
            return;
        }
        any_ = true;
        if (!fields_) {
            fields_.reset(json_object());
        }
        json_object_update(fields_.get(), others.fields_.get());
    }

    bool any() const { return any_; }
    CreateError take() { return {std::move(fields_)}; }

private:
    Json fields_;
    bool any_ = false;
};

bool is_absent(const json_t* value)
{
    return value == nullptr || json_is_null(value);
}

void refuse_others(json_t* object, std::span<const std::string_view> known, const char* message,
                   Errors& errors)
{
    const char* member;
    json_t* value;
    json_object_foreach(object, member, value)
    {
        if (std::ranges::find(known, std::string_view(member)) == known.end()) {
            errors.add(member, message);
        }
    }
}

/// What is wrong with an idempotency key, null where nothing is.
const char* key_problem(std::string_view key)
{
    if (!is_utf8(key)) {
        return "must be valid UTF-8";
    }
    const auto characters = std::ranges::count_if(key, [](char byte) { return (byte & 0xc0) != 0x80; });
    return characters < 1 || characters > idempotency_key_max_length
               ? "must be a string of 1 to 64 characters"
               : nullptr;
}

/// The key of the body or else of the header; empty without one.
std::string_view read_idempotency_key(const json_t* body, std::optional<std::string_view> header,
                                      Errors& errors)
{
    const json_t* value = json_object_get(body, "idempotency_key");
    const auto member = is_absent(value) ? std::nullopt : std::optional(json_text(value));
    const char* problem = member ? key_problem(*member) : nullptr;
    if (problem == nullptr && header) {
        problem = key_problem(*header);
    }
    if (problem == nullptr && member && header && *member != *header) {
        problem = "must equal the header Idempotency-Key where both are given";
    }
    if (problem != nullptr) {
        errors.add("idempotency_key", problem);
    }
    return member ? *member : header.value_or(std::string_view());
}

std::optional<Scope> read_scope(const json_t* details, Errors& errors)
{
    const json_t* value = json_object_get(details, "token_scope");
    if (is_absent(value)) {
        errors.add("token_scope", "is required");
        return std::nullopt;
    }
    const auto scope = parse_scope(json_text(value));
    if (!scope) {
        errors.add("token_scope", "must be account or environment");
    }
    return scope;
}

/// The account that the token will have, empty where that is an error.
std::string_view read_account(const json_t* details, std::string_view default_account, Errors& errors)
{
    const json_t* value = json_object_get(details, "account_id");
    if (is_absent(value)) {
        if (default_account.empty()) {
            errors.add("account_id", "is required");
        }
        return default_account;
    }
    const std::string_view account = json_text(value);
    if (!is_pfid(account)) {
        errors.add("account_id", "must be a valid account id");
        return {};
    }
    return account;
}

/// The environment, empty where there is none or that is an error. An empty `account` shares its partition
/// with every environment.
std::string_view read_environment(const json_t* details, std::optional<Scope> scope, std::string_view account,
                                  Errors& errors)
{
    const json_t* value = json_object_get(details, "environment_id");
    if (is_absent(value)) {
        if (scope == Scope::environment) {
            errors.add("environment_id", "is required for the scope environment");
        }
        return {};
    }
    const std::string_view environment = json_text(value);
    if (scope == Scope::account) {
        errors.add("environment_id", "must be null or absent for the scope account");
    } else if (!is_pfid(environment)) {
        errors.add("environment_id", "must be a valid environment id");
    } else if (!account.empty() && partition_text(environment) != partition_text(account)) {
        errors.add("environment_id", "must be an environment of the account");
    }
    return environment;
}

Seconds default_expiry(Seconds ttl, Seconds now)
{
    return ttl > last_second - now ? last_second : now + ttl;
}

/// Why no token may live until then; null where one may.
const char* expiry_problem(Seconds expires_at, std::optional<Seconds> max_ttl, Seconds now)
{
    if (expires_at <= now) {
        return "must be in the future";
    }
    return max_ttl && expires_at - now > *max_ttl ? "must not be later than a token may live" : nullptr;
}

void read_details(const json_t* details, std::string_view default_account, const CreateRules& rules,
                  Seconds now, CreateRequest& request, Errors& errors)
{
    const auto scope = read_scope(details, errors);
    request.scope = scope.value_or(Scope::account);
    request.account_id = read_account(details, default_account, errors);
    request.environment_id = read_environment(
        details, scope, rules.environment_check ? request.account_id : std::string_view(), errors);
    const json_t* given = json_object_get(details, "expires_at");
    request.expires_at_given = !is_absent(given);
    if (!request.expires_at_given) {
        request.expires_at = default_expiry(rules.ttl, now);
    } else if (const auto expiry = parse_date_time(json_text(given))) {
        request.expires_at = *expiry;
        request.expiry_problem = expiry_problem(*expiry, rules.max_ttl, now);
    } else {
        errors.add("expires_at", "must be an RFC 3339 date-time");
    }
}

} // namespace

CreateError expiry_error(const CreateRequest& request)
{
    Errors errors;
    errors.add("expires_at", request.expiry_problem);
    return errors.take();
}

Result<CreateRequest, CreateError> parse_create(std::string_view body, std::string_view default_account,
                                                std::optional<std::string_view> header_key,
                                                const CreateRules& rules, Seconds now)
{
    constexpr const char* unknown = "is not a field of an API token";
    CreateRequest request{};
    request.document = parse_json_object(body);
    json_t* const top = request.document.get();
    if (top == nullptr) {
        return CreateError{};
    }
    Errors errors;
    json_t* const details = json_object_get(top, "details");
    if (details == nullptr) {
        refuse_others(top, bare_fields, unknown, errors);
        read_details(top, default_account, rules, now, request, errors);
    } else if (json_is_object(details)) {
        refuse_others(top, envelope_fields, "must not stand beside details", errors);
        refuse_others(details, details_fields, unknown, errors);
        read_details(details, default_account, rules, now, request, errors);
    } else {
        refuse_others(top, envelope_fields, "must not stand beside details", errors);
        errors.add("details", "must be an object");
    }
    Errors errors_of_key;
    request.idempotency_key = read_idempotency_key(top, header_key, errors_of_key);
    // no token is from before 1970
    const bool may_be_retry =
        !errors.any() && !errors_of_key.any() && !request.idempotency_key.empty() && request.expires_at > 0;
    if (request.expiry_problem != nullptr && !may_be_retry) {
        errors.add("expires_at", request.expiry_problem);
    }
    errors.append(errors_of_key);
    if (errors.any()) {
        return errors.take();
    }
    return request;
}

} // namespace api_token
