#!/usr/bin/env bash
# Puts Redis, RabbitMQ, PostgreSQL and Celery of a newer Debian into a folder, as
# HOOKGATE_TEST_ROOT names it, so that the tests run on them too. Where the folder
# is there it does nothing.
#
#   newer.sh SUITE FOLDER    SUITE is trixie, sid, or another name of a Debian
set -euo pipefail
export LC_ALL=C
[ $# = 2 ] || { sed -n '6s/^# *//p' "$0" >&2; exit 2; }
suite=$1 folder=$2

fail() {
  echo "The servers of Debian $suite were not installed: $1." >&2
  exit 1
}

[ "$(id -u)" = 0 ] || fail "only root may install them, and run the tests on them"
[ ! -d "$folder" ] || exit 0
command -v apt-get > /dev/null || fail "there is no apt-get here"
mkdir -p "$(dirname "$folder")"
log=$folder.log

if ! command -v debootstrap > /dev/null; then
  { apt-get -q update && apt-get -q -y install --no-install-recommends debootstrap; } > "$log" 2>&1 < /dev/null \
    || { tail -n 40 "$log" >&2; fail "apt-get did not install debootstrap, see above"; }
fi

# From where this system has its packages, or from Debian.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 2> /dev/null | grep -m 1 -E '/debian/?$' || true)
echo "installing the servers of Debian $suite into $folder (once; takes a minute or two)"
rm -rf "$folder.new"
debootstrap --variant=minbase --include=rabbitmq-server,redis-server,postgresql,python3-celery \
  "$suite" "$folder.new" "${mirror:-http://deb.debian.org/debian}" > "$log" 2>&1 < /dev/null \
  || { tail -n 40 "$log" >&2; fail "debootstrap failed, see above and in $folder.new/debootstrap"; }
cp /etc/hosts "$folder.new/etc/hosts" # RabbitMQ looks up this host's name for each connection
mv "$folder.new" "$folder"
rm -f "$log"
