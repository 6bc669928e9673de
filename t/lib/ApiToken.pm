package ApiToken;

# Test::Nginx with the module loaded, and a Redis of its own for each test file. redis_here() is where it is for nginx, by a
# URL of the kind that $REDIS names; a test itself asks it by
#
#   $TEST_NGINX_REDIS, $TEST_NGINX_REDIS_PORT   its unix socket, and its port on 127.0.0.1
#   $TEST_NGINX_DATA                            t/data
#   $TEST_NGINX_KEYS                            an empty folder for keys, gone at the end
#
# A section `steps`, a function, is run while nginx serves a block's configuration, instead of its request.
#
# A block fails if nginx's log, up to its exit, has an alert or a sanitizer's report that
# its error_log or shutdown_error_log section does not name. This needs no place in the plan.

use strict;
use warnings;

use File::Path ();
use File::Spec;
use File::Temp ();
use Carp         ();
use Digest::SHA ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP     ();
use MIME::Base64 ();
use POSIX        ();
use Time::HiRes  ();
use Requests;
use Topology;

my ($dir, $owner, $topology, $redis, @nginx);

# away from the ports that the kernel gives to clients
sub free_ports {
    my $count = shift;
    for (my $port = 10000 + $$ * 8 % 20000; $port < 32000; $port += 8) {
        my @free = grep { IO::Socket::INET->new(Listen => 1, LocalAddr => '0.0.0.0', LocalPort => $_, ReuseAddr => 1) }
            $port .. $port + $count - 1;
        return @free if @free == $count;
    }
    die "no free ports\n";
}

# once it serves, which a node of a cluster does after two seconds
sub start_redis {
    my ($socket, $port, @options) = @_;
    my $pid = fork() // die "fork: $!\n";
    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>',  "$dir/redis.log";
        open STDERR, '>&', \*STDOUT;
        exec('redis-server', '--bind', '127.0.0.1', '--port', $port, '--unixsocket', $socket, '--dir', $dir,
            '--save', '', '--appendonly', 'no', @options) or POSIX::_exit(127);
    }
    for (1 .. 1000) {
        my $peer = IO::Socket::UNIX->new(Peer => $socket);
        if ($peer) {
            print $peer "EXISTS x\r\n";
            return $pid if (<$peer> // '') =~ /^:/;
        }
        die "redis-server exited\n" if waitpid($pid, POSIX::WNOHANG()) == $pid;
        Time::HiRes::sleep(0.01);
    }
    kill KILL => $pid;
    die "redis-server does not answer\n";
}

BEGIN {
    $owner = $$;
    $dir = File::Temp::tempdir('api-token-XXXXXX', TMPDIR => 1);
    mkdir "$dir/keys", 0700 or die "$dir/keys: $!\n";

    # the port that follows nginx's is Test::Nginx's for streams, the one that follows Redis's start_nginx takes
    my ($port, undef, $redis_port) = free_ports(4);
    (my $name = $0) =~ s{^(?:\./)?t/|\.t$}{}g;
    $name =~ tr{/}{-};
    my $out = $ENV{T_OUT} // $dir;
    File::Path::make_path($out);

    $ENV{TEST_NGINX_PORT}     //= $port;
    $ENV{TEST_NGINX_SERVROOT} //= "$out/$name";
    # of a run that was aborted: Test::Nginx would kill whoever has that number now
    unlink "$ENV{TEST_NGINX_SERVROOT}/logs/nginx.pid";
    $ENV{TEST_NGINX_DATA}       = File::Spec->rel2abs('t/data');
    $ENV{TEST_NGINX_KEYS}       = "$dir/keys";
    $ENV{TEST_NGINX_REDIS}      = "$dir/redis.sock";
    $ENV{TEST_NGINX_REDIS_PORT} = $redis_port;
    $ENV{MODULE} //= File::Spec->rel2abs('build/ngx_http_api_token_module.so');

    $topology = topology($dir, $redis_port);
    $redis = start_redis($ENV{TEST_NGINX_REDIS}, $redis_port, @{$topology->{options}});
}

# compiled before Test::Nginx's own, so that it runs after: nginx goes first
END {
    if (defined $owner && $$ == $owner) {
        local $?;
        kill QUIT => @nginx;
        waitpid $_, 0 for @nginx;
        if ($redis) {
            kill $_ => $redis for qw(TERM CONT);
            waitpid $redis, 0;
        }
        File::Path::remove_tree($dir) if $dir;
    }
}

use Test::Base::Filter ();
use Test::Nginx::Socket -Base;

