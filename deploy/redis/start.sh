#!/bin/sh
# start.sh durable|serving: redis-server on that role's file. Its password comes out of a file and goes in by
# standard input, so that no process list shows it.
set -eu
conf=${REDIS_CONF_DIR:-/etc/topshelf-redis}/$1.conf
password=$(cat "${REDIS_SECRETS_DIR:-/run/secrets}/redis_$1_password")
if [ -z "$password" ]; then
    echo "redis_$1_password is empty: Redis is not started without a password" >&2
    exit 2
fi
exec redis-server "$conf" - <<CONF
maxmemory ${REDIS_MAXMEMORY:?how much it may hold, such as 512mb}
requirepass "$password"
CONF
