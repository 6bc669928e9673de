use ApiToken;
use Tokens;

plan 'no_plan';

sub keys_in_redis { return join ' ', sort split /\n/, redis(KEYS => '*') }

sub sets {
    my $key = 'api_token:{' . substr($_[0], 10, 6) . "}:account:$_[0]:";
    return join '; ', map { join ' ', split /\n/, redis(ZRANGE => "$key$_", 0, -1) } qw(inserted_at expires_at ends_at);
}

run_tests();

__DATA__

=== TEST 1: what is revoked or expired can be deleted, and nothing of it is left
--- config eval: api()
--- steps eval
sub {
    for my $status (qw(revoked expired)) {
        redis('FLUSHALL');
        my $id = token_that_is($status);
        wait_until(time + 1) if $status eq 'expired';
        is(status_of($id), $status, "$status: it is");
        request(GET => '');    # a list, so that an expired one is in all three sets
        is(redis('DBSIZE'), $status eq 'expired' ? 4 : 3, "$status: its record and its account's sets");
        is_answer(request(DELETE => "/$id"), 200, qq({"status":"success"}\n), $status);
        is(keys_in_redis(), '', "$status: nothing in Redis");
        is_answer(request($_->[0], "/$id$_->[1]"), 404, not_found(), "$status: gone for $_->[0] $_->[1]")
            for [GET => ''], [DELETE => ''], map { [POST => "/$_"] } qw(activate revoke suspend);
        like(request(GET => '')->{content}, qr/"item_count":0,/, "$status: gone from the list");
    }
}



=== TEST 2: of others of its account nothing is lost
--- config eval: api()
--- steps eval
sub {
    redis('FLUSHALL');
    my @expired = map { token_that_is('expired') } 1, 2;
    my @ids = map { new_details({expires_at => '2030-01-01T00:00:00Z'})->{id} } 1 .. 3;
    request(POST => "/$ids[1]/revoke");
    wait_until(time + 1);
    request(GET => '');
    is_answer(request(DELETE => "/$_"), 200, qr/success/, 'deleted') for $expired[0], $ids[1];
    my @left = sort $expired[1], @ids[0, 2];
    is(sets($account), "@left; $expired[1] " . join(' ', sort @ids[0, 2]) . "; $expired[1]", 'the three sets');
    is(join(' ', grep { /:token:/ } split / /, keys_in_redis()), join(' ', sort map { "api_token:{3nqk8n}:token:$_" } @left), 'the records');
}



=== TEST 3: what is active or suspended cannot
--- config eval: api()
--- steps eval
sub {
    for my $status (qw(active suspended)) {
        my $id = token_that_is($status);
        my $before = request(GET => "/$id")->{content};
        is_answer(request(DELETE => "/$id"), 409, not_allowed(), $status);
        is(request(GET => "/$id")->{content}, $before, "$status: it is as it was");
        request(POST => "/$id/revoke");
        is_answer(request(DELETE => "/$id"), 200, qq({"status":"success"}\n), "$status: but once revoked");
    }
}



=== TEST 4: the idempotency key of a deleted token makes no other
--- config eval: api()
--- steps eval
sub {
    redis('FLUSHALL');
    my $deleted = error_body('invalid_action', 'The token of this idempotency key was deleted.');
    my $key = {'Idempotency-Key' => 'once'};
    my $id = new_details({}, $key)->{id};
    request(POST => "/$id/revoke");
    is(new_details({}, $key)->{id}, $id, 'the same token at first');
    is(request(DELETE => "/$id")->{status}, 200, 'it is deleted');
    is_answer(post('{"token_scope":"account"}', $key), 409, $deleted, 'in the header');
    is_answer(post('{"token_scope":"account","idempotency_key":"once"}'), 409, $deleted, 'in the body');
    is_answer(post(qq({"token_scope":"environment","environment_id":"$environment"}), $key), 422, qr/"code":"bad_request"/,
        'with other details');
    like(keys_in_redis(), qr/^api_token:\{3nqk8n\}:idempotency:${account}:[0-9a-f]{64}$/, 'nothing but the key is left');
}



=== TEST 5: an account's token can be deleted by nobody else, and by whoever may act for any
--- config eval: api(any_caller())
--- steps eval
sub {
    for my $owner ($account, $neighbour, $stranger) {
        redis('FLUSHALL');
        my $id = token_that_is('revoked', as($owner));
        is_answer(request(DELETE => "/$id", undef, as($_)), 404, not_found(), "$owner: another account")
            for grep { $_ ne $owner } $account, $neighbour, $stranger;
        is(status_of($id, as($owner)), 'revoked', "$owner: it is there");
        is_answer(request(DELETE => "/$id", undef, as('any')), 200, qr/success/, "$owner: any account");
        is(keys_in_redis(), '', "$owner: nothing in Redis");
    }
}



=== TEST 6: of many deletes at once one is told that it did
--- config eval: api()
--- steps eval
sub {
    for (1 .. 20) {
        my $id = token_that_is('revoked');
        my @connections = map { connect_to_nginx() } 1 .. 8;
        syswrite $_, "DELETE /api/v1/api_token/$id HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" for @connections;
        my @statuses = sort map { local $/; (answers(scalar readline $_))[0]{status} } @connections;
        is("@statuses", '200' . ' 404' x 7, 'eight at once');
    }
}



=== TEST 7: nothing of it is done where a sorted set is none
--- config eval: api()
--- steps eval
sub {
    my $id = token_that_is('revoked');
    my $key = 'api_token:{' . substr($account, 10, 6) . "}:account:$account:ends_at";
    redis('SET', $key, 'x');
    is(request(DELETE => "/$id")->{status}, 500, 'delete');
    redis('DEL', $key);
    is(json(request(GET => '')->{content})->{pagination}{item_count}, 1, 'it is listed');
    is(request(DELETE => "/$id")->{status}, 200, 'delete');
}
