use ApiToken;
use Digest::SHA qw(sha256_hex);

workers(2);
master_on();
worker_connections(256);
plan 'no_plan';

our $other   = error_body('bad_request', 'The idempotency key was used with other details.');
our $deleted = error_body('invalid_action', 'The token of this idempotency key was deleted.');

sub with_header { post($_[1] // {token_scope => 'account'}, {'Idempotency-Key' => $_[0]}) }
sub with_member { post({token_scope => 'account', idempotency_key => $_[0]}) }
sub key_error   { invalid(qq({"idempotency_key":["$_[0]"]})) }

sub id { json($_[0]{content})->{details}{id} // "no id in $_[0]{content}" }
sub tokens { scalar split /\n/, redis('KEYS', '*:token:*') }
sub partition { substr $_[0], 10, 6 }

# the answers to requests that are sent at once, each over a connection of its own
sub at_once {
    my @nginx = map { connect_to_nginx() } @_;
    for my $i (0 .. $#_) {
        syswrite $nginx[$i], $_[$i];
    }
    return map { local $/; scalar <$_> } @nginx;
}

run_tests();

__DATA__

=== TEST 1: the same key makes one token, and answers with it
--- config eval: api()
--- steps eval
sub {
    redis('FLUSHALL');
    my $first = with_header('one');
    is_answer($first, 200, qr/"status":"success"/, 'first');
    is_answer(with_header('one'), 200, $first->{content}, 'the same header');
    is_answer(with_member('one'), 200, $first->{content}, 'as a member');
    is_answer(post({details => {token_scope => 'account'}, idempotency_key => 'one'}), 200, $first->{content}, 'beside details');
    is_answer(post({token_scope => 'account', idempotency_key => 'one'}, {'Idempotency-Key' => 'one'}), 200, $first->{content}, 'as both');
    is_answer(post('{"token_scope":"account","account_id":null,"environment_id":null,"expires_at":null,"idempotency_key":null}',
        {'idempotency-key' => 'one'}), 200, $first->{content}, 'what is null is absent');
    is(tokens(), 1, 'tokens');
    isnt(id(with_header('two')), id($first), 'another key, another token');
    isnt(id(post({token_scope => 'account'})), id($first), 'no key, another token');
    isnt(id(with_header('One')), id($first), 'case matters');
}



=== TEST 2: the first token's details are told as they are now, and its claims signed again
--- config eval: api('api_token_issuer new')
--- steps eval
sub {
    redis('FLUSHALL');
    my $first = json(with_header('one')->{content});
    my $key = '{' . partition($account) . "}:token:$first->{details}{id}";
    redis('HSET', "api_token:$key", 'status', 'suspended', 'updated_at', $::now = time + 5, 'last_used_at', $::now);
    my $again = json(with_header('one')->{content});
    is($again->{token}, $first->{token}, 'an HMAC is the same again');
    is($again->{details}{status}, 'suspended', 'status');
    ok($again->{details}{available_actions}{activate}, 'actions');
    my $now = POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $::now);
    is($again->{details}{$_}, $now, $_) for qw(updated_at last_used_at);
    is($again->{details}{$_}, $first->{details}{$_}, $_) for qw(id inserted_at expires_at account_id);
}



=== TEST 3: the same key with other details
--- config eval: api()
--- steps eval
sub {
    my $first = with_header('details');
    for my $body (qq({"token_scope":"environment","environment_id":"$environment"}),
                  '{"token_scope":"account","expires_at":"2030-01-01T00:00:00Z"}') {
        is_answer(with_header('details', $body), 422, $::other, $body);
        my $made = with_header(substr($body, -30), $body);
        is($made->{status}, 200, "$body with a key of its own");
        is(id(with_header(substr($body, -30), $body)), id($made), "$body again");
    }
    is(id(with_header('details', '{"token_scope":"account","expires_at":null}')), id($first), 'the first still holds');
    is(id(with_header('time', '{"token_scope":"account","expires_at":"2030-01-01T00:00:00Z"}')),
       id(with_header('time', '{"token_scope":"account","expires_at":"2030-01-01T01:00:00.5+01:00"}')), 'one time, written in two ways');
    is_answer(with_header('details', '{"token_scope":"accounts"}'), 422, invalid('{"token_scope":["must be account or environment"]}'),
        'a body that is wrong is told so');
}



=== TEST 4: the key of a token that is gone
--- config eval: api()
--- steps eval
sub {
    my $id = id(with_header('gone'));
    redis('DEL', 'api_token:{' . partition($id) . "}:token:$id");
    is_answer(with_header('gone'), 409, $::deleted, 'the same details');
    is_answer(with_header('gone', '{"token_scope":"account","expires_at":"2030-01-01T00:00:00Z"}'), 422, $::other, 'other details');
}



=== TEST 5: an account's keys are its own
--- config eval: api('api_token_caller account=any')
--- steps eval
sub {
    my $make = sub { with_header('shared', {token_scope => 'account', account_id => $_[0]}) };
    my ($one, $two) = ($make->($account), $make->($environment));
    isnt(id($two), id($one), 'another account of the partition has another token');
    is(json($two->{content})->{details}{account_id}, $environment, 'which is its own');
    is(id($make->($account)), id($one), 'the first account finds its token');
}



=== TEST 6: 1 to 64 characters of UTF-8
--- config eval: api()
--- steps eval
sub {
    for my $key ('a', 'x' x 64, "\xc3\xa9" x 64, "\xf0\x9f\x98\x80" x 64, 'a b', '"', '\\', '{}', '%00', "\xe2\x80\xa8", '0', 'null', ' a', "a\tb", "a\x7f", "a\xc2\x80") {
        my $made = with_member($key);
        is($made->{status}, 200, "'$key'") or next;
        is(id(with_member($key)), id($made), "'$key' again");
        is(id(with_header($key)), id($made), "'$key' as a header") if $key !~ /^ /;
    }
    my $length = key_error('must be a string of 1 to 64 characters');
    is_answer(with_member($_), 422, $length, "'$_'") for '', 'x' x 65, "\xc3\xa9" x 65, "\xf0\x9f\x98\x80" x 65;
    is_answer(with_header($_), 422, $length, "'$_' as a header") for '', 'x' x 65, "\xc3\xa9" x 65;
    is_answer(post(qq({"token_scope":"account","idempotency_key":$_})), 422, $length, $_) for 1, 'true', '[]', '{}', '["a"]';
    is_answer(with_header("a\xff"), 422, key_error('must be valid UTF-8'), 'no UTF-8 in the header');
    is(with_member($_)->{status}, 200, 'a control character, ' . ord(substr $_, -1)) for "a\n", "\x01";
}



=== TEST 7: header and member that are not the same
--- config eval: api()
--- steps eval
sub {
    is_answer(post({token_scope => 'account', idempotency_key => $_}, {'Idempotency-Key' => 'a'}), 422,
        key_error('must equal the header Idempotency-Key where both are given'), "a and $_") for 'b', 'A', 'ab', 'aa';
    is(id(post({token_scope => 'account', idempotency_key => "\xc3\xa9"}, {'Idempotency-Key' => "\xc3\xa9"})), id(with_header("\xc3\xa9")),
        'the same bytes');
}



=== TEST 8: it is kept for 24 hours, by its digest alone
--- config eval: api()
--- steps eval
sub {
    redis('FLUSHALL');
    my $id = id(with_header('the key itself'));
    my $key = 'api_token:{' . partition($account) . "}:idempotency:$account:" . sha256_hex('the key itself');
    my $ttl = redis('TTL', $key);
    ok($ttl > 86390 && $ttl <= 86400, "$ttl seconds");
    like(redis('GET', $key), qr/^$id/, 'its token');
    with_header('the key itself');
    redis('EXPIRE', $key, 100);
    with_header('the key itself');
    cmp_ok(redis('TTL', $key), '<=', 100, 'a repetition does not prolong it');
    redis('DEL', $key);
    isnt(id(with_header('the key itself')), $id, 'afterwards the key is free');
}



=== TEST 9: a hundred at once with one key make one token
--- config eval: api()
--- steps eval
sub {
    redis('FLUSHALL');
    my $body = '{"token_scope":"account"}';
    my @requests = ("POST /api/v1/api_token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 25\r\n"
        . "Idempotency-Key: at once\r\nConnection: close\r\n\r\n$body") x 100;
    my @answers = at_once(@requests);
    is(scalar(grep { /^HTTP\/1\.1 200 / } @answers), 100, 'all are answered');
    my %ids = map { /"id":"($pfid)"/ => 1 } @answers;
    is(keys %ids, 1, 'with one id');
    my %tokens = map { /"token":"([^"]+)"/ => 1 } @answers;
    is(keys %tokens, 1, 'and one JWT');
    is(tokens(), 1, 'of the one that is in Redis');
    is(redis('ZCARD', 'api_token:{' . partition($account) . "}:account:$account:inserted_at"), 1, "and in the account's order");
}



=== TEST 10: the retry of a request whose client left finds its token
--- config eval: api()
--- steps eval
sub {
    redis('FLUSHALL');
    for my $i (1 .. 20) {
        my $nginx = connect_to_nginx();
        syswrite $nginx, "POST /api/v1/api_token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 25\r\n"
            . "Idempotency-Key: cut $i\r\n\r\n{\"token_scope\":\"account\"}";
        close $nginx;
        is(with_header("cut $i")->{status}, 200, "retry $i");
    }
    is(tokens(), 20, 'tokens');
}



=== TEST 11: a key that signs in another way each time: another string, the same claims
--- config eval
write_key('es256.jwk', test_key('es256'));
api("api_token_key $ENV{TEST_NGINX_KEYS}/es256.jwk")
--- steps eval
sub {
    my ($one, $two) = (with_header('es256'), with_header('es256'));
    my ($header, $claims, $signature) = jwt($one);
    my ($header_again, $claims_again, $signature_again) = jwt($two);
    is($claims_again, $claims, 'claims');
    is($header_again, $header, 'header');
    isnt($signature_again, $signature, 'signature');
}



=== TEST 12: a retry behind the time that it asks for, or that is too far by now
--- config eval
api() . (api('api_token_ttl 1h', 'api_token_max_ttl 1h') =~ s{location \S+}{location /short/api_token}r)
--- steps eval
sub {
    my $time = time + 2;
    my @time = gmtime $time;
    my $date = sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $time[5] + 1900, $time[4] + 1, @time[3, 2, 1, 0];
    my %soon = (token_scope => 'account', expires_at => $date);
    my %late = (%soon, expires_at => '2098-01-01T00:00:00Z');
    my ($soon, $late) = (id(with_header('soon', \%soon)), id(with_header('late', \%late)));
    eventually { time > $time };
    my $again = with_header('soon', \%soon);
    is("$again->{status} " . id($again) . ' ' . json($again->{content})->{details}{status}, "200 $soon expired", 'the first token, as it is now');
    is_answer(with_header('new', \%soon), 422, invalid('{"expires_at":["must be in the future"]}'), 'a new key');
    is_answer(with_header('soon', {%soon, expires_at => '2020-01-01T00:00:00Z'}), 422, $::other, 'other details');
    is_answer(with_header('soon', {%soon, expires_at => '1006-03-01T00:00:00Z'}), 422, invalid('{"expires_at":["must be in the future"]}'), 'long before');
    is_answer(with_header('', \%soon), 422, invalid('{"expires_at":["must be in the future"],"idempotency_key":["must be a string of 1 to 64 characters"]}'), 'no key');
    my $body = JSON::PP->new->canonical->encode(\%late);
    my $short = sub { (answers(talk("POST /short/api_token HTTP/1.0\r\nContent-Type: application/json\r\nIdempotency-Key: $_[0]\r\nContent-Length: " . length($body) . "\r\n\r\n$body")))[0] };
    is(id($short->('late')), $late, 'where it would be too far');
    is_answer(with_header('soon', {%soon, account_id => $account =~ s/f$/g/r}), 422, invalid('{"expires_at":["must be in the future"]}'), 'an account that is not the caller\'s');
    is_answer($short->('new'), 422, invalid('{"expires_at":["must not be later than a token may live"]}'), 'a new key');
    is(tokens(), 2, 'tokens');
}
