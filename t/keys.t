use ApiToken;
use Digest::SHA ();

plan 'no_plan';

our $keys   = $ENV{TEST_NGINX_KEYS};
our $create = '{"token_scope":"account"}';

sub openssl { open my $out, '-|', 'openssl', @_ or die "openssl: $!\n"; local $/; scalar <$out> }

# DER of an ECDSA signature, whose numbers are one behind the other in a JWT (RFC 7518 section 3.4)
sub der {
    my $half = length($_[0]) / 2;
    my $numbers = join '', map {
        my $number = s/^\0+//r;
        $number = "\0$number" if $number eq '' || ord $number >= 0x80;
        "\x02" . chr(length $number) . $number;
    } substr($_[0], 0, $half), substr($_[0], $half);
    return "\x30" . (length $numbers < 128 ? '' : "\x81") . chr(length $numbers) . $numbers;
}

# whether a JWT is signed by a key of this algorithm: a secret, or a public key in PEM
sub is_signed {
    my ($algorithm, $key, $token, $name) = @_;
    my ($signed, $signature) = $token =~ /^([\w-]+\.[\w-]+)\.([\w-]+)$/ or return fail("$name: a JWT");
    my ($family, $bits) = $algorithm =~ /^(..)(.*)$/;
    my $bytes = b64url_decode($signature);
    if ($family eq 'HS') {
        my $hmac = Digest::SHA->can("hmac_sha$bits");
        return is($bytes, $hmac->($signed, $key), "$name: HMAC");
    }
    write_key('public', $key);
    write_key('signed', $signed);
    write_key('signature', $family eq 'ES' ? der($bytes) : $bytes);
    my @pss = $family eq 'PS' ? qw(-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest) : ();
    my $said = $algorithm eq 'EdDSA'
        ? openssl('pkeyutl', '-verify', '-pubin', '-inkey', "$keys/public", '-rawin', '-in', "$keys/signed", '-sigfile', "$keys/signature")
        : openssl('dgst', "-sha$bits", @pss, '-verify', "$keys/public", '-signature', "$keys/signature", "$keys/signed");
    like($said, qr/^(?:Verified OK|Signature Verified Successfully)$/, "$name: openssl verifies it");
}

sub token_at {
    my ($answer) = answers(talk("POST /$_[0] HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
        . "Content-Length: 25\r\n\r\n$create"));
    return json($answer->{content})->{token};
}

sub api_at {
    my ($at, @files) = @_;
    return api(map { "api_token_key $_" } @files) =~ s{location \S+}{location /$at}r;
}

