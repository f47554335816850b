set -euo pipefail
unbase64url() { local pad=$(( (4 - ${#1} % 4) % 4 )); printf '%s%.*s' "$1" "$pad" '===' | basenc --base64url --decode; }
sha256() { openssl dgst -sha256 -binary; }
base64url() { basenc --base64url -w0 | tr -d =; }
part() { cut -d. -f"$2" <<<"$1"; }                               # of a token: 1 header, 2 payload
claims() { unbase64url "$(part "$1" 2)"; }

key_of() {                                                       # a JWK on standard input becomes key.pem
  local jwk; jwk=$(cat)
  case $(jq -r .kty <<<"$jwk") in
    OKP) printf 302a300506032b6570032100 ;;
    EC) printf 3059301306072a8648ce3d020106082a8648ce3d03010703420004 ;;
  esac | xxd -r -p >key.der
  for part in x y; do unbase64url "$(jq -r ".$part // empty" <<<"$jwk")" >>key.der; done
  openssl pkey -pubin -inform DER -in key.der -out key.pem
}

verify() {                                                       # a token against key.pem
  local r s
  printf %s "${1%.*}" >signed
  unbase64url "${1##*.}" >signature
  case $(unbase64url "$(part "$1" 1)" | jq -r .alg) in
    Ed25519) openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in signed -sigfile signature ;;
    ES256)
      r=$(head -c 32 signature | xxd -p -c 64) s=$(tail -c 32 signature | xxd -p -c 64)
      printf 'asn1=SEQUENCE:rs\n[rs]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' "$r" "$s" >signature.conf
      openssl asn1parse -genconf signature.conf -noout -out signature.der
      openssl dgst -sha256 -verify key.pem -signature signature.der signed ;;
    *) echo "an algorithm that evidence does not use" >&2; return 1 ;;
  esac
}

signed_by() {                                                    # a token by the one key of its name in one of these roles
  local kid owner
  kid=$(unbase64url "$(part "$1" 1)" | jq -r .kid)
  jq -e --arg kid "$kid" --arg roles "$2" \
    '[.keys[] | select(.kid == $kid and (.role | IN($roles | split(" ")[])))] | if length == 1 then .[0] else error("no such key") end' \
    trust.payload >found
  jq .jwk found | key_of
  verify "$1"
  owner=$(jq -r .iss found)
  [ "$(claims "$1" | jq -r .iss)" = "$owner" ] && echo "by $owner, as $(jq -r .role found), key $kid"
}

jq .pinned trust.json | key_of
verify "$(jq -r .trust trust.json)"
claims "$(jq -r .trust trust.json)" >trust.payload
jq -c 'if .pinned.kty == "OKP" then .pinned | {crv, kty, x} else .pinned | {crv, kty, x, y} end' trust.json |
  tr -d '\n' | sha256 | base64url; echo "  is the fingerprint of the trust list's key"

unzip -q -o bundle.zip -d bundle
(cd bundle && jq -r 'to_entries[] | "\(.value)  \(.key)"' manifest.json | sha256sum --check --quiet --strict)

request=$(<bundle/request.jws) receipt=$(<bundle/receipt.jws)
signed_by "$request" requester
signed_by "$receipt" gateway

# The receipt is for this request, and of this gateway.
[ "$(printf %s "$request" | sha256 | base64url)" = "$(claims "$receipt" | jq -r .req_hash)" ]
[ "$(claims "$request" | jq -r .aud)" = "$(claims "$receipt" | jq -r .iss)" ]
[ "$(claims "$request" | jq -r .holder)" = "$(claims "$receipt" | jq -r .holder)" ]

