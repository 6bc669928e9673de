use ApiToken;

master_on();
no_root_location();
plan 'no_plan';

# the log_format of the README, and what it writes of each operation

open my $readme, '<', 'README.md' or die "README.md: $!\n";
our ($format) = join('', <$readme>) =~ /^(log_format api_token_audit .*?);$/ms;

our $admin_key = write_key('admin.jwk', test_key('hs384', {alg => 'HS256'}));
our $http = checks('api_token_cache zone=t:1m', "api_token_admin_key $admin_key", 'lingering_close off', $format);
our @caller = ('access_log logs/audit.log api_token_audit', 'api_token_caller account=$http_x_account admin_user=$http_x_admin');

our $log   = Test::Nginx::Util::server_root() . '/logs/audit.log';
our $other = '013xrzp12g5nqk8ngskn1wtxgka5b0nf';
our @mine  = ('X-Account' => $account);

# what the log says of the request that this makes
sub audited {
    my $request = shift;
    truncate $log, 0;
    my $answer = $request->();
    open my $in, '<', $log or die "$log: $!\n";
    my @lines = <$in>;
    is(@lines, 1, 'one line') or diag(@lines);
    my $said = json($lines[0]);
    like(delete $said->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+\d\d:\d\d$/, 'when');
    like(delete $said->{request}, qr/^[0-9a-f]{32}$/, 'which request');
    is(delete $said->{from}, '127.0.0.1', 'from where');
    return ($said, $answer);
}

# status, action, token and actor, and the word of a check that refused
sub is_audited {
    my ($request, $expected, $name) = @_;
    my ($said, $answer) = audited($request);
    my %all = (actor => '', action => '', token => '', error => '', %$expected);
    is_deeply($said, \%all, $name) or diag("$answer->{status} $answer->{content}");
    return $answer;
}

sub created {
    my ($request, $expected, $name) = @_;
    my ($said, $answer) = audited($request);
    my $created = json($answer->{content});
    is_deeply($said, {error => '', action => 'create', status => 200, token => $created->{details}{id}, %$expected}, $name);
    unlike(join(' ', %$said), qr/\Q$created->{token}\E/, 'and not the token itself');
    return @$created{qw(token details)};
}

sub act {
    my ($action, $id, $headers) = @_;
    return sub { request(GET => '', undef, $headers) } if $action eq 'list';
    return sub { post({token_scope => 'account'}, $headers) } if $action eq 'create';
    return sub { request($action eq 'delete' ? 'DELETE' : 'GET', "/$id", undef, $headers) } if $action =~ /delete|retrieve/;
    return sub { request(POST => "/$id/$action", undef, $headers) };
}

our @actions = qw(create list retrieve suspend activate revoke delete);

# each operation, refused in one way
sub are_refused {
    my ($id, $headers, $expected, $name) = @_;
    is_audited(act($_, $id, $headers), {action => $_, token => /create|list/ ? '' : $id, %$expected}, "$name: $_") for @actions;
}

run_tests();

__DATA__

