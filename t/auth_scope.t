use ApiToken;

workers(2);
master_on();
plan 'no_plan';

our $bad       = error_body('bad_authtoken', 'The token is not valid.');
our $forbidden = error_body('not_permitted', 'The caller is not permitted to do this.');

sub passes {
    my ($path, $token, $name) = @_;
    my $answer = ask($path, $token);
    is("$answer->{status} $answer->{content}", '200 in', $name);
}

sub is_refused {
    my ($path, $token, $status, $name) = @_;
    my $answer = ask($path, $token);
    my ($body, $error) = $status == 403 ? ($::forbidden, 'insufficient_scope') : ($::bad, 'invalid_token');
    is_answer($answer, $status, $body, $name);
    is($answer->{headers}{'www-authenticate'}, qq(Bearer realm="r", error="$error"), "$name: challenge");
}

our $places = join '', map {
    my ($name, @directives) = @$_;
    "location = /$name { proxy_pass http://behind; @directives }\n"
} ['any', 'auth_api_token r;'], ['account', 'auth_api_token r scope=account;'], ['environment', 'auth_api_token r scope=environment;'],
  ['other', 'auth_api_token r; api_token_audience other;'], ['issued', 'auth_api_token r; api_token_issuer other;'],
  ['key', "auth_api_token r; api_token_key $ENV{TEST_NGINX_KEYS}/other.jwk;"];

write_key('other.jwk', test_key('hs512'));

our %tokens;
sub of_kind {
    return $tokens{$_[0]} //= (new_token({token_scope => $_[0], $_[0] eq 'environment' ? (environment_id => $environment) : ()}))[0];
}

run_tests();

__DATA__

=== TEST 1: a cached verdict does not forget the scope, in whichever order the places are asked
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: api() . $::places
--- steps eval
sub {
    my %other = (account => 'environment', environment => 'account');
    for my $kind (sort keys %other) {
        my $wrong = $other{$kind};
        for my $order ([$kind, $wrong], [$wrong, $kind], ['any', $wrong, $kind, $wrong], [$wrong, 'any', $wrong]) {
            %::tokens = ();
            for my $round (1, 2) {
                for my $place (@$order) {
                    my $name = "$kind token, @$order, round $round: $place";
                    $place eq $wrong ? is_refused("/$place", of_kind($kind), 403, $name) : passes("/$place", of_kind($kind), $name);
                }
            }
        }
    }
}



=== TEST 2: nor the audience, the issuer or the keys that it was verified with
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: api() . $::places
--- steps eval
sub {
    for my $order (['any', 'other', 'issued', 'key'], ['other', 'key', 'issued', 'any']) {
        %::tokens = ();
        for (1, 2) {
            for my $place (@$order) {
                my $name = "@$order: $place";
                $place eq 'any' ? passes('/any', of_kind('account'), $name) : is_refused("/$place", of_kind('account'), 401, $name);
            }
        }
    }
}



=== TEST 3: the scope is not asked of a token that is refused anyway
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: api() . $::places
--- steps eval
sub {
    my ($token, $details) = new_token();
    passes('/account', $token, 'known');
    is(request(POST => "/$details->{id}/suspend")->{status}, 200, 'suspend');
    is_refused('/environment', $token, 401, 'suspended, and of the wrong scope');
    is_refused('/environment', substr($token, 0, -4) . 'AAAA', 401, 'of a bad signature, and of the wrong scope');
}



=== TEST 4: nor does a look at the request before its location is known, or before a rewrite
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
'auth_api_token r; set $early $api_token_id;' . api('auth_api_token off') . $::places . '
    location /cookie { auth_api_token r token=$cookie_token; proxy_pass http://behind; }
    location /set { set $token $arg_token; auth_api_token r token=$token; set $seen $api_token_id; set $token ""; proxy_pass http://behind; }
    location /rewritten { set $seen $api_token_id; rewrite ^/rewritten(.*) $1 last; }'
--- steps eval
sub {
    %::tokens = ();
    my $token = of_kind('account');
    for (1, 2) {
        passes($_, $token, $_) for '/any', '/rewritten/any';
        is_refused($_, $token, 401, $_) for map { ("/$_", "/rewritten/$_") } qw(other issued key);
    }
    is(ask('/cookie', $token)->{status}, 401, 'a token where this location does not look');
    passes('/cookie', {Cookie => "token=$token"}, 'a token where only this location looks');
    is(ask("/set?token=$token")->{status}, 401, 'a token that was taken away again');
}