jwt=
if [ -e bundle/record.sd-jwt ]; then
  jwt=$(cut -d'~' -f1 bundle/record.sd-jwt)
  asked=$(claims "$request" | jq -r '.record // empty')           # nothing where a query asked
  : >digests
  while read -r record || [ -n "$record" ]; do
    signed_by "${record%%~*}" "holder seal"                      # seal: what the gateway fetched; holder: the office vouches
    [ -z "$asked" ] || [ "$(claims "${record%%~*}" | jq -r .sub)" = "$asked" ]
    for disclosure in $(cut -d'~' -f2- <<<"$record" | tr '~' ' '); do
      digest=$(printf %s "$disclosure" | sha256 | base64url)
      claims "${record%%~*}" | jq -e --arg digest "$digest" '._sd | index([$digest]) != null' >/dev/null
      echo "$digest" >>digests
      unbase64url "$disclosure" | jq -r '"\(.[1]): \(.[2])"' >&2 # the field itself
    done
  done <bundle/record.sd-jwt
  jq -r '.[]' bundle/erased.json 2>/dev/null >>digests || true   # fields that were erased since
  [ "$(LC_ALL=C sort digests)" = "$(claims "$receipt" | jq -r '.disclosed[]')" ]
fi
[ "$(printf %s "$jwt" | sha256 | base64url)" = "$(claims "$receipt" | jq -r .rec_hash)" ]

salt=$(unbase64url "$(jq -r .salt bundle/opening.json)" | xxd -p -c 64)
[ ${#salt} = 64 ]
commitment=$({ printf 'ipx-exchange/v1\0'
  for document in "$request" "$jwt" "$receipt"; do printf %s "$document" | sha256; done
} | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$salt" -binary | base64url)
claims "$receipt" | jq -j --arg c "$commitment" '{c: $c, o: .outcome, t: .iat, v: 1} | tojson' | cmp - bundle/entry.json

proof=bundle/proof.tlog-proof
sed '1,/^$/d' $proof >checkpoint                                 # a signed note
sed '/^$/,$d' checkpoint >text                                   # what is signed: origin, size, root
index=$(sed -n '2s/^index //p' $proof) origin=$(sed -n 1p text) size=$(sed -n 2p text)
[ "$origin" = "$(claims "$receipt" | jq -r .log)" ]
jq -e --arg name "$origin" '[.log, .shards[]?] | map(select(.origin == $name)) | .[0] // error("no such log")' \
  trust.payload >log                                             # the log, or a shard of it that has ended
[ "$size" -le "$(jq -r '.size // 9007199254740991' log)" ]

node=$({ printf '\0'; cat bundle/entry.json; } | sha256 | xxd -p -c 64)
fn=$index sn=$((size - 1))
[ "$fn" -le "$sn" ]
for other in $(sed '1,2d;/^$/,$d' $proof); do
  other=$(base64 -d <<<"$other" | xxd -p -c 64)
  [ "$sn" -gt 0 ]
  if [ $((fn & 1)) = 1 ] || [ "$fn" = "$sn" ]; then
    node=$(xxd -r -p <<<"01$other$node" | sha256 | xxd -p -c 64)
    while [ $((fn & 1)) = 0 ] && [ "$fn" != 0 ]; do fn=$((fn >> 1)) sn=$((sn >> 1)); done
  else
    node=$(xxd -r -p <<<"01$node$other" | sha256 | xxd -p -c 64)
  fi
  fn=$((fn >> 1)) sn=$((sn >> 1))
done
[ "$sn" = 0 ] && [ "$node" = "$(sed -n 3p text | base64 -d | xxd -p -c 64)" ]

vkey=$(jq -r '.vkeys[0]' log)                                    # name+id+base64(01 and the Ed25519 key)
{ printf 302a300506032b6570032100 | xxd -r -p; cut -d+ -f3- <<<"$vkey" | base64 -d | tail -c 32; } |
  openssl pkey -pubin -inform DER -out key.pem
awk -v name="$origin" '$1 == "—" && $2 == name { print $3; exit }' checkpoint | base64 -d | tail -c 64 >signature
openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in text -sigfile signature
echo "entry $index of $size in $origin"

if [ -e bundle/checkpoint.tsr ]; then
  jq -r '.tsa_roots[]' trust.payload | while read -r root; do
    base64 -d <<<"$root" | openssl x509 -inform DER
  done >roots.pem
  openssl ts -verify -in bundle/checkpoint.tsr -data checkpoint -CAfile roots.pem
  openssl ts -reply -in bundle/checkpoint.tsr -text | grep 'Time stamp:'
fi
