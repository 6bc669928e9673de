#!/bin/bash
# nginx under valgrind, as TEST_NGINX_BINARY; what valgrind reports goes to a file in $VALGRIND_REPORTS
exec valgrind -q --error-limit=no --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=none \
    --suppressions="$(dirname "$0")/valgrind.supp" --log-file="$VALGRIND_REPORTS/%p" /usr/sbin/nginx "$@"
