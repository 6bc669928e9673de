#!/bin/bash
# Fetches into the folder $2, and nowhere else, from the archive that this Debian is set up with
#   test-nginx   Test::Nginx, which Debian has in sid only: the package, unpacked
#   nginx        the source of this Debian's nginx
set -eu
what=$1 dir=$2

rm -rf "$dir"
mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
cd "$dir"
apt=$PWD/apt

echo "fetching $what"
exec 3>&2 >log 2>&1
trap '[ $? = 0 ] || { tail -n 20 log >&3; rm -rf apt; }' EXIT

archive() {
    apt-get indextargets --format "$1" 'Created-By: Packages' 'Origin: Debian' "${@:2}" | sort -u
}
apt_here() {
    apt-get -q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
        -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" -o Acquire::Languages=none \
        -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root "$@"
}

[ -n "$(archive '$(REPO_URI)')" ] || apt-get -q update
signed='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
case $what in
    test-nginx)
        archive "deb $signed \$(REPO_URI) sid main" 'Label: Debian' >apt/sources.list
        apt_here update
        apt_here download libtest-nginx-perl
        dpkg -x libtest-nginx-perl_*.deb .
        ;;
    nginx)
        archive "deb-src $signed \$(REPO_URI) \$(CODENAME) main" >apt/sources.list
        apt_here update
        # not the .dsc: the archive may have dropped the one that its index names
        apt_here source --tar-only nginx
        tar xf nginx_*.orig.tar.gz --strip-components=1
        ;;
esac
rm -rf apt
