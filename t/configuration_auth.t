use ApiToken;

plan 'no_plan';

our $keys  = $ENV{TEST_NGINX_KEYS};
our $store = "unix:$ENV{TEST_NGINX_REDIS}";
our $conf  = "$keys/nginx.conf";

write_key('hs256.jwk',  test_key('hs256'));
write_key('admin.jwk',  test_key('hs384'));
write_key('rsa.pem',    test_key('rsa_pkcs8'));
write_key('public.pem', test_key('rsa_public'));
write_key('twice.json', '{"keys":[' . test_key('hs384', {kid => 'a'}) . ',' . test_key('hs512', {kid => 'a'}) . ']}');
write_key('both.json',  '{"keys":[' . test_key('hs512') . ',' . test_key('hs256', {kid => 'x'}) . ']}');

our $http = "api_token_redis $store; api_token_key $keys/hs256.jwk;";

sub is_good {
    my ($name, %in) = @_;
    like(test_nginx(http => $http, %in), qr/: configuration file \S+ test is successful\n/, $name);
}

sub is_bad {
    my ($message, $line, $name, %in) = @_;
    is(mistake(test_nginx(http => $http, %in)), "$message in $conf:$line", $name);
}

# ---- what is wrong with a directive, in a location or, for the cache, in http

my @wrong = map { [split /\s+=>\s*/, $_, 2] } grep { /\S/ && !/^#/ } split /\n/, <<"EOF";
auth_api_token;                              => invalid number of arguments in "auth_api_token" directive
auth_api_token r token=\$a scope=account x;  => invalid number of arguments in "auth_api_token" directive
auth_api_token r; auth_api_token off;        => "auth_api_token" directive is duplicate
auth_api_token off scope=account;            => auth_api_token: "off" takes nothing behind it
auth_api_token r realm;                      => auth_api_token: "realm" is no parameter: there are token= and scope=
auth_api_token r Scope=account;              => auth_api_token: "Scope=account" is no parameter: there are token= and scope=
auth_api_token r scope;                      => auth_api_token: "scope" is no parameter: there are token= and scope=
auth_api_token r scope=;                     => auth_api_token: "scope=" is no scope: there are scope=account and scope=environment
auth_api_token r scope=Account;              => auth_api_token: "scope=Account" is no scope: there are scope=account and scope=environment
auth_api_token r scope=\$arg_s;              => auth_api_token: "scope=\$arg_s" is no scope: there are scope=account and scope=environment
auth_api_token r scope=account scope=account; => auth_api_token: "scope=account" stands here twice
auth_api_token r token=;                     => auth_api_token: "token=" needs a variable, such as token=\$cookie_token
auth_api_token r token=cookie_t;             => auth_api_token: "token=cookie_t" needs a variable, such as token=\$cookie_token
auth_api_token r token=\$arg_a token=\$arg_b; => auth_api_token: "token=\$arg_b" stands here twice
api_token_last_used;                         => invalid number of arguments in "api_token_last_used" directive
api_token_last_used 1s; api_token_last_used off; => "api_token_last_used" directive is duplicate
api_token_admin_key;                         => invalid number of arguments in "api_token_admin_key" directive
api_token_admin_key $keys/admin.jwk issuer=a audience=b c; => invalid number of arguments in "api_token_admin_key" directive
api_token_admin_key $keys/admin.jwk iss=a;   => api_token_admin_key: "iss=a" is no parameter: there are issuer= and audience=
api_token_admin_key $keys/admin.jwk issuer=; => api_token_admin_key: "issuer=" needs a text in UTF-8
api_token_admin_key $keys/admin.jwk audience=\xff; => api_token_admin_key: "audience=\xff" needs a text in UTF-8
api_token_admin_key $keys/twice.json;        => api_token_admin_key: "$keys/twice.json" holds two keys of one kid: give each its own
EOF
push @wrong, map { [qq(api_token_last_used "$_";), qq(api_token_last_used: "$_" needs a time above zero, such as 30d, or off)] } '', '0', '0s', 'on', '-1', '500ms';
is_bad($_->[1], 5, $_->[0], location => $_->[0]) for @wrong;
like(mistake(test_nginx(http => $http, location => "api_token_admin_key $keys/none;")), qr/^api_token_admin_key: "\Q$keys\E\/none" .*\(2: No such file or directory\) in \Q$conf\E:5$/, 'a file that is not there');

my @cache = map { [split /\s+=>\s*/, $_, 2] } grep { /\S/ } split /\n/, <<"EOF";
api_token_cache;                      => invalid number of arguments in "api_token_cache" directive
api_token_cache zone=t:1m valid=1s stale=1s x; => invalid number of arguments in "api_token_cache" directive
api_token_cache zone=t:1m; api_token_cache zone=u:1m; => "api_token_cache" directive is duplicate
api_token_cache valid=1s;             => api_token_cache: "zone=" is missing: name the shared memory, such as zone=tokens:10m
api_token_cache zone=t;               => api_token_cache: "zone=t" needs a name and a size, such as zone=tokens:10m
api_token_cache zone=:1m;             => api_token_cache: "zone=:1m" needs a name and a size, such as zone=tokens:10m
api_token_cache zone=t:;              => api_token_cache: "zone=t:" has no size, such as 10m, behind the colon
api_token_cache zone=t:x;             => api_token_cache: "zone=t:x" has no size, such as 10m, behind the colon
api_token_cache zone=t:-1;            => api_token_cache: "zone=t:-1" has no size, such as 10m, behind the colon
api_token_cache zone=t:0;             => api_token_cache: "zone=t:0" is too small: give it 32k or more
api_token_cache zone=t:16k;           => api_token_cache: "zone=t:16k" is too small: give it 32k or more
api_token_cache zone=t:1m size=1m;    => api_token_cache: "size=1m" is no parameter: there are zone=, valid= and stale=
api_token_cache zone=t:1m valid=;     => api_token_cache: "valid=" needs a time, such as 60s
api_token_cache zone=t:1m valid=soon; => api_token_cache: "valid=soon" needs a time, such as 60s
api_token_cache zone=t:1m valid=-1;   => api_token_cache: "valid=-1" needs a time, such as 60s
api_token_cache zone=t:1m valid=0;    => api_token_cache: "valid=0" would remember nothing: leave api_token_cache out instead
api_token_cache zone=t:1m stale=500ms; => api_token_cache: "stale=500ms" needs a time, such as 60s
api_token_cache zone=t:1m stale=x;    => api_token_cache: "stale=x" needs a time, such as 60s
EOF
is_bad($_->[1], 3, $_->[0], http => "$http $_->[0]") for @cache;
like(mistake(test_nginx(http => "$http api_token_cache zone=t:1m; limit_req_zone \$uri zone=t:1m rate=1r/s;")),
    qr/"t" is already (?:bound to|declared)|shared memory zone "t"/, 'a zone that another module has');

# nginx itself tells this at the end, without a line
is(mistake(test_nginx(http => $http, location => "auth_api_token r$_\$nothing;")), 'unknown "nothing" variable', "a variable that nobody sets:$_") for '', ' token=';

# ---- where a directive may stand

is_bad('"api_token_cache" directive is not allowed here', @$_[1, 0], $_->[0] => 'api_token_cache zone=t:1m;') for ['server', 4], ['location', 5];
for my $directive ('auth_api_token r', 'api_token_last_used 1s', "api_token_admin_key $keys/admin.jwk") {
    my ($name) = split / /, $directive;
    is_good("$name in $_", http => $http . ($_ eq 'http' ? "$directive;" : ''), $_ eq 'http' ? () : ($_ => "$directive;")) for qw(http server location);
    is_bad(qq("$name" directive is not allowed here), 5, "$name in $_", location => "$_ { $directive; }") for 'limit_except GET', 'if ($args)';
}

for my $name (qw(api_token api_token_jwks api_token_introspect api_token_metrics)) {
    is_good($name, location => "$name;");
    is_bad(qq(invalid number of arguments in "$name" directive), 5, "$name with an argument", location => "$name on;");
    is_bad(qq("$name" directive is duplicate), 5, "$name twice", location => "$name; $name;");
    is_bad(qq("$name" directive is not allowed here), $_->[1], "$name in $_->[0]", $_->[0] => "$name;") for ['http', 3], ['server', 4];
    is_bad(qq($_: "$name" stands in this location: give each a location of its own), 5, "$name and $_", location => "$name; $_;")
        for grep { $_ ne $name } qw(api_token api_token_metrics);
}
is_bad('"api_token_jwks" needs keys to verify with: add api_token_key', 5, 'no keys to publish', http => "api_token_redis $store;", location => 'api_token_jwks;');
is_good('a page of metrics needs neither Redis nor a key', http => '', location => 'api_token_metrics;');
is_good('Redis is away', http => "api_token_redis redis://127.0.0.1:1; api_token_key $keys/hs256.jwk;", location => 'api_token;');

# ---- directives that do not go together; the line is that of what needs them

my %missing = (api_token_redis => 'needs a Redis: add api_token_redis', api_token_key => 'needs keys to verify with: add api_token_key');
for my $name (sort keys %missing) {
    my $without = $http =~ s/$name [^;]*;//r;
    my %lines = (http => 3, server => 4, location => 5);
    is_bad(qq("auth_api_token" $missing{$name}), $lines{$_}, "without $name, $_", http => $without . ($_ eq 'http' ? 'auth_api_token r;' : ''), $_ eq 'http' ? () : ($_ => 'auth_api_token r;'))
        for sort keys %lines;
    is_good("without $name, and off", http => "$without auth_api_token off;");
}
is_good("admins' keys alone", http => "api_token_redis $store; api_token_admin_key $keys/admin.jwk; auth_api_token r;");

my $same = 'has an api_token_key that is an api_token_admin_key too: its tokens would be admins\'';
is_bad(qq("auth_api_token" $same), 5, 'one file', location => "auth_api_token r; api_token_admin_key $keys/hs256.jwk;");
is_bad(qq("auth_api_token" $same), 5, 'another file, among others, from outside', http => "$http api_token_admin_key $keys/admin.jwk; api_token_admin_key $keys/both.json;", location => 'auth_api_token r;');
is_bad(qq("auth_api_token" $same), 5, 'the public half', location => "auth_api_token r; api_token_key $keys/rsa.pem; api_token_admin_key $keys/public.pem;");
is_bad(qq("auth_api_token" $same), 5, 'its point written another way', location => "auth_api_token r; api_token_key "
    . write_key('es256.jwk', test_key('es256')) . '; api_token_admin_key ' . write_key('compressed.pem', test_key('ec_compressed_public')) . ';');
is_bad(qq("api_token" $same), 5, 'of the API', location => "api_token; api_token_admin_key $keys/both.json;");
is_good('keys of their own', location => "auth_api_token r; api_token_admin_key $keys/admin.jwk; api_token_admin_key $keys/rsa.pem;");

# ---- what is right

is_good($_, location => $_) for split /\n/, <<'EOF';
auth_api_token off;
auth_api_token "";
auth_api_token "a realm" token=$cookie_t scope=account;
auth_api_token $arg_realm scope=environment token=$arg_a$arg_b;
api_token_last_used 1d; auth_api_token r;
api_token_last_used off; auth_api_token r;
EOF
is_good($_, http => "$http $_ auth_api_token r;") for split /\n/, <<'EOF';
api_token_cache zone=t:64k;
api_token_cache zone=t:1m valid=1s stale=0;
api_token_cache stale=1h valid=1d zone=t:10M;
EOF
