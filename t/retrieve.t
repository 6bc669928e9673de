use ApiToken;
use Tokens;

plan 'no_plan';

run_tests();

__DATA__

=== TEST 1: a token as it was created, members in order
--- config eval: api()
--- steps eval
sub {
    for my $body (qq({"token_scope":"account"}), qq({"token_scope":"account","expires_at":"9999-12-31T23:59:59Z"}),
                  qq({"token_scope":"environment","environment_id":"$environment"})) {
        my $created = post($body)->{content};
        $created =~ s/,"token":"[\w.-]+"//;
        my $id = json($created)->{details}{id};
        is_answer(request(GET => "/$id"), 200, $created, $body);
        is_answer(request(GET => "/$id?pretty=1"), 200, $created, "$body: a query is not looked at");
    }
}



=== TEST 2: an admin user's token
--- config eval
api("api_token_caller account=any admin_user=$admin_user")
--- steps eval
sub {
    my $details = new_details({account_id => $account, expires_at => '2030-01-01T00:00:00Z'});
    is_answer(request(GET => "/$details->{id}"), 200,
        qq({"details":{"account_id":"$account",)
        . qq("available_actions":{"activate":false,"delete":false,"revoke":true,"suspend":true},)
        . qq("created_by_admin_user_id":"$admin_user","environment_id":null,"expires_at":"2030-01-01T00:00:00Z",)
        . qq("id":"$details->{id}","inserted_at":"$details->{inserted_at}","last_used_at":null,"status":"active",)
        . qq("token_scope":"account","type":"api_token","updated_at":"$details->{inserted_at}"},"status":"success"}\n),
        'all members');
}



=== TEST 3: each status and what it allows
--- config eval: api()
--- steps eval
sub {
    my %ids = map { $_ => token_that_is($_) } keys %can;
    wait_until(time + 1);
    for my $status (sort keys %can) {
        my $answer = request(GET => "/$ids{$status}");
        is_answer($answer, 200, details_answer(json($answer->{content})->{details}, status => $status, id => $ids{$status}), $status);
    }
}



=== TEST 4: what else the record says: when the token was used, and a time that has passed since
--- config eval: api()
--- steps eval
sub {
    my $details = new_details();
    my ($key) = grep { /:token:$details->{id}$/ } split /\n/, redis(KEYS => '*');
    is(redis(HSET => $key, last_used_at => 1893456000), 1, 'a new field of the record');
    is_answer(request(GET => "/$details->{id}"), 200, details_answer($details, last_used_at => '2030-01-01T00:00:00Z'), 'used');
    redis(HSET => $key, expires_at => time);
    like(request(GET => "/$details->{id}")->{content}, qr/"status":"expired"/, 'expired from that second on');
    redis(HSET => $key, status => 'suspended');
    like(request(GET => "/$details->{id}")->{content}, qr/"status":"expired"/, 'also when suspended');
    redis(HSET => $key, status => 'revoked');
    like(request(GET => "/$details->{id}")->{content}, qr/"status":"revoked"/, 'but not when revoked');
}



=== TEST 5: a token of another account is answered as one that is not there
--- config eval: api(any_caller())
--- steps eval
sub {
    (my $unused = $account) =~ s/.$/0/;
    for my $owner ($neighbour, $stranger) {
        my $id = new_details({}, as($owner))->{id};
        is_answer(request(GET => "/$id", undef, as($account)), 404, not_found(), 'for another account');
        is_answer(request(GET => "/$id", undef, as($owner)), 200, qr/"id":"$id"/, 'for its own account');
        is_answer(request(GET => "/$id", undef, as('any')), 200, qr/"account_id":"$owner"/, 'for any account');
    }
    is_answer(request(GET => "/$unused", undef, as($_)), 404, not_found(), "no token, for $_") for $account, 'any';
    is_answer(request(GET => "/$account", undef, as($account)), 404, not_found(), 'the id of an account');
}



=== TEST 6: a token is gone when Redis has dropped its record
--- config eval: api('api_token_retention 1s')
--- steps eval
sub {
    my $expires = time + 2;
    my $id = new_details({expires_at => date_time($expires)})->{id};
    is(status_of($id), 'active', 'at first');
    wait_until($expires);
    is(status_of($id), 'expired', 'then expired');
    wait_until($expires + 1.1);
    is_answer(request(GET => "/$id"), 404, not_found(), 'in the end');
}



=== TEST 7: records that nobody can read are our fault
--- config eval: api()
--- steps eval
sub {
    my $unexpected = error_body('unexpected', 'Something went wrong on the server.');
    my $id = new_details()->{id};
    my ($key) = grep { /:token:$id$/ } split /\n/, redis(KEYS => '*');
    for my $change (['HSET', $key, 'status', 'lost'], ['HSET', $key, 'status', 'active', 'token_scope', ''],
                    ['HSET', $key, 'token_scope', 'account', 'account_id', 'nobody'], ['SET', $key, 'no hash']) {
        redis(@$change);
        is_answer(request(GET => "/$id", undef), 500, $unexpected, "@$change[2 .. $#$change]");
    }
}
