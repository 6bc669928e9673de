#pragma once

#include "request.hpp"
#include "task.hpp"

#include <array>

namespace ngx {

/// A status that nginx has no name for.
inline constexpr ngx_int_t unprocessable_entity = 422;

/// What a content coroutine answers with. Body and headers live as long as the request.
struct Answer {
    struct Header {
        std::string_view name;
        std::string_view value;
    };

    ngx_int_t status = NGX_HTTP_INTERNAL_SERVER_ERROR;
    std::string_view body;
    std::string_view content_type = "application/json";
    /// Quoted; nginx answers 304 to who has it. Empty where there is none.
    std::string_view entity_tag;
    std::array<Header, 3> headers{};
    std::size_t header_count = 0;

    /// An answer that nginx makes: its error page of that status.
    static Answer of_nginx(ngx_int_t status)
    {
        Answer answer;
        answer.status = status;
        return answer;
    }

    Answer& with(std::string_view name, std::string_view value);

    /// Sends the answer and ends the request.
    void deliver(Request& request) const;

private:
    ngx_int_t send(ngx_http_request_t* r) const;
    bool set_entity_tag(ngx_http_request_t* r) const;
};

using Content = Task<Answer>;

} // namespace ngx