# algorithm, the key's file, and what verifies: a name or two of keys.json, or what openssl makes
our @algorithms = (
    (map { ["HS$_", test_key("hs$_"), b64url_decode(json(test_key("hs$_"))->{k})] } 256, 384, 512),
    (map { [$_, test_key('rsa', {alg => $_}), test_key('rsa_public')] } qw(RS256 RS384 RS512 PS256 PS384 PS512)),
    (map { ["ES$_", test_key("es$_"), test_key("es${_}_public")] } 256, 384, 512),
    ['EdDSA', test_key('eddsa'), test_key('eddsa_public')],
    ['HS256', test_key('hs512', {alg => 'HS256'}), b64url_decode(json(test_key('hs512'))->{k})],
    ['RS256', test_key('rsa'), test_key('rsa_public')],
    (map { ['RS256', test_key("rsa_$_"), test_key('rsa_public')] } qw(pkcs8 pkcs1)),
    (map { my $bits = $_; map { ["ES$bits", test_key("es${bits}_$_"), test_key("es${bits}_public")] } qw(pkcs8 sec1) } 256, 384, 512),
    ['EdDSA', test_key('eddsa_pkcs8'), test_key('eddsa_public')],
    (map {
        my ($algorithm, @options) = @$_;
        my $private = write_key('made', openssl('genpkey', '-quiet', @options));
        [$algorithm, "comment in front\n" . openssl('pkey', '-in', $private), openssl('pkey', '-in', $private, '-pubout')];
    } ['ES256', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'], ['ES512', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
        ['EdDSA', '-algorithm', 'ED25519'], ['RS256', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:3072']),
);

# ---- what is refused, by nginx -t

# a key's file and what is said of it
sub is_refused {
    my ($text, $message, $name) = @_;
    my $file = write_key('refused', $text);
    is(mistake(test_nginx(location => "api_token; api_token_redis unix:/x; api_token_key $file;")),
        qq(api_token_key: "$file" $message in $keys/nginx.conf:5), $name);
}

sub is_accepted {
    my ($text, $name) = @_;
    my $file = write_key('accepted', $text);
    like(test_nginx(location => "api_token; api_token_redis unix:/x; api_token_key $file;"), qr/test is successful/, $name);
}

sub oct_key { qq({"kty":"oct","k":") . MIME::Base64::encode_base64url('k' x $_[0]) . '"' . ($_[1] // '') . '}' }

my $set = sub { '{"keys":[' . join(',', @_) . ']}' };
my %public = map { my $key = json(test_key($_)); delete @$key{qw(d p q dp dq qi)}; ($_ => JSON::PP->new->canonical->encode($key)) } qw(rsa es256 eddsa);

is_refused('', 'the file is empty', 'an empty file');
is_refused(" \n\t", 'the file is empty', 'white space');
is_refused($_, 'neither a JWK nor a PEM key; a secret is written as the JWK {"kty":"oct","k":"<the bytes in base64url>"}', substr $_, 0, 20)
    for 'secret' x 20, '[]', '"x"', "\xef\xbb\xbf" . test_key('hs256'), openssl('pkey', '-in', write_key('es', test_key('es256_pkcs8')), '-outform', 'DER');
is_refused($_, 'broken JSON, or a member that is there twice', $_) for '{', '{"kty":"oct",}', '{"kty":"oct","kty":"oct"}', '{} x', '{"kty\u0000":"oct"}';
is_refused($_, 'member "kty" must be oct, RSA, EC or OKP', $_) for '{}', '{"kty":"OCT"}', '{"kty":1}', '{"kty":"rsa"}';
is_refused($_, 'member "keys" of a JWK set must be an array that holds a key', $_) for '{"keys":[]}', '{"keys":{}}', '{"keys":null}';
is_refused($set->('1'), 'keys[0]: a JWK must be a JSON object', 'a set of numbers');
is_refused($set->(test_key('hs256'), oct_key(31)), 'keys[1]: an HMAC key of 31 bytes: HS256 needs 32 random bytes or more', 'the second of a set');

# weak ones
is_refused(oct_key(31), 'an HMAC key of 31 bytes: HS256 needs 32 random bytes or more', '31 bytes');
for my $bits (256, 384, 512) {
    my ($needs, $has) = ($bits / 8, $bits / 8 - 1);
    is_refused(oct_key($has, qq(,"alg":"HS$bits")), "an HMAC key of $has bytes: HS$bits needs $needs random bytes or more", "$has bytes for HS$bits");
}
is_refused('{"kty":"oct","k":""}', 'member "k" must be a string of base64url, without padding', 'no bytes');
is_refused(test_key($_), 'an RSA key of 1024 bits: make one of 2048 bits or more, at most 16384', $_) for qw(rsa_1024 rsa_1024_pkcs8);

# other kinds
is_refused(test_key($_), 'a key of a type or curve that is not known here: use RSA, EC on P-256, P-384 or P-521, or Ed25519', $_)
    for qw(secp256k1 ed448 x25519 rsa_pss);
is_refused(test_key($_), 'an encrypted key, and nobody to ask for its password: decrypt it with "openssl pkey -in FILE"', $_) for qw(rsa_encrypted rsa_encrypted_pkcs1);
is_refused(test_key('certificate'), 'a certificate: write its key to a file with "openssl x509 -in FILE -noout -pubkey"', 'a certificate');
is_refused(test_key('ec_parameters') =~ s/(END EC PARAMETERS-----\n).*/$1/sr, 'a PEM file without a key', 'parameters alone');
is_refused(test_key('rsa_public_pkcs1'), 'a PEM block of RSA PUBLIC KEY: PRIVATE KEY or PUBLIC KEY is needed', 'PKCS#1 of a public key');
is_refused(test_key('es256_pkcs8') =~ s/\n-----END/x\n-----END/r, 'a broken PEM block: its lines are not as they were written', 'a broken block');
is_refused(test_key('es256_pkcs8') . test_key('certificate'), 'PEM block 2: a certificate: write its key to a file with "openssl x509 -in FILE -noout -pubkey"',
    'the second block');
is_accepted(test_key('ec_parameters'), 'parameters before a key, as openssl ecparam writes them');

# the first signs
sub is_public {
    my ($text, $name) = @_;
    my $key = 'api_token_key ' . write_key('public', $text) . ';';
    is(mistake(test_nginx(location => "api_token; api_token_redis unix:/x; $key")), '"api_token" needs a key to sign with: '
        . "the first of api_token_key is a public one, put a private one first in $keys/nginx.conf:5", "$name: nothing to sign with");
    like(test_nginx(location => "auth_api_token r; api_token_redis unix:/x; $key"), qr/test is successful/, "$name: enough for a check");
}
is_public(test_key("${_}_public"), "$_ in PEM") for qw(rsa es256 es384 es512 eddsa);
is_public($public{$_}, "$_ as a JWK") for sort keys %public;
is_public($set->($public{rsa}, test_key('es256')), 'the first of a set');
is_public(test_key('es256', {key_ops => ['verify']}), 'a private one that may only verify');
is_accepted($set->(test_key('hs256'), values %public), 'public ones behind it');
is_accepted(test_key('es256_pkcs8') . test_key('rsa_public'), 'a public block behind it');

# members that do not fit
is_refused(test_key('hs256', {alg => 'ES256'}), '"alg" is ES256, which does not go with a secret ("kty" is oct)', 'alg of another type');
is_refused(test_key('rsa', {alg => 'HS256'}), '"alg" is HS256, which does not go with an RSA key', 'HS256 with an RSA key');
is_refused(test_key('es256', {alg => 'ES384'}), '"alg" is ES384, which does not go with an EC key on P-256', 'alg of another curve');
is_refused(test_key('hs256', {alg => $_}), 'member "alg" must be HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA',
    "alg $_") for 'none', 'hs256', '', 1;
is_refused(test_key('hs256', {use => 'enc'}), 'member "use" must be "sig": a key for encryption signs nothing', 'use');
is_refused(test_key('hs256', {key_ops => $_}), 'member "key_ops" must be an array that holds "sign" or "verify"', "key_ops") for 'sign', [], ['encrypt'];
is_refused(test_key('hs256', {kid => $_}), 'member "kid" must be a string of 1 to 128 characters, none of them a control character', "kid '$_'")
    for '', 7, 'x' x 129, "a\nb", [];
is_refused(test_key('es256', {crv => $_}), 'member "crv" must be P-256, P-384 or P-521', "crv $_") for 'secp256k1', 'P-512', '';
is_refused(test_key('eddsa', {crv => 'Ed448'}), 'member "crv" must be Ed25519', 'crv of an OKP');

# numbers that are no key's, and zeros at their beginning
my $base64 = 'must be a string of base64url, without padding';
for my $name (qw(x y d)) {
    my $zero = json(test_key("es256_zero_$name"));
    is_accepted(JSON::PP->new->encode($zero), "$name with a zero at its beginning");
    my $cut = MIME::Base64::encode_base64url(b64url_decode($zero->{$name}) =~ s/^\0//r);
    is_refused(JSON::PP->new->encode({%$zero, $name => $cut}), qq(member "$name" must hold 32 bytes, leading zeros with them, and holds 31), "$name cut");
    is_refused(test_key('es256', {$name => "$zero->{$name}="}), qq(member "$name" $base64), "$name padded");
    is_refused(test_key('es256', {$name => 1}), qq(member "$name" $base64), "$name a number");
}
is_accepted(test_key('rsa', {n => MIME::Base64::encode_base64url("\0" . b64url_decode(json(test_key('rsa'))->{n}))}), 'n with a zero at its beginning');
is_refused('{"kty":"RSA","e":"AQAB"}', 'member "n" is missing', 'no n');
is_refused('{"kty":"oct"}', 'member "k" is missing', 'no k');
is_refused(test_key('es256', {y => json(test_key('es256_other'))->{y}}),
    'its numbers are not those of a key: on an EC key, the point is not on the curve', 'a point beside the curve');
is_refused(test_key($_, {d => json(test_key("${_}_other"))->{d}}), 'the private key does not belong to its public half', "$_: another's d")
    for qw(rsa es256 eddsa);
is_refused(test_key('rsa', {oth => []}), 'an RSA key of more than two primes (member "oth"): make one of two', 'oth');

# a kid is one key's
my $twice = 'holds a key whose kid another key has: give each its own';
is_refused($set->(test_key('hs256', {kid => 'a'}), test_key('es256', {kid => 'a'})), $twice, 'a kid twice in a set');
is_accepted($set->(test_key('hs256', {kid => 'a'}), test_key('es256', {kid => 'A'}), test_key('rsa'), test_key('eddsa')), 'other kids, and none');
my ($one, $two) = (write_key(one => test_key('hs256', {kid => 'a'})), write_key(two => test_key('es256', {kid => 'a'})));
is(mistake(test_nginx(location => "api_token; api_token_redis unix:/x; api_token_key $one; api_token_key $two;")),
    qq(api_token_key: "$two" $twice in $keys/nginx.conf:5), 'a kid in two files');

# who may write the file
for my $mode (0620, 0602, 0666) {
    chmod $mode, $one;
    is(mistake(test_nginx(location => "api_token; api_token_redis unix:/x; api_token_key $one;")),
        qq(api_token_key: "$one" may be written by its group or by others: chmod go-w it in $keys/nginx.conf:5), sprintf 'mode %o', $mode);
}
chmod 0640, $one;
like(test_nginx(location => "api_token; api_token_redis unix:/x; api_token_key $one;"), qr/test is successful/, 'mode 640');

run_tests();

__DATA__

=== TEST 1: each algorithm signs, and openssl verifies
--- config eval
join '', map { api_at($_, write_key("key-$_", $::algorithms[$_][1])) } 0 .. $#::algorithms
--- steps eval
sub {
    for my $i (0 .. $#::algorithms) {
        my ($algorithm, $file, $verifies) = @{$::algorithms[$i]};
        my $name = "$algorithm, " . ($file =~ /(BEGIN [A-Z ]+ KEY)/ ? $1 : 'JWK');
        my $token = token_at($i);
        is((jwt($token))[0], qq({"alg":"$algorithm","typ":"JWT"}), "$name: header");
        is_signed($algorithm, $verifies, $token, $name);
    }
}



=== TEST 2: the first key of the first file signs, and its kid is told
--- config eval
my ($es256, $hs256, $rsa) = (test_key('es256', {kid => 'k"\\é'}), test_key('hs256', {kid => 'other'}), test_key('rsa_pkcs8'));
api_at('set', write_key(set => qq({"keys":[$es256,$hs256],"x":1}))) . api_at('turned', write_key(turned => qq({"keys":[$hs256,$es256]})))
    . api_at('files', write_key(first => $es256), write_key(second => $hs256), write_key(third => $rsa))
    . api_at('bundle', write_key(bundle => $rsa . test_key('es256_pkcs8')))
--- steps eval
sub {
    my %headers = (set => '{"alg":"ES256","typ":"JWT","kid":"k\"\\\\é"}', turned => '{"alg":"HS256","typ":"JWT","kid":"other"}',
        files => '{"alg":"ES256","typ":"JWT","kid":"k\"\\\\é"}', bundle => '{"alg":"RS256","typ":"JWT"}');
    is((jwt(token_at($_)))[0], $headers{$_}, $_) for sort keys %headers;
}



=== TEST 3: an ECDSA signature has the width of its curve, whatever zeros it begins with
--- config eval
api_at('es256', write_key(es256 => test_key('es256')))
--- steps eval
sub {
    my $request = "POST /es256 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 25\r\n";
    my @answers = answers(talk("$request\r\n$::create" x 999 . "${request}Connection: close\r\n\r\n$::create"));
    my @tokens = map { json($_->{content})->{token} } @answers;
    is((grep { /\.[\w-]{86}$/ } @tokens), 1000, '86 characters');
    my @zeros = grep { b64url_decode(s/.*\.//r) =~ /^(?:.{32})?\0/s } @tokens;
    is_signed('ES256', test_key('es256_public'), $_, 'token') for @zeros, @tokens[0 .. 4];
}
