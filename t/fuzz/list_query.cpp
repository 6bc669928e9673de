#include "fuzz.hpp"

#include "token/list_query.hpp"
#include "token/pfid.hpp"

using api_token::ListQuery;
using fuzz::must;

namespace {

std::string print(const ListQuery& query)
{
    std::string text = "pagination%5Boffset%5D=" + std::to_string(query.offset) +
                       "&pagination[page_size]=" + std::to_string(query.page_size) +
                       "&sorting=" + std::string(sorting(query));
    return query.account_size == 0 ? text : text + "&account_id=" + std::string(query.account_id());
}

bool same(const ListQuery& one, const ListQuery& other)
{
    return one.account_id() == other.account_id() && one.order == other.order &&
           one.descending == other.descending && one.offset == other.offset &&
           one.page_size == other.page_size;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto query = api_token::parse_list_query({reinterpret_cast<const char*>(data), size});
    if (!query) {
        must(query.error().sentence.ends_with('.'));
        return 0;
    }
    must(query->account_size == 0 || api_token::is_pfid(query->account_id()));
    must(query->offset >= 0 && query->offset <= 9'007'199'254'740'991);
    must(query->page_size >= 1 && query->page_size <= 100);
    const auto again = api_token::parse_list_query(print(*query));
    must(again && same(*again, *query));
    return 0;
}
