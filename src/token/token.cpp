#include "token.hpp"

#include <array>

namespace api_token {

namespace {

struct NamedAction {
    Operation action;
    std::string_view member;
};

/// In the order in which details show them.
constexpr std::array<NamedAction, 4> actions = {{{Operation::activate, R"({"activate":)"},
                                                 {Operation::remove, R"(,"delete":)"},
                                                 {Operation::revoke, R"(,"revoke":)"},
                                                 {Operation::suspend, R"(,"suspend":)"}}};

void write_actions(Writer& out, Status status)
{
    for (const auto& [action, member] : actions) {
        out.raw(member).raw(allows(status, action) ? "true" : "false");
    }
    out.raw("}");
}

void write_time(Writer& out, Seconds time)
{
    if (time == 0) {
        out.raw("null");
        return;
    }
    const DateTime text = format_date_time(time);
    out.raw("\"").raw({text.data(), text.size()}).raw("\"");
}

/// The members behind `available_actions`.
void write_common(Writer& out, const Token& token, Status status)
{
    out.raw(R"(,"created_by_admin_user_id":)").string_or_null(token.created_by_admin_user_id);
    out.raw(R"(,"environment_id":)").string_or_null(token.environment_id);
    out.raw(R"(,"expires_at":)");
    write_time(out, token.expires_at);
    out.raw(R"(,"id":)").string_or_null(token.id);
    out.raw(R"(,"inserted_at":)");
    write_time(out, token.inserted_at);
    out.raw(R"(,"last_used_at":)");
    write_time(out, token.last_used_at);
    out.raw(R"(,"status":")").raw(name(status));
    out.raw(R"(","token_scope":")").raw(name(token.scope));
    out.raw(R"(","type":"api_token","updated_at":)");
    write_time(out, token.updated_at);
    out.raw("}");
}

} // namespace

std::string_view name(Scope scope)
{
    return scope == Scope::account ? "account" : "environment";
}

std::string_view name(StoredStatus status)
{
    constexpr std::array<std::string_view, 3> names = {"active", "suspended", "revoked"};
    return names[static_cast<std::size_t>(status)];
}

std::string_view name(Status status)
{
    constexpr std::array<std::string_view, 4> names = {"active", "suspended", "revoked", "expired"};
    return names[static_cast<std::size_t>(status)];
}

std::optional<Scope> parse_scope(std::string_view text)
{
    for (Scope scope : {Scope::account, Scope::environment}) {
        if (text == name(scope)) {
            return scope;
        }
    }
    return std::nullopt;
}

std::optional<StoredStatus> parse_stored_status(std::string_view text)
{
    for (StoredStatus status : {StoredStatus::active, StoredStatus::suspended, StoredStatus::revoked}) {
        if (text == name(status)) {
            return status;
        }
    }
    return std::nullopt;
}

Status status_at(const Token& token, Seconds now)
{
    if (token.stored_status == StoredStatus::revoked) {
        return Status::revoked;
    }
    if (token.expires_at <= now) {
        return Status::expired;
    }
    return token.stored_status == StoredStatus::active ? Status::active : Status::suspended;
}

bool allows(Status status, Operation action)
{
    switch (action) {
    case Operation::activate:
        return status == Status::suspended;
    case Operation::suspend:
        return status == Status::active;
    case Operation::revoke:
        return status != Status::revoked;
    case Operation::remove:
        return status == Status::revoked || status == Status::expired;
    default:
        return false;
    }
}

void write_details(Writer& out, const Token& token, Seconds now)
{
    const Status status = status_at(token, now);
    out.raw(R"({"account_id":)").string_or_null(token.account_id).raw(R"(,"available_actions":)");
    write_actions(out, status);
    write_common(out, token, status);
}

void write_summary(Writer& out, const Token& token, Seconds now)
{
    out.raw(R"({"account_id":)").string_or_null(token.account_id);
    write_common(out, token, status_at(token, now));
}

void write_claims(Writer& out, const Token& token, std::string_view issuer, std::string_view audience)
{
    out.raw("{");
    if (!issuer.empty()) {
        out.raw(R"("iss":)").string(issuer).raw(",");
    }
    if (!audience.empty()) {
        out.raw(R"("aud":)").string(audience).raw(",");
    }
    out.raw(R"("sub":)").string(token.account_id).raw(R"(,"jti":)").string(token.id);
    out.raw(R"(,"iat":)").number(token.inserted_at).raw(R"(,"exp":)").number(token.expires_at);
    out.raw(R"(,"token_scope":")").raw(name(token.scope)).raw("\"");
    if (token.scope == Scope::environment) {
        out.raw(R"(,"environment_id":)").string(token.environment_id);
    }
    out.raw("}");
}

std::size_t claims_capacity(std::string_view issuer, std::string_view audience)
{
    constexpr std::string_view longest =
        R"({"iss":"","aud":"","sub":"01234567890123456789012345678901","jti":"01234567890123456789012345678901",)"
        R"("iat":-9223372036854775808,"exp":-9223372036854775808,"token_scope":"environment",)"
        R"("environment_id":"01234567890123456789012345678901"})";
    constexpr std::size_t longest_escape = 6;
    return longest.size() + longest_escape * (issuer.size() + audience.size());
}

} // namespace api_token
