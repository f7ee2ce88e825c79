#!/bin/sh
# start.sh durable|serving: redis-server on that role's file. Its password comes out of a file and goes in by
# standard input, so that no process list shows it.
set -eu
password=$(cat "${REDIS_PASSWORD_FILE:?the file of the password}")
if [ -z "$password" ]; then
    echo "$REDIS_PASSWORD_FILE is empty: Redis is not started without a password" >&2
    exit 2
fi
exec redis-server "$(dirname "$0")/$1.conf" - <<CONF
maxmemory ${REDIS_MAXMEMORY:?how much it may hold, such as 512mb}
requirepass "$password"
CONF
