use ApiToken;

plan 'no_plan';

our $bad = error_body('bad_request', 'The body must be a JSON object in UTF-8, no member twice.');

sub refused {
    while (my ($name, $body) = splice @_, 0, 2) {
        is_answer(post($body), 400, $bad, $name);
    }
}

sub accepted {
    while (my ($name, $body) = splice @_, 0, 2) {
        is_answer(post($body), 200, qr/"status":"success"/, $name);
    }
}

# a body with this as the value of an unknown field, which is told if the body is JSON at all
sub value { qq({"token_scope":"account","x":$_[0]}) }
our $unknown = invalid('{"x":["is not a field of an API token"]}');

run_tests();

__DATA__

=== TEST 1: what is no JSON object
--- config eval: api()
--- steps eval
sub {
    refused('an empty body' => '', 'no body' => undef, map { ($_ => $_) }
        ' ', '[]', '[{"token_scope":"account"}]', '"account"', '1', 'true', 'null', 'token_scope=account', '{',
        '{"token_scope":"account"', '{"token_scope":"account",}', "{'token_scope':'account'}", '{token_scope:"account"}',
        '{"token_scope":"account"} x', '{"token_scope":"account"}{}', '{"token_scope":"account"}]',
        '{"token_scope":"account"}/**/', '/**/{"token_scope":"account"}', '{"token_scope":account}',
        '{"token_scope":"account" "x":1}', '{"token_scope"}', '{"token_scope":}', '{:"account"}');
}



