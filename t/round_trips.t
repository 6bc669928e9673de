use ApiToken;
use Tokens;

plan 'no_plan';

# the status of the answer, and the commands that Redis was sent, each a round trip
sub cost {
    my ($method, $path) = @_;
    my $answer;
    my @commands = redis_commands { $answer = request($method, $path) };
    return ($answer->{status}, @commands);
}

run_tests();

__DATA__

=== TEST 1: one round trip each, and a list has one whatever it shows
--- config eval: api()
--- steps eval
sub {
    my @ids = map { token_that_is('active') } 1 .. 150;
    my ($expired, $revoked) = map { token_that_is($_) } qw(expired revoked);
    (my $missing = $ids[0]) =~ s/.{8}$/00000000/;
    # Redis has every script once each was run
    request($_->[0], $_->[1]) for [GET => ''], [GET => "/$ids[0]"], [POST => "/$missing/revoke"];
    wait_until(time + 1);

    for ([GET => "/$ids[0]", 200], [GET => "/$missing", 404], [HEAD => "/$ids[0]", 200],
         [POST => "/$ids[0]/suspend", 200], [POST => "/$ids[0]/suspend", 409], [POST => "/$ids[0]/activate", 200],
         [POST => "/$ids[0]/revoke", 200], [POST => "/$expired/revoke", 200], [POST => "/$missing/revoke", 404],
         [DELETE => "/$ids[1]", 409], [DELETE => "/$ids[0]", 200], [DELETE => "/$expired", 200], [DELETE => "/$revoked", 200],
         [DELETE => "/$missing", 404],
         (map { [GET => "?pagination[page_size]=$_", 200] } 1, 20, 100),
         (map { [GET => "?sorting=$_", 200] } qw(inserted_at -inserted_at expires_at -expires_at)),
         [GET => '?pagination[offset]=100&pagination[page_size]=100', 200], [GET => '?pagination[offset]=1000', 200]) {
        my ($method, $path, $status) = @$_;
        is(join(' ', cost($method, $path)), "$status evalsha", "$method $path");
    }
}



=== TEST 2: none for what can be refused without Redis
--- config eval: api()
--- steps eval
sub {
    my $id = new_details()->{id};
    for ([GET => '?page=1', 400], [GET => "?account_id=$stranger", 403], [GET => '/nowhere', 404], [PUT => "/$id", 405],
         [GET => "/$id/suspend", 405], [POST => "/$id/enable", 404]) {
        my ($method, $path, $status) = @$_;
        is(join(' ', cost($method, $path)), $status, "$method $path");
    }
}



=== TEST 3: none where nobody calls
--- config eval: api('api_token_caller account=$http_x_account')
--- steps eval
sub {
    for ([GET => ''], [GET => "/$account"], [POST => "/$account/revoke"], [DELETE => "/$account"], [GET => '/nowhere']) {
        is(join(' ', cost($_->[0], $_->[1])), '401', "$_->[0] $_->[1]");
    }
}



=== TEST 4: a list after many records have expired is one round trip too
--- config eval: api()
--- steps eval
sub {
    redis('FLUSHALL');
    token_that_is('expired') for 1 .. 100;
    wait_until(time + 1);
    request(GET => '?pagination[page_size]=1') for 1 .. 2;
    is(join(' ', cost(GET => "?pagination[page_size]=$_")), '200 evalsha', "pages of $_, all expired") for 1, 100;
    token_that_is('expired') for 1 .. 100;
    wait_until(time + 1);
    is(join(' ', cost(GET => '')), '200 evalsha', 'and when a hundred more have');
}
