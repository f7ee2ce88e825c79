#!/bin/sh
# Bring Bugsink's databases up to date, make its first user, then serve and work through what came in.
set -eu
secrets=${BUGSINK_SECRETS_DIR:-/run/secrets}
SECRET_KEY=$(cat "$secrets/bugsink_secret_key")
CREATE_SUPERUSER="${BUGSINK_USER:?the e-mail address of the first user}:$(cat "$secrets/bugsink_password")"
export SECRET_KEY CREATE_SUPERUSER
bugsink-manage migrate snappea --database=snappea
bugsink-manage migrate
bugsink-manage prestart
unset CREATE_SUPERUSER
exec monofy gunicorn --bind="0.0.0.0:$PORT" --workers="${GUNICORN_WORKERS:-2}" --worker-tmp-dir=/tmp \
    --access-logfile=- --timeout=60 bugsink.wsgi '|||' bugsink-runsnappea