=== TEST 2: a byte order mark, other encodings, and text that is cut
--- config eval: api()
--- steps eval
sub {
    my $body = '{"token_scope":"account"}';
    refused('a byte order mark' => "\xef\xbb\xbf$body",
        'UTF-16' => join('', map { "\0$_" } split //, $body), 'UTF-16 from the little end' => join('', map { "$_\0" } split //, $body),
        'a NUL behind' => "$body\0", 'a NUL before' => "\0$body", 'a form feed behind' => "$body\f",
        map { ("cut after $_" => substr $body, 0, $_) } 1, 2, 13, 15, 23, 24);
    accepted('white space around it' => " \t\r\n$body\r\n\t ", 'an escape in the value' => '{"token_scope":"\u0061ccount"}',
        'an escape in the name' => '{"\u0074oken_scope":"account"}');
}



=== TEST 3: a member that is there twice, however it is written and wherever
--- config eval: api()
--- steps eval
sub {
    refused(map { ($_ => $_) }
        '{"token_scope":"account","token_scope":"account"}', '{"token_scope":"environment","token_scope":"account"}',
        '{"token_scope":"account","\u0074oken_scope":"account"}', '{"token_scope":"account","token\u005fscope":"account"}',
        '{"a":1,"\u0061":1}', '{"\u00e9":1,"é":1}', '{"\ud83d\ude00":1,"😀":1}',
        '{"details":{"token_scope":"account"},"details":{"token_scope":"account"}}',
        '{"details":{"token_scope":"account","token_scope":"account"}}',
        '{"details":{"token_scope":"account","account_id":null,"account_id":null}}',
        '{"token_scope":"account","idempotency_key":"a","idempotency_key":"a"}', ::value('{"y":1,"y":2}'));
}



=== TEST 4: NUL in a value and in a name: never a text that is cut there
--- config eval: api()
--- steps eval
sub {
    refused(map { ($_ => $_) } '{"token_scope\u0000":"account"}', '{"token_scope":"account","token_scope\u0000x":"account"}',
        qq({"token_scope":"account\0"}), qq({"token_scope\0":"account"}));
    is_answer(post(qq({"token_scope":"$_"})), 422, invalid('{"token_scope":["must be account or environment"]}'), $_) for 'account\u0000', '\u0000account';
    is_answer(post(qq({"token_scope":"account",$_->[0]})), 422, invalid($_->[1]), $_->[0])
        for [qq("account_id":"$account\\u0000x"), '{"account_id":["must be a valid account id"]}'],
        ['"expires_at":"2030-01-01T00:00:00Z\u0000"', '{"expires_at":["must be an RFC 3339 date-time"]}'];
    my @ids = map { json(post($_)->{content})->{details}{id} } map { qq({"token_scope":"account","idempotency_key":"$_"}) } 'a\u0000b', 'a\u0000b', 'a\u0000c', 'a';
    ok($ids[0] eq $ids[1] && $ids[0] ne $ids[2] && $ids[0] ne $ids[3], 'of an idempotency key all counts');
}



=== TEST 5: control characters and wrong escapes in a string
--- config eval: api()
--- steps eval
sub {
    refused(map { ($_ => ::value($_)) } qq("\n"), qq("\t"), qq("\x1f"), '"\x"', '"\u"', '"\u12"', '"\u123g"', '"\U0061"', '"\"', '"', '"\'');
}



=== TEST 6: bytes that are no UTF-8
--- config eval: api()
--- steps eval
sub {
    refused(map { (unpack('H*', $_) => ::value(qq("$_"))) }
        "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3\x28", "\xe0\x80\xaf", "\xe0\x9f\xbf", "\xe2\x82",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xed\xa0\xbd\xed\xb8\x80", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff");
    refused('in a name' => qq({"token_scope":"account","\xff":1}), 'in the field itself' => qq({"token_scope":"account\xff"}));
    is_answer(post(::value(qq("$_"))), 422, $::unknown, unpack 'H*', $_)
        for "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf";
}



=== TEST 7: surrogates
--- config eval: api()
--- steps eval
sub {
    refused(map { ($_ => ::value(qq("$_"))) } '\ud83d', '\ude00', '\ud83d\ud83d', '\ude00\ud83d', '\ud83dx', '\ud83d\n', '\ud83d\u0041');
    is_answer(post(::value('"\ud83d\ude00"')), 422, $::unknown, 'a pair');
}



=== TEST 8: numbers that no machine holds, and numbers that are none
--- config eval: api()
--- steps eval
sub {
    refused(map { ($_ => ::value($_)) } qw(1e999 -1e999 01 +1 .5 1. 0x10 1e NaN Infinity -Infinity -));
    is_answer(post(::value($_)), 422, $::unknown, $_) for qw(9223372036854775807 -9223372036854775808 9223372036854775808 -9223372036854775809 18446744073709551616 1e-999 -0 1.5e300);
}



=== TEST 9: nesting up to 2048 levels, and never a crash
--- config eval: api('client_max_body_size 8m')
--- steps eval
sub {
    my $arrays  = sub { ::value('[' x $_[0] . ']' x $_[0]) };
    my $objects = sub { ::value('{"y":' x ($_[0] - 1) . '{}' . '}' x ($_[0] - 1)) };
    is_answer(post($arrays->(2047)), 422, $::unknown, '2048 levels of arrays');
    is_answer(post($objects->(2047)), 422, $::unknown, '2048 levels of objects');
    refused('2049 levels of arrays' => $arrays->(2048), '2049 levels of objects' => $objects->(2048),
        'a million levels that never end' => ::value('[' x 1_000_000));
}



=== TEST 10: long texts and many members
--- config eval: api('client_max_body_size 8m')
--- steps eval
sub {
    my $long = 'x' x 1_000_000;
    is_answer(post(::value(qq("$long"))), 422, $::unknown, 'a long value');
    is_answer(post(qq({"token_scope":"account","$long":1})), 422, invalid(qq({"$long":["is not a field of an API token"]})), 'a long name');
    is_answer(post(qq({"token_scope":"$long"})), 422, invalid('{"token_scope":["must be account or environment"]}'), 'a long scope');
    my $many = join ',', map { qq("$_":1) } 1 .. 20_000;
    is(keys %{json(post("{$many}")->{content})->{errors}}, 20_001, 'many members, each told');
}
