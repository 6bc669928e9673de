#!/bin/bash
# Makes and uses tokens, with an nginx, a Redis and a key of its own, and fails where an answer is not the one it tells of.
# MODULE=FILE: the module; NGINX_BINARY=FILE: the nginx that it was built for
set -eu -o pipefail
nginx=${NGINX_BINARY:-/usr/sbin/nginx}
account=013xrzp12g3nqk8ngskn1wtxgka5b0nf
api=/api/v1/api_token

dir=$(mktemp -d)
pids=()
end() {
    local status=$?
    if [ "${#pids[@]}" != 0 ]; then
        kill "${pids[@]}" 2>/dev/null || true
        wait "${pids[@]}" 2>/dev/null || true
    fi
    if [ $status != 0 ] && [ -s "$dir/error.log" ]; then tail -n 10 "$dir/error.log" >&2; fi
    rm -rf "$dir"
    exit $status
}
trap end EXIT
trap 'exit 130' INT TERM
fail() { echo "demo: $*" >&2; exit 1; }

# ---- what it starts

wait_for() {    # pid, a command that succeeds once it is there
    local pid=$1 i
    shift
    for ((i = 0; i < 100; i++)); do
        kill -0 "$pid" 2>/dev/null || fail "a server ended: $*"
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    fail "does not answer: $*"
}
listens() { (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

start_redis() {
    redis-server --port 0 --unixsocket "$dir/redis.sock" --unixsocketperm 777 --save '' --appendonly no \
        --dir "$dir" </dev/null >"$dir/redis.log" &
    redis=$!
    pids+=("$redis")
    wait_for "$redis" redis-cli -s "$dir/redis.sock" PING
}

start_nginx() {
    port=$((20000 + RANDOM % 10000))
    while listens; do port=$((port + 1)); done
    cat >"$dir/nginx.conf" <<END
load_module $MODULE;
daemon off;
pid $dir/nginx.pid;
events { }
http {
    access_log off;
    client_body_temp_path $dir/tmp; proxy_temp_path $dir/tmp; fastcgi_temp_path $dir/tmp;
    uwsgi_temp_path $dir/tmp; scgi_temp_path $dir/tmp;

    api_token_redis unix:$dir/redis.sock;
    api_token_key $dir/key.jwk;
    api_token_issuer https://tokens.example;
    api_token_cache zone=tokens:1m;

    server {
        listen 127.0.0.1:$port;
        location $api { api_token; api_token_caller account=\$http_x_account; }
        location / { auth_api_token "demo"; root $dir/www; }
    }
}
END
    "$nginx" -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log" </dev/null &
    pids+=($!)
    wait_for "$!" test -s "$dir/nginx.pid"    # written once it has its port
}

# ---- what it says and is told

# sends METHOD PATH [CURL ARGUMENT…]; the answer is in $status, $dir/headers and $dir/body
call() {
    local method=$1 path=$2
    shift 2
    status=$(curl -q -sS --noproxy '*' -m 10 -X "$method" -D "$dir/headers" -o "$dir/body" -w '%{http_code}' "$@" \
        "http://127.0.0.1:$port$path")
}
create() { call POST $api -H "X-Account: $account" -H 'Content-Type: application/json' -d "$1" "${@:2}"; }
manage() { call "$1" "$api$2" -H "X-Account: $account"; }
use() { call GET /hello.txt -H "Authorization: Bearer $token"; }

expect() { [ "$status" = "$1" ] || fail "expected $1, got $status: $(cat "$dir/body")"; }
header() { sed -n "s/^$1: *//Ip" "$dir/headers" | tr -d '\r'; }
member() {    # of the answer: member summaries 0 id
    perl -MJSON::PP -0777 -e '$v = decode_json(<STDIN>); $v = ref $v eq "ARRAY" ? $v->[$_] : $v->{$_} for @ARGV; print $v // "null"' "$@" <"$dir/body"
}
pretty() {
    perl -MJSON::PP -0777 -ne 'print JSON::PP->new->canonical->pretty->indent_length(2)->space_before(0)
        ->encode(decode_json($_))' "$dir/body"
}
base64url() { perl -MMIME::Base64=encode_base64url -0777 -ne 'print encode_base64url($_)'; }
decode() { perl -MMIME::Base64=decode_base64url -0777 -ne 'print decode_base64url($_), "\n"'; }
title() { printf '\n== %s\n' "$*"; }

# ---- the demo

umask 022
mkdir "$dir/www"
echo 'Hello, whoever holds a token.' >"$dir/www/hello.txt"
chmod 711 "$dir"
secret=$(openssl rand -hex 32)
(umask 077; printf '{"kty":"oct","kid":"demo","k":"%s"}\n' "$(perl -e 'print pack "H*", shift' "$secret" | base64url)" >"$dir/key.jwk")
start_redis
start_nginx

title "Create a token: POST $api"
body='{"token_scope":"account","expires_at":"2099-01-01T00:00:00+01:00"}'
echo "$body"
create "$body" -H 'Idempotency-Key: demo-1'
expect 200
[ "$(member details expires_at)" = 2098-12-31T23:00:00Z ] || fail "another expiry than asked for"
token=$(member token) id=$(member details id)
pretty

title "The token is a JWT"
IFS=. read -r jwt_header jwt_claims jwt_signature <<<"$token"
decode <<<"$jwt_header"
decode <<<"$jwt_claims"
signature=$(printf %s "$jwt_header.$jwt_claims" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$secret" -binary | base64url)
[ "$signature" = "$jwt_signature" ] || fail "openssl computes another signature"
echo "openssl computes the same signature"

title "The same Idempotency-Key again makes no second token"
create "$body" -H 'Idempotency-Key: demo-1'
expect 200
[ "$(member details id)" = "$id" ] || fail "a second token"
echo "$status, again $id"

title "A misspelt field is refused"
body='{"token_scope":"account","expire_at":"2099-01-01T00:00:00Z"}'
echo "$body"
create "$body"
expect 422
[ "$(member code)" = validation_errors ] || fail "another error"
echo "$status $(cat "$dir/body")"

title "GET /hello.txt, behind auth_api_token; then suspend, activate, revoke"
tell() { printf '%-18s%s\n' "$1" "$status $2"; }
call GET /hello.txt
expect 401
tell "without a token" "$(header WWW-Authenticate)"
use
expect 200
tell "with it" "$(cat "$dir/body")"
for step in "suspend 401" "activate 200" "revoke 401"; do
    manage POST "/$id/${step% *}"
    expect 200
    is=$(member details status)
    use
    expect "${step#* }"
    answer=$(header WWW-Authenticate)
    tell "$is" "${answer:-$(cat "$dir/body")}"
done

manage POST "/$id/activate"
expect 409
tell "activate it again" "$(cat "$dir/body")"
manage GET "?sorting=-expires_at"
expect 200
[ "$(member pagination item_count)" = 1 ] || fail "not one token"
[ "$(member summaries 0 id)" = "$id" ] || fail "another token"
tell list "$(member pagination item_count) token: $(member summaries 0 id), $(member summaries 0 status), last used at $(member summaries 0 last_used_at)"

title "In Redis: the record, until 30 days after the token expires, and not the token; DELETE"
ask_redis() { redis-cli -s "$dir/redis.sock" "$@"; }
for key in $(ask_redis --scan | sort); do
    echo "$key: $(ask_redis TYPE "$key"), TTL $(ask_redis TTL "$key")"
done
record="api_token:{${id:10:6}}:token:$id"
ask_redis HGETALL "$record" | paste -sd ' '
! ask_redis HVALS "$record" | grep -qF -e "$jwt_signature" || fail "the record holds the token"
kept=$(($(ask_redis EXPIRETIME "$record") - $(ask_redis HGET "$record" expires_at)))
[ "$kept" = $((30 * 86400)) ] || fail "the record is kept for $kept s"

manage DELETE "/$id"
expect 200
tell "delete" "$(cat "$dir/body")"
manage GET "/$id"
expect 404
[ "$(ask_redis EXISTS "$record")" = 0 ] || fail "the record is still there"

title "Redis stops, and starts again"
kill "$redis"
wait "$redis" || true
create '{"token_scope":"account"}'
expect 503
[ "$(header Retry-After)" = 1 ] || fail "no Retry-After"
echo "$status, Retry-After: $(header Retry-After), $(cat "$dir/body")"
start_redis
for ((i = 0; i < 30; i++)); do
    create '{"token_scope":"account"}'
    [ "$status" = 503 ] || break
    sleep 0.1
done
expect 200
echo "$status, without a restart of nginx"
