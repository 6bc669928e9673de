use ApiToken;

plan 'no_plan';

# a row: the fields beside token_scope, or the whole body, and the errors of the answer
sub refused {
    for (@_) {
        my ($fields, $errors) = @$_;
        my $body = $fields =~ /^\{/ ? $fields : qq({"token_scope":"account",$fields});
        is_answer(post($body), 422, invalid($errors), $body);
    }
}

sub accepted {
    is_answer(post($_), 200, qr/"status":"success"/, $_) for @_;
}

sub scope_error       { qq({"token_scope":["$_[0]"]}) }
sub account_error     { qq({"account_id":["$_[0]"]}) }
sub environment_error { qq({"environment_id":["$_[0]"]}) }
sub expiry_error      { qq({"expires_at":["$_[0]"]}) }

our @not_pfids = ('""', 7, 'true', '[]', '{}', '"any"', map { qq("$_") } uc $account, "$account ", " $account",
    "${account}0", substr($account, 1), "8" . substr($account, 1),
    map { $_ . substr $account, 1 } qw(i l o u é));

run_tests();

__DATA__

=== TEST 1: token_scope
--- config eval: api()
--- steps eval
sub {
    my $wrong = scope_error('must be account or environment');
    refused(['{}', scope_error('is required')], ['{"token_scope":null}', scope_error('is required')],
        ['{"details":{}}', scope_error('is required')],
        map { [qq({"token_scope":$_}), $wrong] }
            '""', '"Account"', '"accounts"', '" account"', '"any"', 1, 'true', '["account"]', '{"account":1}');
}



=== TEST 2: account_id
--- config eval: api()
--- steps eval
sub {
    refused(map { [qq("account_id":$_), account_error('must be a valid account id')] } @::not_pfids);
}



=== TEST 3: account_id, where the caller has none of its own
--- config eval: api('api_token_caller account=any')
--- steps eval
sub {
    refused(['{"token_scope":"account"}', account_error('is required')],
        ['"account_id":null', account_error('is required')],
        ['"account_id":"any"', account_error('must be a valid account id')]);
    accepted(qq({"token_scope":"account","account_id":"$account"}));
}



=== TEST 4: environment_id of an account's token
--- config eval: api()
--- steps eval
sub {
    refused(map { [qq("environment_id":$_), environment_error('must be null or absent for the scope account')] }
        qq("$environment"), '""', 0, 'false');
}



=== TEST 5: environment_id of an environment's token
--- config eval: api()
--- steps eval
sub {
    my $missing = environment_error('is required for the scope environment');
    my $elsewhere = $environment =~ s/^(.{10})3nqk8n/${1}3nqk8m/r;
    refused(['{"token_scope":"environment"}', $missing], ['{"token_scope":"environment","environment_id":null}', $missing],
        [qq({"token_scope":"environment","environment_id":"$elsewhere"}),
            environment_error('must be an environment of the account')],
        map { [qq({"token_scope":"environment","environment_id":$_}), environment_error('must be a valid environment id')] }
            @::not_pfids);
}



=== TEST 6: an environment of another partition, where that is not looked at
--- config eval: api('api_token_environment_check off')
--- steps eval
sub {
    my $elsewhere = $environment =~ s/^(.{10})3nqk8n/${1}3nqk8m/r;
    accepted(qq({"token_scope":"environment","environment_id":"$elsewhere"}));
    refused(['{"token_scope":"environment","environment_id":"x"}', environment_error('must be a valid environment id')]);
}



=== TEST 7: expires_at is in the future, and not too far
--- config eval: api('api_token_ttl 1h', 'api_token_max_ttl 1d')
--- steps eval
sub {
    my $at = sub { POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + $_[0])) };
    refused([qq("expires_at":"@{[$at->(0)]}"), expiry_error('must be in the future')],
        ['"expires_at":"1970-01-01T00:00:00Z"', expiry_error('must be in the future')],
        ['"expires_at":"0001-01-01T00:00:00Z"', expiry_error('must be in the future')],
        [qq("expires_at":"@{[$at->(86400 + 10)]}"), expiry_error('must not be later than a token may live')],
        ['"expires_at":"9999-12-31T23:59:59Z"', expiry_error('must not be later than a token may live')],
        map { [qq("expires_at":$_), expiry_error('must be an RFC 3339 date-time')] } '""', 0, 1893456000, 'true', '[]', '{}');
    accepted(map { qq({"token_scope":"account","expires_at":"@{[$at->($_)]}"}) } 3, 86400);
}



=== TEST 8: without max_ttl, any time up to the last that can be written
--- config eval: api()
--- steps eval
sub {
    accepted('{"token_scope":"account","expires_at":"9999-12-31T23:59:59Z"}');
    refused(['"expires_at":"9999-12-31T23:59:59-00:01"', expiry_error('must be an RFC 3339 date-time')]);
}



=== TEST 9: any other field, at each of the places
--- config eval: api()
--- steps eval
sub {
    my $unknown = 'is not a field of an API token';
    my $beside  = 'must not stand beside details';
    my $details = '"details":{"token_scope":"account"}';
    refused(['"expire_at":"2030-01-01T00:00:00Z"', qq({"expire_at":["$unknown"]})],
        ['"":1', qq({"":["$unknown"]})],
        ['"Token_scope":"account"', qq({"Token_scope":["$unknown"]})],
        ['"id":null', qq({"id":["$unknown"]})],
        ['"a\"b\\\\é":1', qq({"a\\"b\\\\é":["$unknown"]})],
        [q({"details":{"token_scope":"account","expire_at":"x"}}), qq({"expire_at":["$unknown"]})],
        [q({"details":{"token_scope":"account","idempotency_key":"x"}}), qq({"idempotency_key":["$unknown"]})],
        [q({"details":{"token_scope":"account","details":{}}}), qq({"details":["$unknown"]})],
        [qq({$details,"expires_at":"2030-01-01T00:00:00Z"}), qq({"expires_at":["$beside"]})],
        [qq({$details,"token_scope":"account"}), qq({"token_scope":["$beside"]})],
        [qq({$details,"x":null}), qq({"x":["$beside"]})],
        map { [qq({"details":$_}), '{"details":["must be an object"]}'] } 'null', '[]', '"account"', 1);
}



=== TEST 10: all errors of a body are told in one answer
--- config eval: api()
--- steps eval
sub {
    refused(['{"surprise":1,"token_scope":"root","account_id":"x","environment_id":7,"expires_at":"soon","idempotency_key":""}',
        '{"surprise":["is not a field of an API token"],"token_scope":["must be account or environment"],'
        . '"account_id":["must be a valid account id"],"environment_id":["must be a valid environment id"],'
        . '"expires_at":["must be an RFC 3339 date-time"],"idempotency_key":["must be a string of 1 to 64 characters"]}'],
        ['{"details":{"a":1},"b":2,"idempotency_key":7}',
        '{"b":["must not stand beside details"],"a":["is not a field of an API token"],"token_scope":["is required"],'
        . '"idempotency_key":["must be a string of 1 to 64 characters"]}']);
}



=== TEST 11: a refusal leaves nothing in Redis, and its status line has a reason
--- config eval: api()
--- steps eval
sub {
    redis('FLUSHALL');
    my $answer = post('{"token_scope":"environment","idempotency_key":"one"}');
    is("$answer->{status} $answer->{reason}", '422 Unprocessable Entity', 'status line');
    is(redis('DBSIZE'), 0, 'keys');
    ok(!exists $answer->{headers}{$_}, "no $_") for qw(www-authenticate retry-after allow);
}
