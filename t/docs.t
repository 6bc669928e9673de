use ApiToken;

plan 'no_plan';

# The documents are as the module is, and what they show works. The fenced blocks of a page are tried in their order:
#
#   nginx [http|server|location|main]   nginx -t takes it, in that context (http where none is named)
#   sh                                  ends with 0; where it calls nginx or curl, nginx runs with the last `nginx` block
#   json                                has the members of the answer that the `sh` block before it got
#   text                                is not looked at

our $keys   = $ENV{TEST_NGINX_KEYS};
our $binary = $ENV{TEST_NGINX_BINARY} // 'nginx';
our @pages  = ('README.md', glob 'docs/*.md');

# lines of `sh` that are not run, and why
my %not_run = (
    'make demo     # the life of a token, against an nginx and a Redis of its own' => 'a target of its own',
    'make test     # all tests'                => 'runs this',
    'make install                                    # into Debian\'s nginx; nginx is not restarted' => 'changes this machine',
    'make install'                             => 'changes this machine',
    'make NGX_SRC=PATH      # a source tree, released or from the repository' => 'needs a source tree of nginx',
    'apt-get install redis-server'             => 'changes this machine',
    'systemctl restart nginx'                  => 'needs root and systemd',
);

# what a page's paths and addresses are here
my @here = (
    [qr{/etc/nginx/(?:conf\.d/)?} => "$keys/etc/"],
    [qr{/var/log/nginx/}          => "$keys/log/"],
    [qr{/run/redis/redis\.sock}   => $ENV{TEST_NGINX_REDIS}],
    [qr{127\.0\.0\.1:6379}        => "127.0.0.1:$ENV{TEST_NGINX_REDIS_PORT}"],
    [qr{listen (?:127\.0\.0\.1:)?(\d+)}      => sub { "listen unix:$keys/sockets/$1" }],
    [qr{http://127\.0\.0\.1:(808\d)/?(?=\S)} => sub { "--unix-socket $keys/sockets/$1 http://localhost/" }],
    [qr{http://127\.0\.0\.1:(808\d)/?}       => sub { "--unix-socket $keys/sockets/$1 http://localhost/" }],
);

sub here {
    my $text = shift;
    for (@here) {
        my ($there, $here) = @$_;
        $text =~ s/$there/ref $here ? $here->() : $here/ge;
    }
    return $text;
}

sub slurp {
    my $path = shift;
    open my $in, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$in>;
}

# ---- nginx

# what a block lacks: keys, certificates and passwords that it names and no `sh` block made
my %supplied = (jwk => test_key('hs256'), pem => test_key('es256_public'), password => "secret\n", htpasswd => "u:{PLAIN}p\n",
    crt => undef, key => undef);

sub supply {
    my $conf = shift;
    for my $path ($conf =~ m{(\Q$keys\E/etc/[^\s;]+)}g) {
        my ($kind) = $path =~ /(\w+)$/;
        next if -e $path;
        die "$path: nothing to put there\n" if !exists $supplied{$kind};
        write_key($path =~ s{^\Q$keys\E/}{}r, $supplied{$kind}) if defined $supplied{$kind};
    }
    return if $conf !~ /\.crt\b/ || -e "$keys/etc/server.key";
    system("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout $keys/etc/server.key -out $keys/etc/server.crt 2>/dev/null") == 0
        or die "openssl req\n";
    system('cp', "$keys/etc/server.crt", "$keys/etc/ca.crt");
}

sub whole_conf {
    my ($context, $text) = @_;
    $text = "location / {\n$text\n}"             if $context eq 'directives';
    $text = "server {\nlisten unix:$keys/sockets/8081;\n$text\n}" if $context =~ /^(?:location|server)$/;
    if ($context ne 'main') {
        $text = "api_token_redis unix:$ENV{TEST_NGINX_REDIS};\n$text" if $text !~ /^ *api_token_redis /m || $context ne 'http';
        $text = "api_token_key $keys/own.jwk;\n$text"                 if $text !~ /^ *api_token_key /m   || $context ne 'http';
        # so that a block without a location is used
        $text .= "\nserver { listen unix:$keys/sockets/x; location / { auth_api_token x; } }";
        $text = "events { }\nhttp { access_log off;\n$text\n}";
    }
    return ($ENV{MODULE} ne '' ? "load_module $ENV{MODULE};\n" : '') . "user root; pid $keys/pid;\n" . ($text =~ s/^load_module .*|^user .*//mgr);
}

sub try_nginx {
    my ($name, $context, $text) = @_;
    my $conf = whole_conf($context, here($text));
    supply($conf);
    write_key('nginx.conf', $conf);
    unlink glob "$keys/sockets/*";
    local $ENV{ASAN_OPTIONS} = ($ENV{ASAN_OPTIONS} // '') =~ s/detect_leaks=1/detect_leaks=0/r;
    my $said = `$binary -t -e stderr -p $keys -c $keys/nginx.conf 2>&1`;
    like($said, qr/^nginx: configuration file \S+ test is successful$/m, "$name: nginx -t");
    unlike($said, qr/\[(?:warn|error|crit|alert|emerg)\]/, "$name: without a warning");
}

my $running;

sub end_nginx {
    my $pid = $running or return;
    undef $running;
    kill QUIT => $pid;
    waitpid $pid, 0;
}
END { end_nginx() if defined $running && $running }

sub run_nginx {
    end_nginx();
    unlink glob "$keys/sockets/*";
    $running = fork() // die "fork: $!\n";
    exec $binary, '-g', 'daemon off;', '-e', "$keys/log/error.log", '-p', $keys, '-c', "$keys/nginx.conf" or POSIX::_exit(127) if $running == 0;
    my $log;
    eventually { -e "$keys/pid" && (slurp("$keys/pid") + 0) == $running };
}

# ---- sh

my $prelude = <<"END";
set -eu -o pipefail
nginx() { command $binary -e $keys/log/error.log -p $keys -c $keys/nginx.conf "\$@"; }
redis-cli() { command redis-cli -e -s $ENV{TEST_NGINX_REDIS} "\$@"; }
curl() { command curl -fsS -m 10 "\$@" | tee $keys/answer; }
END

my %seen;

sub try_sh {
    my ($name, $text) = @_;
    $seen{$_}++ for grep { exists $not_run{$_} } split /\n/, $text;
    $text = join "\n", grep { !exists $not_run{$_} } split /\n/, $text;
    return if $text !~ /\S/;
    run_nginx() if !$running && $text =~ /^(?:nginx|curl) /m;
    write_key('script.sh', $prelude . here($text) . "\n");
    my $said = `cd $keys/work && bash $keys/script.sh 2>&1`;
    is($?, 0, "$name: sh") or diag($said);
    my $answer = eval { json(slurp("$keys/answer")) };
    $ENV{TOKEN} = $answer->{token} if $answer && $answer->{token};
    $ENV{ID} = $answer->{details}{id} if $answer && ref $answer->{details};
}

# ---- json

# the members of a value, each with its type
sub shape {
    my $value = shift;
    return {map { $_ => shape($value->{$_}) } keys %$value} if ref $value eq 'HASH';
    return [map { shape($_) } @$value[0 .. ($#$value < 0 ? -1 : 0)]] if ref $value eq 'ARRAY';
    return ref $value ? 'boolean' : defined $value ? 'text' : 'null';
}

# ---- the blocks

sub try_block {
    my ($name, $kind, $context, $text) = @_;
    if ($kind eq 'nginx') {
        end_nginx();
        try_nginx($name, $context // 'http', $text);
    } elsif ($kind eq 'sh') {
        try_sh($name, $text);
    } elsif ($kind eq 'json') {
        is_deeply(shape(json($text)), shape(json(slurp("$keys/answer"))), "$name: the members of the answer");
    } else {
        is($kind, 'text', "$name: a kind of block that this knows");
    }
}

my ($module) = slurp('src/module.cpp');
my %contexts = $module =~ /\{ngx_string\("(\w+)"\), (\w+) \|/g;

my $count = 0;
for my $page (grep { !/architecture/ } @pages) {
    system("rm -rf $keys/etc $keys/log $keys/work $keys/sockets; mkdir -p $keys/etc $keys/log $keys/work $keys/sockets");
    write_key('own.jwk', test_key('hs256'));
    delete @ENV{qw(TOKEN ID)};
    redis('FLUSHALL');
    my $text = slurp($page);
    while ($text =~ /^```(\w*)(?: (\w+))?\n(.*?)^```$/msg) {
        my ($kind, $context, $block) = ($1, $2, $3);
        my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
        next if $block =~ /api_token_metrics/ && !$contexts{api_token_metrics};
        $count++;
        try_block("$page:$line", $kind, $context, $block);
    }
    end_nginx();
}
cmp_ok($count, '>', 40, 'blocks');
is_deeply([grep { !$seen{$_} } sort keys %not_run], [], 'what is not run is there');

# ---- directives.md has each directive, with its context, and each variable

my $directives = slurp('docs/directives.md');
my %words      = (anywhere => 'http, server, location', NGX_HTTP_LOC_CONF => 'location', NGX_HTTP_MAIN_CONF => 'http');
my %described  = $directives =~ /^### (\w+)\n\nSyntax: .*\nDefault: .*\nContext: (.*)$/mg;
delete $described{api_token_metrics} if !$contexts{api_token_metrics};
is_deeply(\%described, {map { $_ => $words{$contexts{$_}} } keys %contexts}, 'the directives of the module, and where they may stand');
for my $name (sort keys %contexts) {
    my ($section) = $directives =~ /^### $name\n(.*?)(?=^##|\z)/ms;
    like($section, qr/^```nginx.*^\s*$name\b.*^```$/ms, "$name has an example");
}

my %variables = map { $_ => 1 } $module =~ /^ *\{"(api_token_\w+)", auth::/mg;
my ($table) = $directives =~ /^## Variables\n(.*?)^## /ms;
is_deeply({map { $_ => 1 } $table =~ /^\| `\$(\w+)` /mg}, \%variables, 'the variables of the module');

# ---- troubleshooting.md has each text that the module may say

# no messages, though they hold a space
my %other = map { $_ => 1 } 'Bearer ', 'Bearer realm=', 'public, max-age=300', '422 Unprocessable Entity', ', error="invalid_token"',
    ', error="insufficient_scope"', 'if KEYS[5] then', 'return record(KEYS[1])', '; \t', ' \t\r\n', '{"code":"', '","message":"';

sub plain { lc $_[0] =~ s/\\?"/"/gr =~ s/\s+/ /gr }

my $trouble = plain(slurp('docs/troubleshooting.md'));
my ($messages, @missing) = 0;
for my $file (glob 'src/*.cpp src/*/*.cpp src/*/*.hpp') {
    my $source = slurp($file) =~ s/R"(\w*)\(.*?\)\1"//sgr =~ s{^\s*//.*$|^#include.*$|^constexpr.*capacity.*$}{}mgr;
    while ($source =~ /("(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*)/g) {
        my $literal = $1 =~ s/(?<!\\)"\s*"//gr =~ s/^"|"$//gr =~ s/\\"/"/gr;
        next if $literal !~ / / || $literal !~ /[a-z]/ || $other{$literal};
        # what nginx or the code puts between is not there
        for my $part (grep { /\w \w|\w\w\w/ } split /%(?:\*s|ui|V|s)/, $literal) {
            $messages++;
            push @missing, "$file: $part" if index($trouble, plain($part =~ s/^[\s":;]+|[\s":;]+$//gr)) < 0;
        }
    }
}
is_deeply(\@missing, [], 'each message is in troubleshooting.md');
cmp_ok($messages, '>', 120, 'messages');

my ($words) = slurp('src/token/jwt.cpp') =~ /refusal_names\{\s*(.*?)\}/s;
my @words = $words =~ /"(\w+)"/g;
my ($section) = slurp('docs/troubleshooting.md') =~ /^## Words of `\$api_token_error`\n(.*?)(?=^## |\z)/ms;
is_deeply([sort $section =~ /^\| `(\w+)` /mg], [sort @words], 'each word of $api_token_error');

my ($client) = slurp('docs/troubleshooting.md') =~ /^## What a client is told\n(.*?)(?=^## |\z)/ms;
my %codes = map { $_ => 1 } slurp('src/http/errors.cpp') =~ /"?code\\?"?:\\?"(\w+)\\?"|API_TOKEN_ERROR\("(\w+)"/g;
my @codes = sort grep { defined && /\w/ } map { keys %$_ } {map { $_ => 1 } grep { defined } slurp('src/http/errors.cpp') =~ /API_TOKEN_ERROR\("(\w+)"|"code":"(\w+)"/g};
is_deeply([sort keys %{{map { $_ => 1 } $client =~ /^\| \d[\d, ]* \| `(\w+)` /mg}}], \@codes, 'each code');

# ---- links

for my $page (@pages) {
    my $text = slurp($page);
    (my $folder = $page) =~ s{[^/]*$}{};
    while ($text =~ /\]\(([^)\s]+)\)/g) {
        my ($path, $anchor) = split /#/, $1, 2;
        next if $path =~ /^https?:/;
        my $target = $path eq '' ? $page : "$folder$path";
        next if $target eq 'docs/../README.md' ? ($target = 'README.md', 0) : 0;
        ok(-e $target, "$page: $path is there") or next;
        next if !defined $anchor;
        my %anchors = map { (lc =~ s/[`\$.,?!:()]//gr =~ tr/ /-/r) => 1 } slurp($target) =~ /^#+ (.*)$/mg;
        ok($anchors{$anchor}, "$page: $path#$anchor");
    }
}
