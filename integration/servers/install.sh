#!/usr/bin/env bash
# Installs what the tests start as servers and is missing: Redis, RabbitMQ,
# PostgreSQL, Celery for the Python of the system, and openssl, by which
# deploy/secrets.sh works. They are packages of Debian 12. Where all is there it
# does nothing and says nothing.
set -euo pipefail
export LC_ALL=C

# What the tests look for, which is not the same as "is the package there".
find_missing() {
  missing=()
  { command -v redis-server && command -v redis-cli; } > /dev/null || missing+=(redis-server)
  { [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] && command -v epmd; } > /dev/null || missing+=(rabbitmq-server)
  { [ -x /usr/lib/postgresql/15/bin/postgres ] && [ -x /usr/lib/postgresql/15/bin/initdb ]; } || missing+=(postgresql)
  /usr/bin/python3 -c 'import celery' 2> /dev/null || missing+=(python3-celery)
  command -v openssl > /dev/null || missing+=(openssl)
}

find_missing
[ "${#missing[@]}" -gt 0 ] || exit 0

fail() {
  {
    echo "The tests need ${missing[*]}, and $1."
    echo "Install them, as root on Debian 12:"
    echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  } >&2
  exit 1
}

command -v apt-get > /dev/null || fail "there is no apt-get here"
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2> /dev/null || fail "neither root nor sudo without a password is at hand"
  exec sudo -n "$BASH" "$0"
fi

echo "installing ${missing[*]} (once; takes a minute or two)"
policy=/usr/sbin/policy-rc.d # asked by Debian's packages before they start a service
log=$(mktemp)
ours=
tidy() {
  rm -f "$log"
  [ -z "$ours" ] || rm -f "$policy"
}
trap tidy EXIT
trap 'exit 130' HUP INT TERM
if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
  ours=yes
  printf '#!/bin/sh\nexit 101\n' > "$policy" # no: the tests start their own
  chmod 755 "$policy"
fi

get_packages() {
  apt-get -q -o DPkg::Lock::Timeout=300 update || return
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"
}

network='Failed to fetch|Could not resolve|Temporary failure|Unable to connect|Could not connect|Connection (failed|timed out|reset)|Hash Sum mismatch'
if ! get_packages > "$log" 2>&1 < /dev/null; then
  again=
  if grep -qE "$network" "$log"; then
    sleep 5
    get_packages >> "$log" 2>&1 < /dev/null && again=worked
  fi
  if [ -z "$again" ]; then
    tail -n 60 "$log" >&2
    fail "apt-get failed, see above"
  fi
fi
find_missing
if [ "${#missing[@]}" -gt 0 ]; then
  tail -n 60 "$log" >&2
  fail "they are still missing after apt-get has installed them"
fi
