#!/usr/bin/env bash
# Makes ./secrets, beside this script, for compose.yaml: random passwords, the
# ACL file of Redis and the definitions of RabbitMQ with their hashes. What is
# there already stays as it is, so that it may be run again.
#
#   edge_token        what senders show in X-Edge-Token
#   redis             password of the user hookgate, the edge
#   redis_consumer    password of the user hookgate-consumer, its inbox
#   rabbitmq          password of the user hookgate-edge, which may only publish
#   rabbitmq_consumer password of the user hookgate-consumer, which takes events
#   rabbitmq_operator password of the user hookgate-operator, which may look
#   consumer_queue    the URL of RabbitMQ with the consumer's user and password
#   consumer_inbox    the same of Redis
#
# The folder is for its owner alone. The files in it can be read by all, because
# the users of the containers are not its owner.
set -euo pipefail
cd "$(dirname "$0")"
dir=${1:-secrets}
umask 077
mkdir -p "$dir"
chmod 700 "$dir"
umask 022

for name in edge_token redis redis_consumer rabbitmq rabbitmq_consumer rabbitmq_operator; do
  [ -s "$dir/$name" ] || openssl rand -hex 24 | tr -d '\n' > "$dir/$name"
done

# Redis takes the SHA-256 of a password.
if [ ! -s "$dir/users.acl" ]; then
  edge=$(openssl dgst -sha256 -r "$dir/redis" | cut -d ' ' -f 1)
  consumer=$(openssl dgst -sha256 -r "$dir/redis_consumer" | cut -d ' ' -f 1)
  sed -e "/^user hookgate /s/ resetpass / resetpass #$edge /" \
    -e "/^user hookgate-consumer /s/ resetpass / resetpass #$consumer /" redis/users.acl > "$dir/users.acl.new"
  mv "$dir/users.acl.new" "$dir/users.acl"
fi

# RabbitMQ takes four random bytes, and the SHA-256 of them and the password.
rabbit_hash() {
  local salt
  salt=$(openssl rand -hex 4 | sed 's/../\\x&/g')
  { printf '%b' "$salt"; { printf '%b' "$salt"; cat "$1"; } | openssl dgst -sha256 -binary; } | openssl base64 -A
}
if [ ! -s "$dir/definitions.json" ]; then
  awk -v edge="$(rabbit_hash "$dir/rabbitmq")" -v consumer="$(rabbit_hash "$dir/rabbitmq_consumer")" \
    -v operator="$(rabbit_hash "$dir/rabbitmq_operator")" '
    /"name": "hookgate-edge"/     { hash = edge }
    /"name": "hookgate-consumer"/ { hash = consumer }
    /"name": "hookgate-operator"/ { hash = operator }
    /"password_hash": ""/         { sub(/""/, "\"" hash "\"") }
    { print }' rabbitmq/definitions.json > "$dir/definitions.json.new"
  mv "$dir/definitions.json.new" "$dir/definitions.json"
fi

# hookgate-consumer takes URLs, and the passwords are hexadecimal: nothing in them
# is to be escaped.
[ -s "$dir/consumer_queue" ] ||
  printf 'amqp://hookgate-consumer:%s@rabbitmq:5672/hooks\n' "$(cat "$dir/rabbitmq_consumer")" > "$dir/consumer_queue"
[ -s "$dir/consumer_inbox" ] ||
  printf 'redis://hookgate-consumer:%s@redis:6379/0\n' "$(cat "$dir/redis_consumer")" > "$dir/consumer_inbox"
