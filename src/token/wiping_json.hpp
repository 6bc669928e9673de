#pragma once

#include <cstddef>
#include <cstdlib>

#include <jansson.h>
#include <openssl/crypto.h>

namespace api_token {

/// While this lives jansson's memory is wiped when it is freed. What jansson made before must not be freed
/// meanwhile, and what it makes meanwhile must be freed before the end.
class WipingJson {
public:
    WipingJson()
    {
        json_get_alloc_funcs(&allocate_before_, &release_before_);
        json_set_alloc_funcs(allocate, release);
    }
    WipingJson(const WipingJson&) = delete;
    WipingJson& operator=(const WipingJson&) = delete;
    ~WipingJson() { json_set_alloc_funcs(allocate_before_, release_before_); }

private:
    /// Stands before each piece of memory.
    struct alignas(std::max_align_t) Head {
        std::size_t size;
    };

    static void* allocate(std::size_t size)
    {
        auto* head = static_cast<Head*>(std::malloc(sizeof(Head) + size));
        if (head == nullptr) {
            return nullptr;
        }
        head->size = size;
        return head + 1;
    }

    static void release(void* memory)
    {
        if (memory == nullptr) {
            return;
        }
        Head* head = static_cast<Head*>(memory) - 1;
        OPENSSL_cleanse(memory, head->size);
        std::free(head);
    }

    json_malloc_t allocate_before_ = nullptr;
    json_free_t release_before_ = nullptr;
};

} // namespace api_token
