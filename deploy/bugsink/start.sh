#!/bin/sh
# Bring Bugsink's databases up to date, make its first user, then serve and work through what came in.
set -eu
SECRET_KEY=$(cat "$SECRET_KEY_FILE")
CREATE_SUPERUSER="${BUGSINK_USER:?the e-mail address of the first user}:$(cat "$BUGSINK_PASSWORD_FILE")"
export SECRET_KEY CREATE_SUPERUSER
bugsink-manage migrate snappea --database=snappea
bugsink-manage migrate
bugsink-manage prestart
unset CREATE_SUPERUSER
exec monofy gunicorn --bind="$BIND:$PORT" --workers=2 --worker-tmp-dir=/tmp --access-logfile=- --timeout=60 \
    bugsink.wsgi '|||' bugsink-runsnappea
