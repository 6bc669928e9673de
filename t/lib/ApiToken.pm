package ApiToken;

# Test::Nginx with the module loaded, and a Redis of its own for each test file.
#
#   $TEST_NGINX_REDIS, $TEST_NGINX_REDIS_PORT   its unix socket, and its port on 127.0.0.1
#   $TEST_NGINX_DATA                            t/data
#   $TEST_NGINX_KEYS                            an empty folder for keys, gone at the end
#
# A block fails if nginx's log, up to its exit, has an alert or a sanitizer's report that
# its error_log or shutdown_error_log section does not name. This needs no place in the plan.

use strict;
use warnings;

use File::Path ();
use File::Spec;
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP     ();
use MIME::Base64 ();
use POSIX        ();
use Time::HiRes  ();

my ($dir, $owner, $redis);

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

sub start_redis {
    my ($socket, $port) = @_;
    my $pid = fork() // die "fork: $!\n";
    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>',  "$dir/redis.log";
        open STDERR, '>&', \*STDOUT;
        exec('redis-server', '--bind', '127.0.0.1', '--port', $port, '--unixsocket', $socket, '--dir', $dir,
            '--save', '', '--appendonly', 'no') or POSIX::_exit(127);
    }
    for (1 .. 500) {
        my $peer = IO::Socket::UNIX->new(Peer => $socket);
        if ($peer) {
            print $peer "PING\r\n";
            return $pid if (<$peer> // '') =~ /^\+PONG/;
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

    # the port that follows nginx's is Test::Nginx's for streams
    my ($port, undef, $redis_port) = free_ports(3);
    (my $name = $0) =~ s{^(?:\./)?t/|\.t$}{}g;
    $name =~ tr{/}{-};
    my $out = $ENV{T_OUT} // $dir;
    File::Path::make_path($out);

    $ENV{TEST_NGINX_PORT}     //= $port;
    $ENV{TEST_NGINX_SERVROOT} //= "$out/$name";
    $ENV{TEST_NGINX_DATA}       = File::Spec->rel2abs('t/data');
    $ENV{TEST_NGINX_KEYS}       = "$dir/keys";
    $ENV{TEST_NGINX_REDIS}      = "$dir/redis.sock";
    $ENV{TEST_NGINX_REDIS_PORT} = $redis_port;
    $ENV{MODULE} //= File::Spec->rel2abs('build/ngx_http_api_token_module.so');

    $redis = start_redis($ENV{TEST_NGINX_REDIS}, $redis_port);
}

# compiled before Test::Nginx's own, so that it runs after: nginx goes first
END {
    if (defined $owner && $$ == $owner) {
        local $?;
        if ($redis) {
            kill TERM => $redis;
            waitpid $redis, 0;
        }
        File::Path::remove_tree($dir) if $dir;
    }
}

use Test::Nginx::Socket -Base;

our @EXPORT = qw(redis json b64url_decode);

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

1;
