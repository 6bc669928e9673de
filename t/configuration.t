use ApiToken;

plan 'no_plan';

# each configuration is only tested, by nginx -t; a mistake is told with its directive, its file and its line

our $keys  = $ENV{TEST_NGINX_KEYS};
our $store = "unix:$ENV{TEST_NGINX_REDIS}";
our $conf  = "$keys/nginx.conf";

write_key('hs256.jwk', test_key('hs256'));
write_key('password', "secret\n");
write_key('empty', '');
POSIX::mkfifo("$keys/pipe", 0600) or die "$keys/pipe: $!\n";

# the API, and directives instead of those that it cannot do without
sub api_with {
    my $directives = shift;
    my %needed = (api_token => '', api_token_redis => " $store", api_token_key => " $keys/hs256.jwk");
    return join ' ', (map { $directives =~ /(?:^|; )$_[ ;]/ ? () : "$_$needed{$_};" } sort keys %needed), $directives;
}

sub is_good {
    my ($name, %in) = @_;
    like(test_nginx(%in), qr/: configuration file \S+ test is successful\n/, $name);
}

sub is_bad {
    my ($message, $line, $name, %in) = @_;
    is(mistake(test_nginx(%in)), "$message in $conf:$line", $name);
}

# ---- what is wrong with a directive, in a location

