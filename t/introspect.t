use ApiToken;

plan 'no_plan';

our $inactive = qq({"active":false}\n);
our $caller   = 'api_token_caller account=$http_x_account';
our $place    = "location = /introspect { api_token_introspect; $caller; }";
our $http     = checks('api_token_cache zone=t:1m', 'api_token_issuer i', 'api_token_audience "a\"b"');

sub introspect {
    my ($form, $headers) = @_;
    my %headers = (Host => 'localhost', Connection => 'close', 'X-Account' => $account,
        'Content-Type' => 'application/x-www-form-urlencoded', 'Content-Length' => length $form, %{$headers // {}});
    my $head = join '', map { defined $headers{$_} ? "$_: $headers{$_}\r\n" : () } sort keys %headers;
    return (answers(talk("POST /introspect HTTP/1.1\r\n$head\r\n$form")))[0];
}

sub is_inactive { is_answer(introspect("token=$_[0]"), 200, $::inactive, $_[1]) }

run_tests();

__DATA__

=== TEST 1: of an active token, in each encoding
--- http_config eval: $::http
--- config eval: api() . $::place
--- steps eval
sub {
    my ($token, $details) = new_token();
    my $claims = json((jwt($token))[1]);
    my $answer = introspect("token_type_hint=access_token&token=$token");
    is_answer($answer, 200, qr/^\{"active":true,"scope":"account",/, 'active');
    my $told = json($answer->{content});
    is_deeply($told, {active => JSON::PP::true, token_type => 'Bearer', scope => 'account',
        map { ($_ => $claims->{$_}) } qw(sub jti iss aud iat exp)}, 'members');
    my $encoded = join '', map { sprintf '%%%02x', ord } split //, $token;
    is(introspect("%74oken=$encoded")->{content}, $answer->{content}, 'every character encoded');
    is(introspect("token=$token", {'Content-Type' => 'application/x-www-form-urlencoded; charset=utf-8'})->{status}, 200, 'charset');
}



=== TEST 2: of what is not active, nothing more
--- http_config eval: $::http
--- config eval: api() . $::place
--- steps eval
sub {
    my ($token, $details) = new_token();
    is_inactive('x', 'no token');
    is_inactive(substr($token, 0, -6) . 'AAAAAA', 'forged');
    is_inactive(sign({%{json((jwt($token))[1])}, exp => 1}), 'expired');
    is_answer(introspect("token=$token", {'X-Account' => substr($account, 0, 31) . 'a'}), 200, $::inactive, "another account's");
    like(introspect("token=$token", {'X-Account' => 'any'})->{content}, qr/"active":true/, 'any account');
    for my $step ([suspend => 0], [activate => 1], [revoke => 0]) {
        my ($verb, $is_active) = @$step;
        request(POST => "/$details->{id}/$verb", '');
        $is_active ? like(introspect("token=$token")->{content}, qr/"active":true/, $verb) : is_inactive($token, $verb);
    }
}



=== TEST 3: never open, and what it cannot read
--- http_config eval: $::http
--- config eval: api() . $::place
--- steps eval
sub {
    my ($token) = new_token();
    my $answer = introspect("token=$token", {'X-Account' => undef});
    is_answer($answer, 401, error_body('not_authenticated', 'The request carries no valid credentials.'), 'nobody');
    is($answer->{headers}{'www-authenticate'}, 'Bearer realm="api_token"', 'challenge');
    my $bad = error_body('bad_request', 'The form must hold one token.');
    is_answer(introspect($_), 400, $bad, "form '$_'") for '', 'token=', 'token', 'tokens=x', 'token=x&token=x', 'token=%zz';
    is_answer(ask('POST /introspect', {'X-Account' => $account, 'Content-Length' => 0}), 400, $bad, 'no body, and no type');
    is_answer(introspect("token=$token", {'Content-Type' => 'application/json'}), 415,
        error_body('bad_request', 'The body must be application/x-www-form-urlencoded.'), 'JSON');
    $answer = ask('/introspect', {'X-Account' => $account});
    is_answer($answer, 405, error_body('bad_request', 'The method is not allowed here.'), 'GET');
    is($answer->{headers}{allow}, 'POST', 'Allow');
}
