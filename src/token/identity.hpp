#pragma once

#include "jwt.hpp"
#include "pfid.hpp"

namespace api_token {

/// Who a JWT says that it is of: an API token, or an admin. Plain bytes, so that shared memory can hold it.
struct Identity {
    enum class Kind : std::uint8_t { token, admin };

    Kind kind;
    Scope scope;
    bool has_account;
    bool has_environment;
    /// An API token's.
    Pfid token_id;
    /// The account that an API token is of, or that an admin acts for, where there is one.
    Pfid account_id;
    Pfid environment_id;
    /// An admin's.
    Pfid admin_user_id;
    Seconds expires_at;
    /// 0 where it is not known.
    Seconds issued_at;

    bool is_admin() const { return kind == Kind::admin; }
    /// What it is known by: the token, or the admin user.
    const Pfid& id() const { return is_admin() ? admin_user_id : token_id; }
};

Identity identity_of_token(const Claims& claims);
Identity identity_of_admin(const Claims& claims);

} // namespace api_token
