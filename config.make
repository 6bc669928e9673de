# C++ flags for this module's objects only; the compiler lists each one's headers in a .d file

api_token_objs=
for api_token_src in "$ngx_addon_dir"/src/*/*.cpp "$ngx_addon_dir/src/module.cpp"; do
    api_token_dir=${api_token_src%/*}
    api_token_name=${api_token_src##*/}
    api_token_objs="$api_token_objs $NGX_OBJS/addon/${api_token_dir##*/}/${api_token_name%.cpp}.o"
done

cat >> $NGX_MAKEFILE << END

$api_token_objs: CFLAGS += -std=c++20 -fno-exceptions -fno-rtti -fvisibility=hidden -Wall -Wextra -Werror -MMD -MP \$(CXX_EXTRA)
-include \$(wildcard $NGX_OBJS/addon/*/*.d)
END
