#!/usr/bin/env bash
# `helm test` with throw-away parts: signs in at Keycloak, chats over the gateways' Service on two WebSockets,
# and makes one call that only an admin may make.
#
# Plain bash without any other program, because it runs in Keycloak's image: that has a shell, ours have none.
# Wants KEYCLOAK and GATEWAY (host:port), CLIENT_ID, CLIENT_SECRET. TOKEN spares the sign-in.
set -euo pipefail
LC_ALL=C # lengths are bytes
: "${GATEWAY:?}"
PATIENCE=20
ROOM=helm-test
TEXT="it works, $RANDOM$RANDOM$RANDOM"

fail() {
  printf 'failed: %s\n' "$*" >&2
  exit 1
}

# connect HOST:PORT - opens a socket, whose number is then in $SOCKET.
connect() {
  exec {SOCKET}<>"/dev/tcp/${1%:*}/${1##*:}" || fail "nobody answers at $1"
}

# post HOST:PORT PATH TYPE BODY [HEADER] - prints the answer, head and all.
post() {
  local answer=''
  connect "$1"
  printf 'POST %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n%s' \
    "$2" "$1" "$3" "${#4}" "${5:+$5$'\r\n'}" "$4" >&"$SOCKET"
  IFS= read -r -d '' -t "$PATIENCE" answer <&"$SOCKET" || true
  exec {SOCKET}>&-
  printf '%s' "$answer"
}

# byte NUMBER - as printf writes it.
byte() {
  printf '\\x%02x' "$1"
}

# send SOCKET TEXT - one text frame. Clients must mask; a mask of zeros leaves the text as it is.
send() {
  local length=${#2} head
  if ((length < 126)); then
    head=$(byte $((128 + length)))
  else
    head=$(byte 254)$(byte $((length / 256)))$(byte $((length % 256)))
  fi
  # The head is a format of bytes.
  # shellcheck disable=SC2059
  printf "\\x81$head\\x00\\x00\\x00\\x00%s" "$2" >&"$1"
}

# end TEXT - its last 300 characters.
end() {
  printf '%s' "${1:$((${#1} > 300 ? ${#1} - 300 : 0))}"
}

# await SOCKET PATTERN - reads until it has come; what came instead is then in $INSTEAD.
# Between two braces stands never more than one frame's head.
await() {
  local got='' part
  until [[ $got == *$2* ]]; do
    IFS= read -r -d '}' -t "$PATIENCE" part <&"$1" || {
      INSTEAD="no $2, but: ${got:0:300}"
      return 1
    }
    got+=$part'}'
    [[ $got != *'"error":{'* ]] || {
      INSTEAD=$(end "$got")
      return 1
    }
  done
}

# upgraded SOCKET - reads the answer's head; what is sent before it gets lost in proxies.
upgraded() {
  local line head=''
  while IFS= read -r -t "$PATIENCE" line <&"$1"; do
    [[ $line != $'\r' ]] || break
    head+=$line
  done
  [[ $head == 'HTTP/1.1 101'* ]] || fail "no WebSocket: ${head:0:300}"
}

# join TOKEN - a connected socket in $SOCKET, subscribed to the room.
join() {
  connect "$GATEWAY"
  printf 'GET /ws HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%s\r\n%s\r\n\r\n' \
    "$GATEWAY" 'Sec-WebSocket-Version: 13' 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' >&"$SOCKET"
  upgraded "$SOCKET"
  send "$SOCKET" "{\"id\":1,\"connect\":{\"token\":\"$1\"}}"
  await "$SOCKET" '"connect":{' || return 1
  send "$SOCKET" "{\"id\":2,\"subscribe\":{\"channel\":\"$ROOM\"}}"
  await "$SOCKET" '"id":2,"subscribe":{'
}

# client TOKEN - the same; what is temporary is tried again, as an SDK does. After an installation the issuer may
# have started just now.
client() {
  local tries=$PATIENCE
  until join "$1"; do
    if [[ $INSTEAD != *'"temporary":true'* ]] || ((--tries == 0)); then fail "$INSTEAD"; fi
    exec {SOCKET}>&-
    read -r -t 1 _ <> <(:) || true # a second's sleep without a program
  done
}

if [[ -z ${TOKEN:-} ]]; then
  answer=$(post "${KEYCLOAK:?}" /realms/chat/protocol/openid-connect/token application/x-www-form-urlencoded \
    "grant_type=client_credentials&client_id=${CLIENT_ID:?}&client_secret=${CLIENT_SECRET:?}")
  [[ $answer == *'"access_token":"'* ]] || fail "Keycloak: ${answer%%$'\r'*}"
  TOKEN=${answer#*\"access_token\":\"}
  TOKEN=${TOKEN%%\"*}
  echo 'signed in'
fi

client "$TOKEN"
writer=$SOCKET
client "$TOKEN"
reader=$SOCKET
send "$writer" "{\"id\":3,\"publish\":{\"channel\":\"$ROOM\",\"data\":{\"kind\":\"text\",\"text\":\"$TEXT\"}}}"
await "$writer" '"id":3,"publish":{' || fail "$INSTEAD"
await "$reader" "$TEXT" || fail "$INSTEAD"
echo 'written on one socket, read on the other'

answer=$(post "$GATEWAY" /api/v1/users/disconnect application/json \
  '{"issuer":"https://nobody.example","subject":"nobody"}' "Authorization: Bearer $TOKEN")
[[ $answer == 'HTTP/1.1 200'* ]] || fail "admin call: $(end "$answer")"
echo 'an admin may administer'
