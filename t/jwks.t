use ApiToken;

plan 'no_plan';

our %files = map { ($_ => write_key($_, test_key($_, {kid => $_}))) } qw(hs256 es256 rsa eddsa);
our $place = 'location = /jwks { api_token_jwks; ' . join('', map { "api_token_key $files{$_}; " } qw(es256 hs256 rsa eddsa)) . '}';

run_tests();

__DATA__

=== TEST 1: the public keys, no secret, no private member
--- config eval: $::place
--- steps eval
sub {
    my $answer = ask('/jwks');
    is($answer->{status}, 200, 'status');
    is($answer->{headers}{'content-type'}, 'application/json', 'type');
    is($answer->{headers}{'cache-control'}, 'public, max-age=300', 'cached');
    my @keys = @{json($answer->{content})->{keys}};
    is_deeply([map { "$_->{kid} $_->{alg} $_->{kty} $_->{use}" } @keys],
        ['es256 ES256 EC sig', 'rsa RS256 RSA sig', 'eddsa EdDSA OKP sig'], 'three keys');
    for my $key (@keys) {
        my $private = json(test_key($key->{kid}));
        is($key->{$_}, $private->{$_}, "$key->{kid}: $_") for grep { exists $private->{$_} } qw(crv x y n e);
        is_deeply([grep { exists $key->{$_} } qw(d p q dp dq qi k)], [], "$key->{kid}: nothing private");
    }
}



=== TEST 2: 304, HEAD, other methods
--- config eval: $::place
--- steps eval
sub {
    my $tag = ask('/jwks')->{headers}{etag};
    like($tag, qr/^"[0-9a-f]{32}"$/, 'entity tag');
    is(ask('/jwks', {'If-None-Match' => $tag})->{status}, 304, 'not modified');
    is(ask('/jwks', {'If-None-Match' => '"other"'})->{status}, 200, 'another tag');
    my $answer = ask('POST /jwks');
    is_answer($answer, 405, error_body('bad_request', 'The method is not allowed here.'), 'POST');
    is($answer->{headers}{allow}, 'GET, HEAD', 'Allow');
}



=== TEST 3: secrets alone make an empty set
--- config eval: "location = /jwks { api_token_jwks; api_token_key $::files{hs256}; }"
--- steps eval
sub { is(ask('/jwks')->{content}, "{\"keys\":[]}\n", 'empty') }
