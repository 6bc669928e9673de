use ApiToken;
use Digest::SHA qw(hmac_sha256);
use Time::Local ();

plan 'no_plan';

our $secret = b64url_decode(json(test_key('hs256'))->{k});

# the ms of a PFID's first 10 characters
sub pfid_ms {
    my $ms = 0;
    $ms = $ms * 32 + index('0123456789abcdefghjkmnpqrstvwxyz', $_) for split //, substr $_[0], 0, 10;
    return $ms;
}

sub seconds {
    my ($text) = @_;
    my ($y, $mo, $d, $h, $mi, $s) = $text =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/ or return 0;
    return Time::Local::timegm_modern($s, $mi, $h, $d, $mo - 1, $y);
}

# the text of an answer, but for what is new each time
sub shape {
    my ($answer) = @_;
    my $text = $answer->{content};
    my $details = json($text)->{details};
    $text =~ s/"id":"$pfid"/"id":ID/;
    $text =~ s/"$details->{inserted_at}"/NOW/g;
    $text =~ s/"token":"[\w-]+\.[\w-]+\.[\w-]{43}"/"token":JWT/;
    return $text;
}

sub made {
    my ($scope, $environment_id, $expires_at, $admin_user_id) = map { $_ // 'null' } @_[0 .. 3];
    return qq({"details":{"account_id":"$account","available_actions":)
        . qq({"activate":false,"delete":false,"revoke":true,"suspend":true},)
        . qq("created_by_admin_user_id":$admin_user_id,"environment_id":$environment_id,"expires_at":$expires_at,)
        . qq("id":ID,"inserted_at":NOW,"last_used_at":null,"status":"active","token_scope":"$scope",)
        . qq("type":"api_token","updated_at":NOW},"status":"success","token":JWT}\n);
}

run_tests();

__DATA__

=== TEST 1: a body under details, as the existing client sends it
--- config eval: api()
--- steps eval
sub {
    my $answer = post(qq({"details":{"token_scope":"environment","account_id":"$account",)
        . qq("environment_id":"$environment","expires_at":"2030-01-01T00:00:00Z"}}));
    is_answer($answer, 200, qr/^\{"details":/, 'environment token');
    is(shape($answer), made('environment', qq("$environment"), '"2030-01-01T00:00:00Z"'), 'members in order');

    my $details = json($answer->{content})->{details};
    like($details->{id}, qr/^$pfid$/, 'the id is a PFID');
    is(substr($details->{id}, 10, 6), substr($account, 10, 6), "of the account's partition");
    cmp_ok(abs(seconds($details->{inserted_at}) - time), '<=', 5, 'made now');
    is(int(pfid_ms($details->{id}) / 1000), seconds($details->{inserted_at}), 'whose time is that of inserted_at');

    my ($header, $claims) = jwt($answer);
    my $iat = seconds($details->{inserted_at});
    is($header, '{"alg":"HS256","typ":"JWT"}', "the JWT's header");
    is($claims, qq({"sub":"$account","jti":"$details->{id}","iat":$iat,"exp":1893456000,)
        . qq("token_scope":"environment","environment_id":"$environment"}), "the JWT's claims");
}



=== TEST 2: the same fields at the top, as the page shows them
--- config eval: api()
--- steps eval
sub {
    my $answer = post(qq({"expires_at":"2030-01-01T00:00:00Z","token_scope":"environment",)
        . qq("environment_id":"$environment","account_id":"$account"}));
    is_answer($answer, 200, qr/^\{"details":/, 'environment token');
    is(shape($answer), made('environment', qq("$environment"), '"2030-01-01T00:00:00Z"'), 'members in order');
}



=== TEST 3: what is absent or null has a default
--- config eval: api()
--- steps eval
sub {
    for my $body ('{"token_scope":"account"}', '{"details":{"token_scope":"account"},"idempotency_key":null}',
                  '{"token_scope":"account","account_id":null,"environment_id":null,"expires_at":null}') {
        my $answer = post($body);
        my $details = json($answer->{content})->{details};
        is_answer($answer, 200, qr/^\{"details":/, $body);
        is(shape($answer), made('account', undef, qq("$details->{expires_at}")), "$body: members in order");
        is(seconds($details->{expires_at}) - seconds($details->{inserted_at}), 90 * 86400, "$body: 90 days");
        my (undef, $claims) = jwt($answer);
        my ($iat, $exp) = map { seconds($details->{$_}) } qw(inserted_at expires_at);
        is($claims, qq({"sub":"$account","jti":"$details->{id}","iat":$iat,"exp":$exp,"token_scope":"account"}),
            "$body: claims without environment_id");
    }
}



=== TEST 4: the signature is an HMAC of header and claims
--- config eval: api()
--- steps eval
sub {
    my $token = json(post('{"token_scope":"account"}')->{content})->{token};
    my ($signed, $signature) = $token =~ /^([\w-]+\.[\w-]+)\.([\w-]+)$/;
    is(b64url_decode($signature), hmac_sha256($signed, $::secret), 'HS256');
}



=== TEST 5: no two tokens have one id
--- config eval: api()
--- steps eval
sub {
    my %ids = map { json(post('{"token_scope":"account"}')->{content})->{details}{id} => 1 } 1 .. 100;
    is(keys %ids, 100, 'ids of 100 tokens');
}



=== TEST 6: issuer and audience are claims, whatever their characters
--- config eval
api(q{api_token_issuer "https://issuer.example/\"a\\\\b\""}, 'api_token_audience ключ')
--- steps eval
sub {
    my (undef, $claims) = jwt(post('{"token_scope":"account"}'));
    like($claims, qr/^\Q{"iss":"https:\/\/issuer.example\/\"a\\b\"","aud":"ключ","sub":\E/, 'iss and aud come first');
    is(json($claims)->{iss}, 'https://issuer.example/"a\\b"', 'iss as it was configured');
}



=== TEST 7: issuer, audience, key, ttl and retention are inherited, and the inner one wins
--- http_config eval
"api_token_issuer outer; api_token_audience outer; api_token_ttl 1h; api_token_max_ttl 2d;"
--- config eval
api('api_token_audience inner', 'api_token_ttl 1d')
--- steps eval
sub {
    my $answer = post('{"token_scope":"account"}');
    my (undef, $claims) = jwt($answer);
    like($claims, qr/^\{"iss":"outer","aud":"inner",/, 'issuer of http, audience of the location');
    $claims = json($claims);
    is($claims->{exp} - $claims->{iat}, 86400, 'ttl of the location');
    is(post('{"token_scope":"account","expires_at":"2099-01-01T00:00:00Z"}')->{status}, 422, 'max_ttl of http');
}



=== TEST 8: the id is in a variable for the access log, and empty where none was made
--- config eval
api('add_header X-Id "[$api_token_created_id]" always')
--- steps eval
sub {
    my $answer = post('{"token_scope":"account"}');
    is($answer->{headers}{'x-id'}, '[' . json($answer->{content})->{details}{id} . ']', 'after a create');
    is(post('{}')->{headers}{'x-id'}, '[]', 'after a refusal');
}



=== TEST 9: an admin user's name stands in the details
--- config eval
api("api_token_caller account=any admin_user=$admin_user")
--- steps eval
sub {
    my $answer = post(qq({"token_scope":"account","account_id":"$account","expires_at":"2030-01-01T00:00:00Z"}));
    is(shape($answer), made('account', undef, '"2030-01-01T00:00:00Z"', qq("$admin_user")), 'members in order');
}



=== TEST 10: a location that is a regular expression, an exact one and one that is nested
--- config eval
my $inner = api();
(my $exact = $inner) =~ s{location \S+}{location = /exact/api_token};
(my $regex = $inner) =~ s{location \S+}{location ~ ^/tenant-\\d+/api_token};
(my $nested = $inner) =~ s{location \S+}{location /nested/api_token};
"$exact $regex location /nested/ { $nested }"
--- request eval
[map { "POST $_\n" . '{"token_scope":"account"}' } qw(/exact/api_token /tenant-7/api_token /nested/api_token)]
--- more_headers
Content-Type: application/json
--- response_body_like eval
[(qr/^\{"details":\{"account_id":"$account"/) x 3]
--- error_code eval
[200, 200, 200]
