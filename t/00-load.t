use ApiToken;

plan tests => 2 + 2 * blocks();

is(redis('PING'), 'PONG', 'a Redis for this file answers');
is(json(b64url_decode('eyJhIjpbMV19'))->{a}[0], 1, 'base64url and JSON are read');

run_tests();

__DATA__

=== TEST 1: nginx starts with the module and serves a file
--- config
--- request
GET /index.html
--- response_body_like: It works!



=== TEST 2: it does nothing where it has no directive
--- config
    location = /plain {
        return 200 "plain\n";
    }
--- request
GET /plain
--- response_body
plain