our @EXPORT = qw(redis redis_here json b64url_decode
    $account $environment $admin_user $pfid $time $unavailable
    test_key write_key api test_nginx mistake jwt
    $named_worker checks new_token sign redis_calls redis_commands eventually reload_nginx until_both_serve until_heard signal_redis restart_redis start_nginx);
push @EXPORT, @Requests::EXPORT;

# the ids of the interface's page, all of one partition
our $account     = '013xrzp12g3nqk8ngskn1wtxgka5b0nf';
our $environment = '013xrzp12g3nqk8nzxvq7jm2arsfg5h1';
our $admin_user  = '013xrzp12g3nqk8nh0qrc2b1jfanmvb9';
our $pfid        = qr/[0-7][0-9abcdefghjkmnpqrstvwxyz]{31}/;
our $unavailable = qq({"code":"unexpected","message":"The token store cannot be asked at the moment; try again.","status":"error"}\n);
our $time        = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/;

add_block_preprocessor(sub {
    my $block = shift;

    # empty for an nginx that has the module in it
    if ($ENV{MODULE} ne '') {
        $block->set_value(main_config => "load_module $ENV{MODULE};\n" . ($block->main_config // ''));
    }

    # nginx frees nothing when it refuses a configuration
    my $options = $ENV{ORI_ASAN_OPTIONS} // $ENV{ASAN_OPTIONS};
    if (defined $options) {
        my $leaks = defined $block->must_die ? 0 : 1;
        $options =~ s/detect_leaks=\d/detect_leaks=$leaks/;
        $ENV{ORI_ASAN_OPTIONS} = $options;
    }
});

my $bad = qr{^\S+\ \S+\ \[alert\] | \bruntime\ error: | \b(?:Address|Leak)Sanitizer\b
           | \bexited\ (?:on\ signal | with\ (?:fatal\ )?code\ [1-9])}x;

# patterns of a section, which Test::Nginx takes as lines, as a regex or as a list of either
sub patterns (@);
sub patterns (@) {
    return map { ref $_ eq 'ARRAY' ? patterns(@$_) : ref $_ ? $_ : map { qr/\Q$_\E/ } split /\n+/, $_ }
        grep { defined } @_;
}

sub check_log (@) {
    my $block = $Test::Nginx::Util::PrevBlock or return;
    open my $log, '<', $Test::Nginx::Util::ErrLogFile or return;
    my @named = patterns($block->error_log, $block->shutdown_error_log);
    for my $line (grep { $_ =~ $bad } <$log>) {
        next if grep { $line =~ $_ } @named;
        Test::More::fail($block->name . " - nginx's log has: $line");
    }
}

{
    no strict 'refs';
    no warnings 'redefine';
    my $shutdown = \&Test::Nginx::Util::check_prev_block_shutdown_error_log;
    *Test::Nginx::Util::check_prev_block_shutdown_error_log = sub () { check_log(); $shutdown->() };

    # nginx without a master process sees a signal after its next event: a QUIT that comes right before it waits
    # for one is without effect until the next QUIT
    my $end = \&Test::Nginx::Util::kill_process;
    *Test::Nginx::Util::kill_process = sub ($$$) {
        my ($pid, $wait) = @_;
        for my $round ($wait && defined $pid ? 0 .. 199 : ()) {
            last if !kill $round % 20 ? 0 : 'QUIT', $pid;
            waitpid $pid, POSIX::WNOHANG();
            Time::HiRes::sleep(0.005);
        }
        $end->(@_);
    };
}

{
    no warnings 'redefine';

    # in the package of the test, strict, and an error is no text for nginx.conf
    *Test::Base::Filter::eval = sub {
        my ($self, $code) = @_;
        my @values = CORE::eval("package main; use strict; use warnings; $code");
        die "$code\n$@" if $@;
        return @values;
    };

    my $request = $Test::Nginx::Util::RunTestHelper;
    $Test::Nginx::Util::RunTestHelper = sub ($$) {
        my ($block, $dry_run, $round) = @_;
        my $steps = $block->steps // sub { $request->($block, $dry_run, $round) };
        my $failed = grep { !$_ } Test::More->builder->summary;
        # blocks run in any order
        redis('FLUSHALL');
        $steps->();
        # a single process that is told to quit between two waits sleeps on
        Time::HiRes::sleep(0.02);
        return if !$block->steps;
        Test::More::diag('in ' . $block->name) if $failed < grep { !$_ } Test::More->builder->summary;
        $Test::Nginx::Util::CheckErrorLog->($block, undef, $dry_run, $round, 0);
    };
}

# what redis-cli prints for a command, without the last newline
sub redis (@) {
    open my $cli, '-|', 'redis-cli', '-s', $ENV{TEST_NGINX_REDIS}, @_ or die "redis-cli: $!\n";
    my $answer = join '', <$cli>;
    close $cli;
    chomp $answer;
    return $answer;
}

sub json ($) {
    return JSON::PP::decode_json($_[0]);
}

sub b64url_decode ($) {
    return MIME::Base64::decode_base64url($_[0]);
}

# ---- configuration

# what stands behind api_token_redis for the Redis of this file, with these parameters
sub redis_here (@) {
    return join ' ', $topology->{url}, @_;
}

# a key of t/data/keys.json: the text of its file
sub test_key ($;$) {
    my ($name, %more) = ($_[0], %{$_[1] // {}});
    open my $in, '<', "$ENV{TEST_NGINX_DATA}/keys.json" or die "keys.json: $!\n";
    my $keys = json(join '', <$in>);
    return $keys->{pem}{$name} // JSON::PP->new->canonical->encode({%{$keys->{jwk}{$name}}, %more});
}

# a file of $TEST_NGINX_KEYS that only its owner may read; answers its path
sub write_key ($$) {
    my ($name, $text) = @_;
    my $path = "$ENV{TEST_NGINX_KEYS}/$name";
    open my $out, '>', $path or die "$path: $!\n";
    chmod 0600, $path;
    print $out $text;
    close $out or die "$path: $!\n";
    return $path;
}

# the location of the API with these directives, and with those it cannot do without
sub api (@) {
    my $text = join "", map { /\}$/ ? "    $_\n" : "    $_;\n" } @_;
    my %needed = (
        api_token_redis  => redis_here(),
        api_token_key    => "$ENV{TEST_NGINX_KEYS}/hs256.jwk",
        api_token_caller => "account=$account",
    );
    write_key('hs256.jwk', test_key('hs256')) if !-e $needed{api_token_key};
    $text .= join '', map { $text =~ /\b$_ / ? () : "    $_ $needed{$_};\n" } sort keys %needed;
    return "location /api/v1/api_token {\n    api_token;\n$text}\n";
}

# what nginx -t says of directives in http, server and location: lines 3, 4 and 5 of $TEST_NGINX_KEYS/nginx.conf
sub test_nginx (%) {
    my %in = (http => '', server => '', location => '', @_);
    my $folder = $ENV{TEST_NGINX_KEYS};
    my $conf = write_key('nginx.conf', ($ENV{MODULE} ne '' ? "load_module $ENV{MODULE};" : '')
        . "\nuser root; pid $folder/pid; events {}\nhttp { access_log off; $in{http}\n"
        . "server { listen unix:$folder/nginx.sock; $in{server}\nlocation /api { $in{location} } } }\n");
    unlink "$folder/nginx.sock";
    # nginx frees nothing when it refuses a configuration
    local $ENV{ASAN_OPTIONS} = ($ENV{ASAN_OPTIONS} // '') =~ s/detect_leaks=1/detect_leaks=0/r;
    my $nginx = $ENV{TEST_NGINX_BINARY} // 'nginx';
    return scalar `$nginx -t -e stderr -p $folder -c $conf 2>&1`;
}

# the first mistake that nginx -t told
sub mistake ($) { $_[0] =~ /^\S+ \S+ \[emerg\] \d+#\d+: (.*)/m ? $1 : $_[0] }

# ---- tokens

# a JWT's header and claims, as JSON, and its signature; or those of an answer
sub jwt ($) {
    my $text = ref $_[0] ? json($_[0]{content})->{token} : $_[0];
    return map { b64url_decode($_) } split /\./, $text;
}

# ---- the check

# for `http`: what auth_api_token needs, these directives, and `behind`, which answers `in`
sub checks (@) {
    my $key = write_key('hs256.jwk', test_key('hs256'));
    return join '', map { "$_\n" } 'api_token_redis ' . redis_here() . ';', "api_token_key $key;",
        (map { /\}$/ ? $_ : "$_;" } @_), "upstream behind { server unix:$ENV{TEST_NGINX_KEYS}/behind.sock; }",
        "server { listen unix:$ENV{TEST_NGINX_KEYS}/behind.sock; access_log off; location / { return 200 in; } }";
}

# what a create answers as `token` and `details`
sub new_token (;$$) {
    my ($fields, $headers) = @_;
    my $answer = post({token_scope => 'account', %{$fields // {}}}, $headers);
    die "create: $answer->{status} $answer->{content}\n" if $answer->{status} != 200;
    my $created = json($answer->{content});
    return @$created{qw(token details)};
}

# a JWT of these claims (JSON, or a hash that becomes it), by an HMAC key of t/data
sub sign ($;$$) {
    my ($claims, $header, $key) = @_;
    my $input = join '.', map { MIME::Base64::encode_base64url(ref $_ ? JSON::PP->new->utf8->canonical->encode($_) : $_) }
        $header // '{"alg":"HS256","typ":"JWT"}', $claims;
    my $secret = b64url_decode(json(test_key($key // 'hs256'))->{k});
    return "$input." . MIME::Base64::encode_base64url(Digest::SHA::hmac_sha256($input, $secret));
}

# what is asked because of no request: by a connection that begins, a listener, a test, a cluster's guide, a sentinel
my $besides = qr/^(?:ping|info|config|select|auth|role|subscribe|command|client|cluster|publish)/;

# what Redis was asked since this was called before: the names of commands, also of those in scripts, each with its count
sub redis_calls () {
    my %calls = redis('INFO', 'commandstats') =~ /^cmdstat_(\S+?):calls=(\d+)/mg;
    redis('CONFIG', 'RESETSTAT');
    delete @calls{grep { /$besides/ } keys %calls};
    return \%calls;
}

# the names of the commands that Redis is sent while this runs, without those of scripts
sub redis_commands (&) {
    my $monitor = IO::Socket::UNIX->new(Peer => $ENV{TEST_NGINX_REDIS}) // die "redis: $!\n";
    syswrite $monitor, "MONITOR\r\n";
    <$monitor>;
    $_[0]->();
    redis('PING', 'the end of it');
    my @commands;
    while (defined(my $line = <$monitor>)) {
        last if $line =~ /"the end of it"/;
        push @commands, lc $1 if $line =~ /^\S+ \[\d+ (?!lua)\S+\] "(\w+)"/;
    }
    return grep { !/$besides/ } @commands;
}

# waits until this is true, for 30 seconds at most; answers how long that took
sub eventually (&) {
    my $start = Time::HiRes::time();
    until ($_[0]->()) {
        Carp::confess("it does not come true") if Time::HiRes::time() > $start + 30;
        Time::HiRes::sleep(0.01);
    }
    return Time::HiRes::time() - $start;
}

# the workers are other ones then
sub reload_nginx () {
    open my $file, '<', $Test::Nginx::Util::PidFile or die "$Test::Nginx::Util::PidFile: $!\n";
    my $master = <$file>;
    my @old = split ' ', `pgrep -P $master`;
    kill HUP => $master or die "kill: $!\n";
    eventually { !grep { kill 0 => $_ } @old };
}

# in a location: its answers say which worker they are of, for until_both_serve
our $named_worker = 'add_header X-Worker $pid always';

# waits until ten such requests in a row are answered 200, and by each of two workers
sub until_both_serve (&) {
    my $request = shift;
    eventually {
        my %workers;
        for (1 .. 10) {
            my $answer = $request->();
            return 0 if $answer->{status} != 200;
            $workers{$answer->{headers}{'x-worker'}}++;
        }
        keys %workers == 2;
    };
}

# waits until that many workers hear of revocations
sub until_heard (;$) {
    my $count = shift // 2;
    eventually { redis('PUBSUB', 'NUMSUB', 'api_token:changes') =~ /\n$count$/ };
    Time::HiRes::sleep(0.02);
}

sub signal_redis ($) {
    kill $_[0] => $redis;
}

# after its death; it has the data of its last SAVE
sub restart_redis () {
    waitpid $redis, 0;
    $redis = start_redis(@ENV{qw(TEST_NGINX_REDIS TEST_NGINX_REDIS_PORT)}, @{$topology->{options}});
}

# a second nginx beside the test's own, on the port that this answers with its process
sub start_nginx ($) {
    my $http = shift;
    my ($root, $port) = ("$dir/nginx", $ENV{TEST_NGINX_REDIS_PORT} + 1);
    File::Path::make_path("$root/logs");
    open my $conf, '>', "$root/nginx.conf" or die "$root/nginx.conf: $!\n";
    print $conf $ENV{MODULE} ne '' ? "load_module $ENV{MODULE};\n" : '', $> == 0 ? "user root;\n" : '',
        "daemon off; worker_processes 2; pid nginx.pid; error_log logs/error.log info; events {}\n",
        "http { access_log off; $http }\n" =~ s/\bPORT\b/$port/gr;
    close $conf;
    my $pid = fork() // die "fork: $!\n";
    if ($pid == 0) {
        open STDERR, '>', '/dev/null';
        exec($ENV{TEST_NGINX_BINARY}, '-p', "$root/", '-c', "$root/nginx.conf") or POSIX::_exit(127);
    }
    push @nginx, $pid;
    for (1 .. 500) {
        return ($port, $pid) if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
        Time::HiRes::sleep(0.01);
    }
    die "the second nginx does not start\n";
}

1;
