use ApiToken;

plan 'no_plan';

# What the operator's documents show works, and they are as the module is. The fenced blocks of a page are tried in their order:
#
#   nginx [server|location|main]   nginx -t takes it, in that context or in http
#   sh                             ends with 0; where it calls nginx or curl, one runs with the last `nginx` block
#   json                           has the members of the answer that curl got before it
#   text                           is not looked at

our $keys   = $ENV{TEST_NGINX_KEYS};
our $binary = $ENV{TEST_NGINX_BINARY} // 'nginx';
our @pages  = ('README.md', map { "docs/$_.md" } qw(directives operations scaling security troubleshooting));

# lines of `sh` that are not run, by how they begin
my %not_run = (
    'make demo'             => 'has a target of its own',
    'make deb'              => 'has a target of its own',
    'make test'             => 'runs this',
    'make install'          => 'changes this machine',
    'make NGX_SRC=PATH'     => 'needs a source tree of nginx',
    'apt-get install'       => 'changes this machine',
    'systemctl restart'     => 'needs systemd',
);

# what a page's paths and addresses are here
my @here = (
    [qr{/etc/nginx/(?:conf\.d/)?}            => sub { "$keys/etc/" }],
    [qr{/var/log/nginx/}                     => sub { "$keys/log/" }],
    [qr{/run/redis/redis\.sock}              => sub { $ENV{TEST_NGINX_REDIS} }],
    [qr{127\.0\.0\.1:6379}                   => sub { "127.0.0.1:$ENV{TEST_NGINX_REDIS_PORT}" }],
    [qr{listen (?:127\.0\.0\.1:)?(\d+)}      => sub { "listen unix:$keys/sockets/$1" }],
    [qr{http://127\.0\.0\.1:(808\d)/?}       => sub { "--unix-socket $keys/sockets/$1 http://localhost/" }],
);

sub here {
    my $text = shift;
    $text =~ s/$_->[0]/$_->[1]->()/ge for @here;
    return $text;
}

sub slurp {
    my $path = shift;
    open my $in, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$in>;
}

my $source = slurp('src/module.cpp');
my %contexts = $source =~ /\{ngx_string\("(\w+)"\), (\w+) \|/g;

# ---- nginx

# files that a block names and no `sh` block made, by their ends
my %supplied = (jwk => test_key('hs256'), pem => test_key('es256_public'), password => "secret\n");

sub supply {
    my $conf = shift;
    for my $path ($conf =~ m{\Q$keys\E/(etc/[\w.-]+\.(?:jwk|pem|password))\b}g) {
        write_key($path, $supplied{($path =~ /(\w+)$/)[0]}) if !-e "$keys/$path";
    }
    return if $conf !~ /server\.crt/;
    system("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout $keys/etc/server.key -out $keys/etc/server.crt 2>/dev/null") == 0
        or die "openssl req\n";
    write_key('etc/ca.crt', slurp("$keys/etc/server.crt"));
}

# the block, and what it lacks of a configuration with one location that is checked
sub whole_conf {
    my ($context, $text) = @_;
    my $start = ($ENV{MODULE} ne '' ? "load_module $ENV{MODULE};\n" : '') . "user root; pid $keys/pid;\n";
    return $start . $text if $context eq 'main';
    my @needed = ("api_token_redis unix:$ENV{TEST_NGINX_REDIS};", "api_token_key $keys/own.jwk;");
    my $needed = join "\n", grep { my ($name) = /(\w+)/; $context ne 'http' || $text !~ /^$name /m } @needed;
    $text = "server { listen unix:$keys/sockets/8081;\n$text\n}" if $context ne 'http';
    return "$start events { }\nhttp {\n access_log off;\n$needed\n$text\n"
        . "server { listen unix:$keys/sockets/x; location / { auth_api_token x; } }\n}\n";
}

# an nginx that does not serve frees nothing
my $passing = ($ENV{ASAN_OPTIONS} // '') =~ s/detect_leaks=1/detect_leaks=0/r;

sub try_nginx {
    my ($name, $context, $text) = @_;
    my $conf = whole_conf($context, here($text));
    supply($conf);
    write_key('nginx.conf', $conf);
    unlink glob "$keys/sockets/*";
    local $ENV{ASAN_OPTIONS} = $passing;
    my $said = `$binary -t -e stderr -p $keys -c $keys/nginx.conf 2>&1`;
    like($said, qr/^nginx: configuration file \S+ test is successful$/m, "$name: nginx -t");
    unlike($said, qr/\[(?:warn|error|crit|alert|emerg)\]/, "$name: without a warning");
}

my $nginx;

sub end_nginx {
    my $pid = $nginx or return;
    undef $nginx;
    kill QUIT => $pid;
    waitpid $pid, 0;
    is($?, 0, 'nginx ends');
}
END { kill KILL => $nginx if $nginx }

sub start_with_conf {
    unlink glob("$keys/sockets/*"), "$keys/pid";
    $nginx = fork() // die "fork: $!\n";
    if ($nginx == 0) {
        open STDOUT, '>', '/dev/null';
        exec $binary, '-g', 'daemon off;', '-e', "$keys/log/error.log", '-p', $keys, '-c', "$keys/nginx.conf" or POSIX::_exit(127);
    }
    eventually { -s "$keys/pid" };
}

# ---- sh

my $prelude = <<"END";
set -eu -o pipefail
nginx() { command $binary -e $keys/log/error.log -p $keys -c $keys/nginx.conf "\$@"; }
redis-cli() { command redis-cli -e -s $ENV{TEST_NGINX_REDIS} "\$@"; }
curl() { command curl -q -fsS -m 10 "\$@" | tee $keys/answer; }
cd $keys/work
END

my %seen;

sub is_run {
    my $line = shift;
    my ($start) = grep { index($line, $_) == 0 } keys %not_run;
    $seen{$start}++ if defined $start;
    return !defined $start;
}

sub try_sh {
    my ($name, $text) = @_;
    $text = join "\n", grep { is_run($_) } split /\n/, $text;
    start_with_conf() if !$nginx && $text =~ /^(?:nginx|curl) /m;
    my $script = write_key('script.sh', $prelude . here($text) . "\n");
    local $ENV{ASAN_OPTIONS} = $passing;
    my $said = `bash $script 2>&1`;
    is($?, 0, "$name: sh") or diag($said);
    my $answer = -e "$keys/answer" ? eval { json(slurp("$keys/answer")) } : undef;
    $ENV{TOKEN} = $answer->{token} if $answer && $answer->{token};
}

# ---- json

# the members of a value, each with its type
sub shape {
    my $value = shift;
    return {map { $_ => shape($value->{$_}) } keys %$value} if ref $value eq 'HASH';
    return ref $value ? 'boolean' : defined $value ? 'text' : 'null';
}

# ---- the blocks of a page

sub try_block {
    my ($name, $kind, $context, $text) = @_;
    if ($kind eq 'nginx') {
        end_nginx();
        try_nginx($name, $context, $text);
    } elsif ($kind eq 'sh') {
        try_sh($name, $text);
    } elsif ($kind eq 'json') {
        is_deeply(shape(json($text)), shape(json(slurp("$keys/answer"))), "$name: the members of the answer");
    } else {
        is($kind, 'text', "$name: a kind of block that is known");
    }
}

my $blocks = 0;
for my $page (@pages) {
    File::Path::remove_tree(map { "$keys/$_" } qw(etc log work sockets));
    mkdir "$keys/$_" for qw(etc log work sockets);
    write_key('own.jwk', test_key('hs256'));
    redis('FLUSHALL');
    try_nginx($page, 'http', '');
    my $text = slurp($page);
    while ($text =~ /^```(\w*)(?: (\w+))?\n(.*?)^```$/msg) {
        my ($kind, $context, $block) = ($1, $2 // 'http', $3);
        $blocks++;
        try_block("$page:" . (1 + substr($text, 0, $-[0]) =~ tr/\n//), $kind, $context, $block);
    }
    end_nginx();
}
cmp_ok($blocks, '>', 35, 'blocks');
is_deeply([grep { !$seen{$_} } sort keys %not_run], [], 'what is not run is there');

# ---- what the pages say of their own blocks

sub serve {
    my $conf = shift;
    try_nginx('what is said', 'http', $conf);
    start_with_conf();
}

# what curl gets, and behind it the status
sub client { `curl -q -s -m 10 -w '%{http_code}\n' --unix-socket $keys/sockets/8081 $_[0]` }

sub heard {
    eventually { redis('PUBSUB', 'NUMSUB', 'api_token:changes') =~ /\n1$/ };
}

my $server = 'server { listen 8081; location / { auth_api_token x; empty_gif; } location = /metrics { api_token_metrics; }
    location /api { api_token; api_token_caller account=013xrzp12g3nqk8ngskn1wtxgka5b0nf; } }';
my $create = q(-H 'Content-Type: application/json' -d '{"token_scope":"account"}' http://x/api);

my ($acl) = slurp('docs/security.md') =~ /^```sh\n([^`]*ACL SETUSER[^`]*)^```/m;
try_sh('the rights of a user', $acl);
my ($user) = slurp('docs/security.md') =~ /^(api_token_redis .*;)$/m;
serve("$user\napi_token_cache zone=t:1m;\n$server");
my ($id, $token) = client($create) =~ /"id":"(\w+)".*"token":"([^"]+)".*\n200$/s;
like(client($_), qr/200$/, "$_, by the rights in security.md") for 'http://x/api', "http://x/api/$id", (map { "-X POST http://x/api/$id/$_" } qw(suspend activate)),
    "-o /dev/null -H 'Authorization: Bearer $token' http://x/", "-X POST http://x/api/$id/revoke", "-X DELETE http://x/api/$id";
heard();
is(redis('ACL', 'LOG'), '', 'and nothing was refused');
end_nginx();
my %granted = map { $_ => 1 } $acl =~ /\+(\w+)/g;
is_deeply([grep { !$granted{lc $_} } map { slurp($_) =~ /redis\.call\('(\w+)'/g } glob 'src/store/*.cpp'], [], 'each command of the scripts is there');

my ($make) = slurp('docs/security.md') =~ /^(printf .*kty":"oct".*\n.*)$/m;
for my $bytes (32, 48, 64) {
    try_sh("a key of $bytes bytes", $make =~ s/rand -base64 \K32/$bytes/r);
    serve("api_token_key /etc/nginx/hs256.jwk;\n$server");
    my ($made) = client($create) =~ /"token":"([^"]+)"/;
    like((jwt($made))[0], qr/"alg":"HS@{[8 * $bytes]}"/, "by the algorithm that security.md says");
    end_nginx();
}

my ($held) = slurp('docs/operations.md') =~ /`32k`, the least, holds (\d+) tokens/;
serve("api_token_cache zone=t:32k;\n$server");
heard();
my @tokens = client("$create?[1-150]") =~ /"token":"([^"]+)"/g;
write_key('curl', join "next\n", map { qq(url = "http://x/"\nunix-socket = "$keys/sockets/8081"\noutput = /dev/null\nheader = "Authorization: Bearer $_"\n) } @tokens);
system("curl -q -s -K $keys/curl");
my $metrics = client('http://x/metrics');
like($metrics, qr/^nginx_api_token_cache_entries $held$/m, 'a cache of 32k holds as many tokens as operations.md says');
end_nginx();

# ---- directives.md has each directive, with its context, and each variable

sub section {
    my ($page, $heading) = @_;
    my ($text) = slurp($page) =~ /^#+ \Q$heading\E\n(.*?)(?=^#|\z)/ms;
    return $text // die "$page: no $heading\n";
}

my %words     = (anywhere => 'http, server, location', NGX_HTTP_LOC_CONF => 'location', NGX_HTTP_MAIN_CONF => 'http');
my %described = slurp('docs/directives.md') =~ /^### (\w+)\n\nSyntax: (?:.*\n){1,2}?Default: .*\nContext: (.*)$/mg;
is_deeply(\%described, {map { $_ => $words{$contexts{$_}} } keys %contexts}, 'the directives of the module, and where they may stand');
like(section('docs/directives.md', $_), qr/^```nginx.*^\s*$_\b.*^```$/ms, "$_ has an example") for sort keys %contexts;

my ($on_man_page) = slurp('debian/libnginx-mod-http-api-token.7') =~ /^\.SH DIRECTIVES\n(.*?)^\.SH/ms;
my %on_man_page = map { $_ => 1 } $on_man_page =~ /\b(\w*api_token\w*)/g;
is_deeply(\%on_man_page, {map { $_ => 1 } keys %contexts}, 'the manual page has each directive, too');

my %variables = map { $_ => 1 } $source =~ /^ *\{"(api_token_\w+)", auth::/mg;
is_deeply({map { $_ => 1 } section('docs/directives.md', 'Variables') =~ /^\| `\$(\w+)` /mg}, \%variables, 'the variables of the module');

my %served = $metrics =~ /^# TYPE (\w+) (\w+)$/mg;
my %in_table = section('docs/directives.md', 'Metrics') =~ /^\| `(\w+)` \| (\w+) \|/mg;
is_deeply(\%in_table, \%served, 'the metrics that are served, and their types');

# ---- troubleshooting.md has each text that the module may say

# texts with a space that are none of these
my %other = map { $_ => 1 } 'Bearer ', 'Bearer realm=', 'public, max-age=300', '422 Unprocessable Entity', ', error="invalid_token"',
    ', error="insufficient_scope"', 'if KEYS[5] then', 'return record(KEYS[1])', 'non local key';

# of the sources, without Lua and comments, each with its parts made one
sub texts {
    my $code = slurp($_[0]) =~ s/R"(\w*)\(.*?\)\1"//sgr =~ s{^\s*//.*$|^#include.*$}{}mgr;
    my @texts = $code =~ /("(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*)/g;
    s/(?<!\\)"\s*"//g, s/^"|"$//g, s/\\"/"/g for @texts;
    return grep { / / && /[a-z]{2}/ && !$other{$_} } @texts;
}

sub plain { $_[0] =~ s/\s+/ /gr }

# what stands between what nginx or the code puts in
sub pieces { map { s/^[\s":;]+|[\s":;]+$//gr } grep { /\w\w\w/ } split /%(?:\*s|ui|V|s)/, $_[0] }

my $trouble  = plain(slurp('docs/troubleshooting.md'));
my %messages = map { my $file = $_; map { my $text = $_; map { ($_ => $file) } pieces($text) } texts($file) } grep { !m{src/api/metrics\.cpp} } glob 'src/*.cpp src/*/*.?pp';
is_deeply([map { "$messages{$_}: $_" } grep { index($trouble, plain($_)) < 0 } sort keys %messages], [], 'each message is there');
cmp_ok(scalar keys %messages, '>', 120, 'messages');

my ($names) = slurp('src/token/jwt.cpp') =~ /refusal_names\{\s*(.*?)\}/s;
my %words_told = map { $_ => 1 } section('docs/troubleshooting.md', 'Words of `$api_token_error`') =~ /^\| `(\w+)` /mg;
is_deeply(\%words_told, {map { $_ => 1 } $names =~ /"(\w+)"/g}, 'each word of $api_token_error');

my %codes = map { $_ => 1 } grep { defined } slurp('src/http/errors.cpp') =~ /API_TOKEN_ERROR\("(\w+)"|"code":"(\w+)"/g;
my %told  = map { $_ => 1 } section('docs/troubleshooting.md', 'What a client is told') =~ /^\| \d[\d, ]* \| `(\w+)` /mg;
is_deeply(\%told, \%codes, 'each code');

# ---- links

for my $page (@pages) {
    my ($folder) = $page =~ m{^(.*/)?};
    for my $link (slurp($page) =~ /\]\(([^)\s:]+)\)/g) {
        my ($path, $anchor) = split /#/, $link;
        my $target = $path eq '' ? $page : ($folder // '') . $path;
        ok(-e $target, "$page: $link") or next;
        my %anchors = map { lc =~ s/[^\w -]//gr =~ tr/ /-/r => 1 } slurp($target) =~ /^#+ (.*)$/mg;
        ok($anchors{$anchor}, "$page: $link, the heading") if defined $anchor;
    }
}