my @wrong = map { [split /\s*=>\s*/, $_, 2] } grep { /\S/ && !/^#/ } split /\n/, <<"EOF";
# api_token
api_token on;                               => invalid number of arguments in "api_token" directive
api_token; api_token;                       => "api_token" directive is duplicate

# api_token_redis: the URL
api_token_redis;                            => invalid number of arguments in "api_token_redis" directive
api_token_redis $store; api_token_redis $store; => "api_token_redis" directive is duplicate
api_token_redis 127.0.0.1:6379;             => api_token_redis: "127.0.0.1:6379" write redis://host:port/database, rediss://host:port/database, unix:/path, sentinel://host:port,host:port/name or cluster://host:port,host:port
api_token_redis "";                         => api_token_redis: "" write redis://host:port/database, rediss://host:port/database, unix:/path, sentinel://host:port,host:port/name or cluster://host:port,host:port
api_token_redis http://127.0.0.1;           => api_token_redis: "http://127.0.0.1" write redis://host:port/database, rediss://host:port/database, unix:/path, sentinel://host:port,host:port/name or cluster://host:port,host:port
api_token_redis unix:;                      => api_token_redis: "unix:" write unix:/path, an absolute path of at most 107 characters
api_token_redis unix:redis.sock;            => api_token_redis: "unix:redis.sock" write unix:/path, an absolute path of at most 107 characters
api_token_redis redis://;                   => api_token_redis: "redis://" no host
api_token_redis redis:///3;                 => api_token_redis: "redis:///3" no host
api_token_redis redis://:6379;              => api_token_redis: "redis://:6379" no host
api_token_redis redis://unix:redis.sock;    => api_token_redis: "redis://unix:redis.sock" it names no host
api_token_redis redis://127.0.0.1:x;        => api_token_redis: "redis://127.0.0.1:x" invalid port
api_token_redis redis://127.0.0.1:70000;    => api_token_redis: "redis://127.0.0.1:70000" invalid port
api_token_redis redis://no.such.host.invalid; => api_token_redis: "redis://no.such.host.invalid" host not found
api_token_redis redis://127.0.0.1/x;        => api_token_redis: "redis://127.0.0.1/x" the database, behind the slash, is a number
api_token_redis redis://127.0.0.1/-1;       => api_token_redis: "redis://127.0.0.1/-1" the database, behind the slash, is a number
api_token_redis redis://127.0.0.1/0/1;      => api_token_redis: "redis://127.0.0.1/0/1" the database, behind the slash, is a number
api_token_redis redis://127.0.0.1/1000000;  => api_token_redis: "redis://127.0.0.1/1000000" the database, behind the slash, is a number
api_token_redis redis://:secret\@127.0.0.1; => api_token_redis: "redis://***\@127.0.0.1" name the user by user= and the password by password_file=, not in the URL

# api_token_redis: its parameters
api_token_redis $store "prefix={x}";        => api_token_redis: "prefix={x}" may hold no braces, which belong to the hash tag
api_token_redis $store user=;               => api_token_redis: "user=" needs a name
api_token_redis $store user=app;            => api_token_redis: "user=" needs password_file= beside it
api_token_redis $store password_file=$keys/none; => api_token_redis: "password_file=$keys/none" cannot be opened (2: No such file or directory)
api_token_redis $store password_file=$keys/empty; => api_token_redis: "password_file=$keys/empty" holds no password in its first line
api_token_redis $store password_file=$keys; => api_token_redis: "password_file=$keys" is not a file
api_token_redis $store timeout=0;           => api_token_redis: "timeout=0" needs a time above zero, such as 500ms
api_token_redis $store timeout=;            => api_token_redis: "timeout=" needs a time above zero, such as 500ms
api_token_redis $store timeout=-1s;         => api_token_redis: "timeout=-1s" needs a time above zero, such as 500ms
api_token_redis $store timeout=1x;          => api_token_redis: "timeout=1x" needs a time above zero, such as 500ms
api_token_redis $store connect_timeout=off; => api_token_redis: "connect_timeout=off" needs a time above zero, such as 500ms

# api_token_key; more in keys.t
api_token_key;                              => invalid number of arguments in "api_token_key" directive
api_token_key $keys/hs256.jwk $keys/hs256.jwk; => invalid number of arguments in "api_token_key" directive
api_token_key $keys/none;                   => api_token_key: "$keys/none" cannot be opened (2: No such file or directory)
api_token_key $keys;                        => api_token_key: "$keys" is not a file
api_token_key $keys/pipe;                   => api_token_key: "$keys/pipe" is not a file
api_token_key $keys/empty;                  => api_token_key: "$keys/empty" the file is empty

# api_token_issuer, api_token_audience
api_token_issuer;                           => invalid number of arguments in "api_token_issuer" directive
api_token_issuer a b;                       => invalid number of arguments in "api_token_issuer" directive
api_token_issuer "";                        => api_token_issuer: "" is empty: name the claim's value, or leave the directive out
api_token_issuer "\xff";                    => api_token_issuer: "\xff" is not valid UTF-8
api_token_issuer a; api_token_issuer a;     => "api_token_issuer" directive is duplicate
api_token_audience "";                      => api_token_audience: "" is empty: name the claim's value, or leave the directive out
api_token_audience "a\xc3";                 => api_token_audience: "a\xc3" is not valid UTF-8
api_token_audience a b;                     => invalid number of arguments in "api_token_audience" directive
api_token_audience a; api_token_audience b; => "api_token_audience" directive is duplicate

# api_token_environment_check
api_token_environment_check yes;            => invalid value "yes" in "api_token_environment_check" directive, it must be "on" or "off"
api_token_environment_check on; api_token_environment_check on; => "api_token_environment_check" directive is duplicate

# api_token_caller
api_token_caller;                           => invalid number of arguments in "api_token_caller" directive
api_token_caller any;                       => api_token_caller: "any" is no parameter: there are account= and admin_user=
api_token_caller account;                   => api_token_caller: "account" is no parameter: there are account= and admin_user=
api_token_caller account=;                  => api_token_caller: "account=" needs a value
api_token_caller account=any account=any;   => api_token_caller: "account=any" stands here twice
api_token_caller account=any admin_user=;   => api_token_caller: "admin_user=" needs a value
api_token_caller admin_user=x;              => api_token_caller: "account=" is missing: it says who calls
api_token_caller account=any x=y;           => api_token_caller: "x=y" is no parameter: there are account= and admin_user=
api_token_caller account=any; api_token_caller account=any; => "api_token_caller" directive is duplicate
EOF

# the times
for my $name (qw(api_token_ttl api_token_max_ttl api_token_retention)) {
    my $need = 'needs a time above zero, such as 30d' . ($name =~ /max/ ? ', or off' : '');
    push @wrong, ["$name;", qq(invalid number of arguments in "$name" directive)],
        ["$name 100d; $name 100d;", qq("$name" directive is duplicate)],
        ["$name 300000000d;", qq($name: "300000000d" is a time beyond the year 9999)],
        map { [qq($name "$_";), qq($name: "$_" $need)] } '', 0, '0s', '-1d', 'forever', '1.5d', '500ms', $name =~ /max/ ? 'on' : 'off';
}

is_bad($_->[1], 5, $_->[0], location => api_with($_->[0])) for @wrong;

like(mistake(test_nginx(location => api_with("api_token_redis $store $_;"))),
    qr/^api_token_redis: "@{[s{=.*}{}r]}" is no parameter: there are prefix=,.* in \Q$conf\E:5$/, "$_ of api_token_redis")
    for qw(password=secret Timeout=1s prefix x=);
unlike(test_nginx(location => api_with("api_token_redis $_;")), qr/not for a log/, 'no password')
    for map { qq("$_") } 'redis://user:not for a log@127.0.0.1', 'redis:not for a log@127.0.0.1', 'redis://127.0.0.1/0?password=not for a log';

{
    local $ENV{OPENSSL_CONF} = write_key('fips.cnf', "openssl_conf = all\n[all]\nalg_section = algorithms\n[algorithms]\ndefault_properties = fips=yes\n");
    like(mistake(test_nginx(location => api_with(''))), qr/^api_token_key: "\Q$keys\E\/hs256.jwk" OpenSSL does not offer HS256 /, 'an OpenSSL without HMAC');
}

# nginx itself tells this at the end, without a line
is(mistake(test_nginx(location => api_with('api_token_caller account=$nothing;'))), 'unknown "nothing" variable', 'a variable that nobody sets');

# ---- where a directive may stand

is_bad(qq("$_->[0]" directive is not allowed here), $_->[2], "$_->[0] in $_->[1]", $_->[1] => "$_->[0] $_->[3];")
    for map { [$_->[0], http => 3, $_->[1]], [$_->[0], server => 4, $_->[1]] } [api_token => ''], [api_token_caller => 'account=any'];

is_bad(qq("$_" directive is not allowed here), 5, "$_ in an if", location => api_with("if (\$args) { $_ account=any; }"))
    for qw(api_token_caller);

my %outer = (api_token_redis => $store, api_token_key => "$keys/hs256.jwk", api_token_issuer => 'a', api_token_audience => 'a',
    api_token_ttl => '1d', api_token_max_ttl => '100d', api_token_retention => '1d', api_token_environment_check => 'off');
for my $name (sort keys %outer) {
    is_good("$name in $_", $_ => "$name $outer{$name};", location => api_with($name eq 'api_token_key' ? '' : 'api_token_issuer b;'))
        for qw(http server);
}

# ---- directives that do not go together

my %missing = (api_token_redis => 'needs a Redis: add api_token_redis', api_token_key => 'needs a key to sign with: add api_token_key');
for my $name (sort keys %missing) {
    my $without = join ' ', grep { !/^$name/ } map { "$_;" } 'api_token', "api_token_redis $store", "api_token_key $keys/hs256.jwk";
    is_bad(qq("api_token" $missing{$name}), 5, "without $name", location => $without);
    is_good("$name from outside", http => "$name $outer{$name};", location => $without);
}

my $too_long = '"api_token" would make tokens that live longer than api_token_max_ttl: lower api_token_ttl';
for my $there (qw(http server location)) {
    my $line = {http => 3, server => 4, location => 5}->{$there};
    is_bad($too_long =~ s/"api_token"/api_token_max_ttl: "1d"/r, $line, "a ttl above max_ttl in $there", $there => 'api_token_ttl 2d; api_token_max_ttl 1d;');
    is_bad($too_long =~ s/"api_token"/api_token_ttl: "2d"/r, $line, "the other way round in $there", $there => 'api_token_max_ttl 1d; api_token_ttl 2d;');
}
is_bad($too_long, 5, 'the ttl that is the default, above max_ttl', location => api_with('api_token_max_ttl 89d;'));
is_bad($too_long, 5, 'one from outside', http => 'api_token_max_ttl 1d;', location => api_with('api_token_ttl 2d;'));
is_good('equal ones', location => api_with('api_token_ttl 2d; api_token_max_ttl 2d;'));
is_good('no maximum here', http => 'api_token_max_ttl 1d;', location => api_with('api_token_ttl 2d; api_token_max_ttl off;'));
is_good('no API, no matter', http => 'api_token_ttl 2d;', location => 'api_token_max_ttl 1d;');

# ---- an included file

write_key('wrong.conf', "\n\n  api_token_ttl\n  0\n;\n");
is(mistake(test_nginx(location => api_with("include $keys/wrong.conf;"))),
    qq(api_token_ttl: "0" needs a time above zero, such as 30d in $keys/wrong.conf:5), 'file and line of an included file');

write_key('api.conf', "\napi_token;\n");
is(mistake(test_nginx(location => "include $keys/api.conf;")), qq("api_token" needs a Redis: add api_token_redis in $keys/api.conf:2), 'of an api_token that lacks something');

# ---- what is right

is_good($_, location => api_with($_)) for split /\n/, <<"EOF";
api_token_caller account=any;
api_token_caller account=\$remote_user admin_user=\$remote_user;
api_token_ttl 90d; api_token_max_ttl off; api_token_retention 30d; api_token_environment_check on;
api_token_ttl 1y6M; api_token_max_ttl 2y; api_token_retention 1;
api_token_issuer https://issuer.example; api_token_audience "an audience";
api_token_redis $store prefix= timeout=1ms connect_timeout=1m;
api_token_redis $store prefix=a:b user=app password_file=$keys/password;
api_token_redis redis://127.0.0.1;
api_token_redis redis://127.0.0.1/;
api_token_redis redis://localhost:1/15;
api_token_redis redis://[::1]:6379;
api_token_redis unix:/nonexistent/redis.sock;
api_token_key ./hs256.jwk;
api_token_key hs256.jwk;
EOF
is_good('nothing of it', location => 'return 200;');

# ---- secrets of the configuration

chmod 0620, "$keys/password";
is_bad(qq(api_token_redis: "password_file=$keys/password" may be written by its group or by others: chmod go-w it), 5, 'a password that others may write',
    location => api_with("api_token_redis $store password_file=$keys/password;"));
chmod 0440, "$keys/password";
is_good('a password that the group may read', location => api_with("api_token_redis $store password_file=$keys/password;"));
write_key(large => 'x' x (1024 * 1024 + 1));
is_bad(qq(api_token_key: "$keys/large" is larger than 1 MiB, which no key file is), 5, 'a large file', location => api_with("api_token_key $keys/large;"));
