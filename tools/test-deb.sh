#!/bin/bash
# Installs build/deb's package into a bare Debian like this one, uses it, and purges it again
set -eu
cd "$(dirname "$0")/.."
package=libnginx-mod-http-api-token
name=$(. /etc/os-release; echo "$VERSION_CODENAME")-deb
root=build/platforms/$name

inside() { tools/chroot.sh "$name" "$@"; }
apt() { inside env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends "$@"; }
fail() { echo "test-deb: $*" >&2; exit 1; }

rm -rf "$root"
inside true
cp build/deb/${package}_*.deb tools/demo.sh "$root/var/tmp/"
apt update
apt install "/var/tmp/$(basename build/deb/${package}_*.deb)"

printf '{"kty":"oct","kid":"1","k":"%s"}\n' "$(head -c 32 /dev/zero | tr '\0' x | base64 | tr -d =)" >"$root/etc/nginx/api_token.jwk"
cat >"$root/etc/nginx/conf.d/api_token.conf" <<'CONF'
api_token_redis unix:/run/redis/redis.sock;
api_token_key /etc/nginx/api_token.jwk;
server {
    listen 127.0.0.1:8081;
    location / { auth_api_token "example"; root /usr/share/nginx/html; }
}
CONF
inside nginx -t

apt install redis-server redis-tools curl openssl perl
inside env MODULE=/usr/lib/nginx/modules/ngx_http_api_token_module.so bash /var/tmp/demo.sh

rm "$root/etc/nginx/api_token.jwk" "$root/etc/nginx/conf.d/api_token.conf" "$root"/var/tmp/$package*.deb
apt purge $package
left=$(find "$root" -path "$root/proc" -prune -o -path "$root/var/cache/apt" -prune -o -name '*api[_-]token*' -print)
[ -z "$left" ] || fail "left behind: $left"
inside nginx -t
rm -rf "$root"
echo "$package: installed, used and purged in ${name%-deb}"
