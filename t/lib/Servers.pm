package Servers;

# Redis servers beside the test's own: replicas, sentinels, nodes of a cluster. All of them end with the test.

use strict;
use warnings;

use Exporter 'import';
use File::Path ();
use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Time::HiRes ();

our @EXPORT = qw(server_ports start_server stop_server signal_server cli until_replicated);

my $owner = $$;
my $dir = File::Temp::tempdir('api-token-servers-XXXXXX', TMPDIR => 1);
my %servers;
my $next_port = 2000 + $$ * 32 % 7000;

# free ports below those that ApiToken takes
sub server_ports {
    my @ports;
    while (@ports < $_[0]) {
        $next_port = 2000 if ++$next_port >= 9999;
        push @ports, $next_port
            if IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $next_port, ReuseAddr => 1);
    }
    return @ports;
}

# what redis-cli prints
sub cli {
    my ($port, @words) = @_;
    open my $out, '-|', 'redis-cli', '-p', $port, @words or die "redis-cli: $!\n";
    my $answer = join '', <$out>;
    close $out;
    chomp $answer;
    return $answer;
}

# waits until a replica confirms all that the server on that port has. It is "online" sooner: while it is sent that, and
# confirms nothing
sub until_replicated {
    my $port = shift;
    ApiToken::eventually(sub { `printf 'PING\nWAIT 1 1000\n' | redis-cli -p $port` =~ /^1$/m });
}

# a server on that port, once it answers, at that address or on the loopback; `conf` is the text of its
# configuration, `files` are others in its folder
sub start_server {
    my ($port, $conf, $address, %files) = @_;
    $address //= '127.0.0.1';
    %files = (%files, conf => "port $port\nbind $address\ndir $dir/$port\n$conf\n");
    my $folder = "$dir/$port";
    File::Path::make_path($folder);
    for my $name (keys %files) {
        open my $file, '>', "$folder/$name" or die "$folder/$name: $!\n";
        print $file $files{$name};
        close $file;
    }
    my $pid = fork() // die "fork: $!\n";
    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', "$folder/log";
        open STDERR, '>&', \*STDOUT;
        exec 'redis-server', "$folder/conf", $conf =~ /^sentinel /m ? '--sentinel' : () or POSIX::_exit(127);
    }
    $servers{$port} = $pid;
    for (1 .. 1000) {
        my $peer = IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port);
        if ($peer) {
            print $peer "PING\r\n";
            return $pid if (<$peer> // '') =~ /^[+]PONG|^-/;
        }
        die "the server on port $port ended\n" if waitpid($pid, POSIX::WNOHANG()) == $pid;
        Time::HiRes::sleep(0.01);
    }
    die "the server on port $port does not answer\n";
}

sub signal_server {
    my ($port, $signal) = @_;
    kill $signal => $servers{$port} if $servers{$port};
}

sub stop_server {
    for my $port (@_) {
        my $pid = delete $servers{$port} or next;
        kill KILL => $pid;
        waitpid $pid, 0;
        File::Path::remove_tree("$dir/$port");
    }
}

END {
    if ($$ == $owner) {
        local $?;
        stop_server(keys %servers);
        File::Path::remove_tree($dir);
    }
}

1;
