use ApiToken;
use Tokens;

plan 'no_plan';
master_on();
workers(2);
worker_connections(1024);

# the status that an action leads to
our %leads_to = (suspend => 'suspended', activate => 'active', revoke => 'revoked');

sub record_key {
    my ($id) = @_;
    return 'api_token:{' . substr($id, 10, 6) . "}:token:$id";
}

sub details { return json(request(GET => "/$_[0]", undef, $_[1])->{content})->{details} }

# what nginx answers, but for the time
sub bytes {
    my ($method, $path, $headers) = @_;
    my $text = talk("$method /api/v1/api_token$path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n$headers\r\n");
    $text =~ s/^Date: .*\r\n//m;
    return $text;
}

# requests that are all sent before any answer is read; the statuses
sub at_once {
    my @connections = map {
        my $nginx = connect_to_nginx();
        $nginx->autoflush(1);
        $nginx
    } @_;
    for my $i (0 .. $#_) {
        my $nginx = $connections[$i];
        print $nginx "POST /api/v1/api_token$_[$i] HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    }
    return map { local $/; (answers(scalar readline $_))[0]{status} } @connections;
}

run_tests();

__DATA__

=== TEST 1: every status and every action
--- config eval: api()
--- steps eval
sub {
    my @cases = map { my $status = $_; map { [$status, $_, token_that_is($status)] } sort keys %::leads_to } sort keys %can;
    push @cases, map {
        my $id = token_that_is('expired');
        # Redis has it as suspended
        redis(HSET => record_key($id), status => 'suspended');
        ['expired', $_, $id]
    } sort keys %::leads_to;
    wait_until(time + 1);

    for (@cases) {
        my ($status, $action, $id) = @$_;
        my $name = "$action what is $status";
        my $before = request(GET => "/$id")->{content};
        my $details = json($before)->{details};
        is($details->{status}, $status, "$name: at first");

        my $from = time;
        my $answer = request(POST => "/$id/$action", '{}');
        if (grep { $_ eq $action } @{$can{$status}}) {
            my $changed = json($answer->{content})->{details};
            is_answer($answer, 200, details_answer($details, status => $::leads_to{$action}, updated_at => $changed->{updated_at}), $name);
            my ($now, $then) = map { $changed->{$_} } qw(updated_at inserted_at);
            ok($now gt $then && $now ge date_time($from) && $now le date_time(time), "$name: $now is now, $then was then");
            is(request(GET => "/$id")->{content}, $answer->{content}, "$name: it is stored");
        } else {
            is_answer($answer, 409, not_allowed(), $name);
            is(request(GET => "/$id")->{content}, $before, "$name: nothing is stored");
        }
    }
}



=== TEST 2: there and back again, of a token with all its fields
--- config eval
api("api_token_caller account=any admin_user=$admin_user")
--- steps eval
sub {
    my $details = new_details({token_scope => 'environment', environment_id => $environment, account_id => $account});
    for my $action (qw(suspend activate suspend activate suspend revoke)) {
        my $answer = request(POST => "/$details->{id}/$action");
        my $changed = json($answer->{content})->{details};
        is_answer($answer, 200, details_answer($details, status => $::leads_to{$action}, updated_at => $changed->{updated_at}), $action);
    }
}



=== TEST 3: bodies
--- config eval: api('client_max_body_size 200k')
--- steps eval
sub {
    my $id = new_details()->{id};
    my @actions = qw(suspend activate);
    my @good = (undef, '', '{}', '{ }', " \t\r\n{\n} ", '{' . ' ' x 100000 . '}');
    for my $body (@good) {
        my $action = shift @actions;
        push @actions, $action;
        my $name = defined $body ? length $body > 99 ? 'a long body' : "'$body'" : 'no body';
        is_answer(request(POST => "/$id/$action", $body), 200, qr/"status":"$::leads_to{$action}"/, "$name: $action");
    }
    is(status_of($id), 'active', 'in the end');
    for my $type (undef, 'text/plain', 'application/x-www-form-urlencoded') {
        is_answer(request(POST => "/$id/$actions[0]", '{}', {'Content-Type' => $type}), 200, qr/success/, $type // 'no type');
        @actions = reverse @actions;
    }
    my $chunked = {'Transfer-Encoding' => 'chunked', 'Content-Length' => undef};
    for my $body ("0\r\n\r\n", "2\r\n{}\r\n0\r\n\r\n", "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n") {
        is_answer(request(POST => "/$id/$actions[0]", $body, $chunked), 200, qr/success/, "chunks $body");
        @actions = reverse @actions;
    }

    my $status = status_of($id);
    my $unwanted = error_body('bad_request', 'The body must be empty, or an empty JSON object.');
    for my $body ('{"a":1}', '{"details":{}}', '[]', 'null', 'true', '0', '""', '{', '}', '{}{}', '{},', '{}x', ' ', "\0", "{}\0",
                  "\xef\xbb\xbf{}", "\xff", 'suspend', 'x' x 100000) {
        my $name = 'the body ' . substr $body, 0, 20;
        is_answer(request(POST => "/$id/$_", $body), 400, $unwanted, "$name: $_") for sort keys %::leads_to;
    }
    is_answer(request(POST => "/$id/revoke", "3\r\n{}x\r\n0\r\n\r\n", $chunked), 400, $unwanted, 'a chunk');
    is_answer(request(POST => "/$id/revoke", ' ' x 300000), 413, error_body('bad_request', 'The body is too large.'), 'a huge body');
    is(status_of($id), $status, 'none of these did anything');
}



=== TEST 4: bytes of a body are never the next request, wanted or not
--- config eval: api()
--- steps eval
sub {
    my $id = new_details()->{id};
    my $revoked = token_that_is('revoked');
    (my $none = $id) =~ s/.{8}$/00000000/;
    my $inner = "POST /api/v1/api_token/$id/revoke HTTP/1.1\r\nHost: x\r\n\r\n";
    my $length = length $inner;
    my $last = "GET /api/v1/api_token/$id HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for (['POST', "/$id/suspend", 400], ['POST', "/$revoked/activate", 400], ['POST', "/$none/revoke", 400], ['GET', '', 200],
         ['GET', "/$id", 200], ['GET', "/$none", 404], ['GET', '?x=1', 400], ['DELETE', "/$id", 409], ['DELETE', "/$none", 404],
         ['PUT', "/$id", 405], ['PUT', '', 405], ['GET', "/$id/suspend", 405], ['POST', '/nowhere', 404]) {
        my ($method, $path, $status) = @$_;
        my $head = "$method /api/v1/api_token$path HTTP/1.1\r\nHost: x\r\n";
        my %ways = (
            'with its length'       => ["${head}Content-Length: $length\r\n\r\n$inner$last"],
            'in a chunk'            => ["${head}Transfer-Encoding: chunked\r\n\r\n" . sprintf("%x\r\n", $length) . "$inner\r\n0\r\n\r\n$last"],
            'behind its headers'    => ["${head}Content-Length: $length\r\n\r\n", $inner, $last],
        );
        for my $way (sort keys %ways) {
            my $statuses = eval { join ' ', map { $_->{status} } answers(talk(@{$ways{$way}})) } // $@;
            is($statuses, "$status 200", "$method $path, a body $way");
        }
    }
    is(status_of($id), 'active', 'in the end');
}



=== TEST 5: a token of another account is as one that is not there, byte for byte
--- config eval: api(any_caller())
--- steps eval
sub {
    my %routes = (GET => [''], HEAD => [''], DELETE => [''], POST => [map { "/$_" } sort keys %::leads_to]);
    my @states = sort keys %can;
    my %ids = map { my $owner = $_; map { ("$owner $_" => token_that_is($_, as($owner))) } @states } $neighbour, $stranger;
    wait_until(time + 1);
    my %before = map { $_ => redis(HGETALL => record_key($_)) } values %ids;
    (my $missing = new_details({}, as($account))->{id}) =~ s/.{8}$/00000000/;
    for my $method (sort keys %routes) {
        for my $end (@{$routes{$method}}) {
            my $expected = bytes($method, "/$missing$end", "X-Account: $account\r\n");
            like($expected, qr/^HTTP\/1.1 404 /, "$method $end: what is not there");
            is(bytes($method, "/$ids{$_}$end", "X-Account: $account\r\n"), $expected, "$method $end: $_") for sort keys %ids;
        }
    }
    is(redis(HGETALL => record_key($_)), $before{$_}, 'nothing was done to it') for sort keys %before;
    is(details($ids{"$_ suspended"}, as($_))->{status}, 'suspended', 'its owner sees it') for $neighbour, $stranger;

    is_answer(request(POST => '/' . $ids{"$_ suspended"} . '/activate', '', as('any')), 200, qr/"account_id":"$_"/,
        'whoever may act for any account') for $neighbour, $stranger;
}



=== TEST 6: a record's life is kept or made longer, never shorter
--- config eval
my $long = api('api_token_retention 30d');
$long =~ s/ \{/_long {/;
my $short = api('api_token_retention 1s');
$short =~ s/ \{/_short {/;
api('api_token_retention 1d') . $long . $short
--- steps eval
sub {
    my $expires = 1893456000;
    my $details = new_details({expires_at => date_time($expires)});
    my $key = record_key($details->{id});
    is(redis(EXPIRETIME => $key), $expires + 86400, 'as it was created');
    for (['_short', 'suspend', 1], ['', 'activate', 1], ['_long', 'suspend', 30], ['', 'activate', 30], ['_short', 'revoke', 30]) {
        my ($location, $action, $days) = @$_;
        is(request(POST => "$location/$details->{id}/$action")->{status}, 200, "$action, location $location");
        is(redis(EXPIRETIME => $key), $expires + $days * 86400, "$action, location $location: $days days");
    }

    my $expired = token_that_is('expired');
    wait_until(time + 1);
    my $ends = redis(EXPIRETIME => record_key($expired));
    is(request(POST => "_long/$expired/suspend")->{status}, 409, 'an action that is not allowed');
    is(redis(EXPIRETIME => record_key($expired)), $ends, 'leaves it');
    is(request(POST => "_long/$expired/revoke")->{status}, 200, 'an expired token is revoked');
    is(redis(EXPIRETIME => record_key($expired)), $ends + 29 * 86400, 'from its expiry on, not from now');

    my $kept = new_details()->{id};
    redis(PERSIST => record_key($kept));
    is(request(POST => "/$kept/revoke")->{status}, 200, 'a record that somebody keeps for ever');
    is(redis(EXPIRETIME => record_key($kept)), -1, 'stays for ever');
}



=== TEST 7: a change is told to whoever listens, a refusal is not
--- config eval: api(any_caller())
--- steps eval
sub {
    my $listener = IO::Socket::UNIX->new(Peer => $ENV{TEST_NGINX_REDIS}) or die "redis: $!\n";
    $listener->autoflush(1);
    print $listener "SUBSCRIBE api_token:changes\r\n";
    is(join('', map { scalar <$listener> } 1 .. 6), "*3\r\n\$9\r\nsubscribe\r\n\$17\r\napi_token:changes\r\n:1\r\n", 'it listens');
    my @ids = map { new_details({}, as($account))->{id} } 1, 2;
    my $foreign = new_details({}, as($neighbour))->{id};
    my @expected;
    for (['POST', "/$ids[0]/suspend", 200], ['POST', "/$ids[0]/suspend", 409], ['POST', "/$foreign/revoke", 404],
         ['POST', "/$ids[0]/activate", 200], ['DELETE', "/$ids[0]", 409], ['POST', "/$ids[1]/revoke", 200],
         ['POST', "/$ids[1]/revoke", 409], ['DELETE', "/$ids[1]", 200], ['DELETE', "/$ids[1]", 404], ['POST', "/$ids[0]/revoke", 200]) {
        is(request($_->[0], $_->[1], undef, as($account))->{status}, $_->[2], "$_->[0] $_->[1]");
        push @expected, substr $_->[1], 1, 32 if $_->[2] == 200;
    }
    redis(PUBLISH => 'api_token:changes', 'the end');
    my (@heard, $line);
    while (defined($line = <$listener>) && $line !~ /^the end/) {
        push @heard, $1 if $line =~ /^($pfid)\r$/;
    }
    is("@heard", "@expected", 'one word for each change');
}



=== TEST 8: activate and revoke at the same time: one revoke wins, and it is for good
--- config eval: api()
--- steps eval
sub {
    my $wrong = 0;
    for (1 .. 200) {
        my $id = token_that_is('suspended');
        my @actions = ('activate', 'revoke') x 2;
        my @statuses = at_once(map { "/$id/$_" } @actions);
        my %count;
        $count{"$actions[$_] $statuses[$_]"}++ for 0 .. $#actions;
        $wrong++ if ($count{'revoke 200'} // 0) != 1 || ($count{'revoke 409'} // 0) != 1 || ($count{'activate 200'} // 0) > 1
            || status_of($id) ne 'revoked';
    }
    is($wrong, 0, 'of 200 tokens, two pairs each');

    my $id = token_that_is('suspended');
    my @statuses = at_once(map { ("/$id/activate", "/$id/revoke") } 1 .. 200);
    is(scalar(grep { $_ % 2 && $statuses[$_] == 200 } 0 .. $#statuses), 1, 'of 200 pairs on one token one revoke wins');
    cmp_ok(scalar(grep { $_ % 2 == 0 && $statuses[$_] == 200 } 0 .. $#statuses), '<=', 1, 'at most one activate');
    is(scalar(grep { $_ != 200 && $_ != 409 } @statuses), 0, 'all others are told so');
    is(status_of($id), 'revoked', 'and it ends revoked');
}
