#include "json.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <openssl/crypto.h>
#include <rapidjson/reader.h>

namespace api_token {

namespace {

constexpr std::size_t max_depth = 2048;

/// A text that RapidJSON decodes in place. Wiped, since it may be a key's.
class Copy {
public:
    explicit Copy(std::string_view text)
        : size_(text.size()), begin_(static_cast<char*>(std::malloc(size_ + 1)))
    {
        if (begin_ != nullptr) {
            std::copy(text.begin(), text.end(), begin_);
            begin_[size_] = '\0';
        }
    }
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;
    ~Copy()
    {
        if (begin_ != nullptr) {
            OPENSSL_cleanse(begin_, size_);
        }
        std::free(begin_);
    }

    char* begin() { return begin_; }

private:
    std::size_t size_;
    char* begin_;
};

/// Makes jansson's values of what RapidJSON reads. A member function that answers false ends that.
class Builder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Builder> {
public:
    using Size = rapidjson::SizeType;

    Json take() { return std::move(top_); }

    bool Null() { return add(json_null()); }
    bool Bool(bool value) { return add(json_boolean(value)); }
    bool String(const char* text, Size length, bool /*copy*/) { return add(json_stringn(text, length)); }
    bool RawNumber(const char* text, Size length, bool /*copy*/)
    {
        const char* const end = text + length;
        return std::string_view(text, length).find_first_of(".eE") == std::string_view::npos
                   ? add_integer(text, end)
                   : add_real(text, end);
    }
    bool StartObject() { return open(json_object()); }
    bool Key(const char* text, Size length, bool /*copy*/)
    {
        name_ = text;
        const bool has_nul = std::memchr(text, 0, length) != nullptr;
        return !has_nul && json_object_get(open_[depth_ - 1], text) == nullptr;
    }
    bool EndObject(Size /*members*/) { return close(); }
    bool StartArray() { return open(json_array()); }
    bool EndArray(Size /*elements*/) { return close(); }

    // A number in another form than RawNumber() takes
    bool Default() { return false; }

private:
    /// What is too large for one is a real.
    bool add_integer(const char* begin, const char* end)
    {
        json_int_t value = 0;
        return std::from_chars(begin, end, value).ec == std::errc() ? add(json_integer(value))
                                                                    : add_real(begin, end);
    }

    /// What is too small for a double is zero.
    bool add_real(const char* begin, const char* end)
    {
        double value = 0;
        if (std::from_chars(begin, end, value).ec == std::errc::result_out_of_range) {
            value = std::strtod(begin, nullptr);
        }
        return add(json_real(value));
    }

    bool add(json_t* value)
    {
        if (depth_ == 0) {
            top_.reset(value);
            return value != nullptr;
        }
        json_t* const parent = open_[depth_ - 1];
        return json_is_array(parent) ? json_array_append_new(parent, value) == 0
                                     : json_object_set_new(parent, name_, value) == 0;
    }

    bool open(json_t* value)
    {
        if (!add(value) || depth_ == max_depth) {
            return false;
        }
        open_[depth_++] = value;
        return true;
    }

    bool close()
    {
        --depth_;
        return true;
    }

    Json top_;
    const char* name_ = nullptr;
    json_t* open_[max_depth];
    std::size_t depth_ = 0;
};

} // namespace

// jansson's own parser takes a third of the instructions of a create.
Json parse_json_object(std::string_view text)
{
    constexpr unsigned flags = rapidjson::kParseInsituFlag | rapidjson::kParseNumbersAsStringsFlag;
    Copy copy(text);
    if (copy.begin() == nullptr) {
        return nullptr;
    }
    Builder builder;
    rapidjson::InsituStringStream stream(copy.begin());
    const bool is_whole = rapidjson::Reader().Parse<flags>(stream, builder) && stream.Tell() == text.size();
    Json value = builder.take();
    return is_whole && json_is_object(value.get()) ? std::move(value) : nullptr;
}

} // namespace api_token