=== TEST 1: what is done, by each kind of caller
--- http_config eval: $::http
--- config eval: api(@::caller, 'auth_api_token r')
--- steps eval
sub {
    my ($token, $details) = created(act('create', undef, {@::mine}), {actor => $account}, 'create, by an account');
    my %callers = (
        'an account'         => [$account, {@::mine}],
        'an admin of nginx'  => [$admin_user, {@::mine, 'X-Admin' => $admin_user}],
        "an admin's JWT"     => [$admin_user, {Authorization => 'Bearer ' . sign({sub => $admin_user, account_id => $account, exp => 1893456000}, undef, 'hs384')}],
        'a token'            => [$details->{id}, {Authorization => "Bearer $token"}],
    );
    for my $who (sort keys %callers) {
        my ($actor, $headers) = @{$callers{$who}};
        my (undef, $its) = created(act('create', undef, $headers), {actor => $actor}, "create, by $who");
        for my $action (@::actions[1 .. $#::actions]) {
            my $target = $action eq 'list' ? '' : $its->{id};
            is_audited(act($action, $its->{id}, $headers), {action => $action, token => $target, actor => $actor, status => 200}, "$action, by $who");
        }
        is_audited(act('retrieve', $its->{id}, $headers), {action => 'retrieve', token => $its->{id}, actor => $actor, status => 404}, "one that is gone, by $who");
    }
}



=== TEST 2: what is not done, by somebody who is known
--- http_config eval: $::http
--- config eval: api(@::caller)
--- steps eval
sub {
    my (undef, $details) = new_token(undef, {@::mine});
    my $id = $details->{id};
    my %by = (actor => $account);
    is_audited(act('activate', $id, {@::mine}), {%by, action => 'activate', token => $id, status => 409}, 'a status that does not allow it');
    is_audited(sub { post({token_scope => 'x'}, {@::mine}) }, {%by, action => 'create', status => 422}, 'a wrong field');
    is_audited(sub { post('{', {@::mine}) }, {%by, action => 'create', status => 400}, 'no JSON');
    is_audited(sub { post({token_scope => 'account', account_id => $::other}, {@::mine}) }, {%by, action => 'create', status => 403}, "another's account");
    is_audited(sub { request(GET => "?account_id=$::other", undef, {@::mine}) }, {%by, action => 'list', status => 403}, "another's list");
    is_audited(act($_, $id, {'X-Account' => $::other}), {actor => $::other, action => $_, token => $id, status => 404}, "another's token: $_")
        for @::actions[2 .. $#::actions];
    is_audited(sub { request(GET => '/nowhere', undef, {@::mine}) }, {status => 404}, 'no path of the API');
    is_audited(sub { request(PUT => "/$id", undef, {@::mine}) }, {status => 405}, 'no method of it');
    signal_redis('STOP');
    is_audited(act('revoke', $id, {@::mine}), {%by, action => 'revoke', token => $id, status => 503}, 'Redis does not answer');
    signal_redis('CONT');
}
--- error_log
it does not answer in time



=== TEST 3: attempts of somebody who is nobody
--- http_config eval: $::http
--- config eval: api(@::caller)
--- steps eval
sub {
    my (undef, $details) = new_token(undef, {@::mine});
    are_refused($details->{id}, {}, {status => 401}, 'nobody');
    are_refused($details->{id}, {'X-Account' => 'x'}, {status => 401}, 'no account');
    is(json(act('retrieve', $details->{id}, {@::mine})->()->{content})->{details}{status}, 'active', 'and nothing was done');
}



=== TEST 4: attempts with a token that the check refuses
--- http_config eval: $::http
--- config eval: api(@::caller, 'auth_api_token r')
--- steps eval
sub {
    my ($token, $details) = new_token(undef, {@::mine});
    my ($target) = map { $_->{id} } (new_token(undef, {@::mine}))[1];
    are_refused($target, {Authorization => 'Bearer x'}, {status => 401, error => 'malformed'}, 'no token');
    act('revoke', $details->{id}, {@::mine})->();
    are_refused($target, {Authorization => "Bearer $token"}, {status => 401, error => 'revoked'}, 'a revoked one');
    is(json(act('retrieve', $target, {@::mine})->()->{content})->{details}{status}, 'active', 'and nothing was done');
}



=== TEST 5: attempts with a token that may not call the API, and without any
--- http_config eval: $::http
--- config eval
api(@::caller, 'auth_api_token r') . (api('auth_api_token r', $::caller[0]) =~ s/^ *api_token_caller .*\n//mr =~ s{/api/v1/}{/api/v2/}r)
--- steps eval
sub {
    my ($token, $details) = new_token({token_scope => 'environment', environment_id => $environment}, {@::mine});
    my ($target) = map { $_->{id} } (new_token(undef, {@::mine}))[1];
    for my $action (@::actions) {
        is_audited(act($action, $target, {Authorization => "Bearer $token"}),
            {status => 403, action => $action, token => $action =~ /create|list/ ? '' : $target, actor => $details->{id}}, "an environment's token: $action");
    }
    is_audited(sub { ask("/api/v2/api_token/$target") }, {status => 401, error => 'missing', action => 'retrieve', token => $target}, 'no credentials: retrieve');
    is_audited(sub { ask("POST /api/v2/api_token/$target/revoke") }, {status => 401, error => 'missing', action => 'revoke', token => $target}, 'no credentials: revoke');
    is(json(act('retrieve', $target, {@::mine})->()->{content})->{details}{status}, 'active', 'and nothing was done');
}
