package Requests;

# What a test asks the nginx of Test::Nginx, and what is answered.

use strict;
use warnings;

use Exporter 'import';
use IO::Socket::INET;
use JSON::PP ();
use Test::More ();

our @EXPORT = qw(request post ask ask_all answers error_body invalid is_answer connect_to_nginx talk);

sub connect_to_nginx () {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $Test::Nginx::Util::ServerPortForClient)
        // die "nginx: $!\n";
}

# all that nginx answers to these pieces of bytes, up to its end of the connection
sub talk (@) {
    my $nginx = connect_to_nginx();
    $nginx->autoflush(1);
    $nginx->setsockopt(Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1);
    print $nginx $_ for @_;
    local $/;
    return scalar <$nginx> // '';
}

# a request to a path below the API; a header that is undef is not sent
sub request ($$;$$) {
    my ($method, $path, $body, $headers) = @_;
    my %headers = (
        Host => 'localhost', Connection => 'close', 'Content-Type' => 'application/json',
        defined $body ? ('Content-Length' => length $body) : (), %{$headers // {}},
    );
    my $head = join '', map { defined $headers{$_} ? "$_: $headers{$_}\r\n" : () } sort keys %headers;
    return (answers(talk("$method /api/v1/api_token$path HTTP/1.1\r\n$head\r\n" . ($body // ''))))[0];
}

# the answers in what nginx sent, each {status, reason, headers, content}
sub answers ($) {
    my ($text, @answers) = @_;
    while ($text =~ s/^HTTP\/1\.[01] (\d+) ([^\r]*)\r\n(.*?)\r\n\r\n//s || $text =~ s/^HTTP\/1\.[01] (\d+) ([^\r]*)\r\n()\r\n//) {
        my %answer = (status => $1, reason => $2, headers => {});
        for my $header (split /\r\n/, $3) {
            my ($name, $value) = split /: */, $header, 2;
            $answer{headers}{lc $name} = defined $answer{headers}{lc $name} ? "$answer{headers}{lc $name}, $value" : $value;
        }
        $answer{content} = substr $text, 0, $answer{headers}{'content-length'} // 0, '';
        push @answers, \%answer;
    }
    die "no answer: $text\n" if $text ne '' || !@answers;
    return @answers;
}

# a create; a body that is no text is written as JSON
sub post ($;$) {
    my ($body, $headers) = @_;
    return request(POST => '', ref $body ? JSON::PP->new->canonical->encode($body) : $body, $headers);
}

sub error_body ($$) {
    return qq({"code":"$_[0]","message":"$_[1]","status":"error"}\n);
}

# the body of validation_errors, from the JSON of its member `errors`
sub invalid ($) {
    return qq({"code":"validation_errors","errors":$_[0],"message":"The request is not valid.","status":"error"}\n);
}

# status, body and the headers that every answer has; the body a text or a pattern
sub is_answer ($$$$) {
    my ($answer, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $head = join ' ', $answer->{status}, map { $answer->{headers}{$_} // '-' } qw(content-type cache-control content-length);
    Test::More::is($head, "$status application/json no-store " . length $answer->{content}, "$name: status and headers");
    ref $body ? Test::More::like($answer->{content}, $body, "$name: body")
              : Test::More::is($answer->{content}, $body, "$name: body");
}

# the answer to a GET of this path, or to METHOD PATH, with this token or with these headers
sub ask ($;$) {
    my ($path, $with) = @_;
    my $method = $path =~ s/^([A-Z]+) // ? $1 : 'GET';
    my %headers = (Host => 'localhost', Connection => 'close',
        ref $with ? %$with : defined $with ? (Authorization => "Bearer $with") : ());
    my $head = join '', map { "$_: $headers{$_}\r\n" } sort keys %headers;
    return (answers(talk("$method $path HTTP/1.1\r\n$head\r\n")))[0];
}

# the answers to GETs of this path with these tokens, one behind the other over few connections
sub ask_all ($@) {
    my ($path, @tokens) = @_;
    my @answers;
    while (my @some = splice @tokens, 0, 200) {
        my @requests = map { "GET $path HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $_\r\n" } @some;
        $requests[-1] .= "Connection: close\r\n";
        push @answers, answers(talk(map { "$_\r\n" } @requests));
    }
    return @answers;
}

1;
