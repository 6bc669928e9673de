package Topology;

# What the Redis of a test file is, as $REDIS says; in each kind one server has every key. Tests of a certain URL, and of
# documents, which write one, say that instead.

use strict;
use warnings;

use Exporter 'import';
use Servers;

our @EXPORT = qw(topology);

my %make = (unix => \&by_socket, redis => \&by_port, cluster => \&cluster, sentinel => \&sentinel, rediss => \&tls);

# for the server in this folder with this port: `url` is what stands behind api_token_redis, `options` are those that
# the server needs
sub topology {
    my ($dir, $port) = @_;
    my $name = $ENV{REDIS} // 'unix';
    my $make = $make{$name} // die "REDIS=$name: write one of @{[sort keys %make]}\n";
    return {options => [], $make->($dir, $port, server_ports(1))};
}

sub by_socket { return (url => "unix:$_[0]/redis.sock") }

sub by_port { return (url => "redis://127.0.0.1:$_[1]") }

# its only node
sub cluster {
    my ($dir, $port, $bus) = @_;
    open my $nodes, '>', "$dir/nodes.conf" or die "$dir/nodes.conf: $!\n";
    print $nodes 'a' x 40, " 127.0.0.1:$port\@$bus myself,master - 0 0 1 connected 0-16383\nvars currentEpoch 1 lastVoteEpoch 0\n";
    close $nodes;
    return (url => "cluster://127.0.0.1:$port",
        options => ['--cluster-enabled', 'yes', '--cluster-port', $bus, '--cluster-announce-ip', '127.0.0.1']);
}

# the master, without a replica, so that it stays the master though it dies
sub sentinel {
    my ($dir, $port, $sentinel) = @_;
    start_server($sentinel, "sentinel monitor store 127.0.0.1 $port 1\nsentinel down-after-milliseconds store 500");
    return (url => "sentinel://127.0.0.1:$sentinel/store");
}

sub tls {
    my ($dir, undef, $port) = @_;
    my ($key, $certificate) = ("$dir/tls.key", "$dir/tls.pem");
    system('openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=redis '
        . "-addext subjectAltName=IP:127.0.0.1 -keyout $key -out $certificate 2>/dev/null") == 0 or die "openssl req\n";
    return (url => "rediss://127.0.0.1:$port ca=$certificate",
        options => ['--tls-port', $port, '--tls-cert-file', $certificate, '--tls-key-file', $key,
            '--tls-ca-cert-file', $certificate, '--tls-auth-clients', 'no']);
}

1;
