#include "identity.hpp"

namespace api_token {

namespace {

/// Whether there is one.
bool put(Pfid& pfid, std::string_view text)
{
    text.copy(pfid.text.data(), pfid.text.size());
    return !text.empty();
}

} // namespace

Identity identity_of_token(const Claims& claims)
{
    Identity identity{};
    identity.kind = Identity::Kind::token;
    identity.scope = claims.scope;
    identity.expires_at = claims.expires_at;
    identity.issued_at = claims.issued_at;
    put(identity.token_id, claims.jti);
    identity.has_account = put(identity.account_id, claims.sub);
    identity.has_environment = put(identity.environment_id, claims.environment_id);
    return identity;
}

Identity identity_of_admin(const Claims& claims)
{
    Identity identity{};
    identity.kind = Identity::Kind::admin;
    identity.expires_at = claims.expires_at;
    put(identity.admin_user_id, claims.sub);
    identity.has_account = put(identity.account_id, claims.account_id);
    return identity;
}

} // namespace api_token
