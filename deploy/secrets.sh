#!/bin/sh
# secrets.sh [FOLDER]: makes up every secret that docker-compose.yml and deploy/k8s take, a file each, in ./secrets.
# What is there already is kept, so it may be run again; a secret is changed by writing its file.
# Nobody but you can enter the folder; in it the files are readable, as each is mounted for a user of the container.
set -eu
umask 077
folder=${1:-secrets}
mkdir -p "$folder"
chmod 700 "$folder"

keep() { # NAME VALUE: writes the file where there is none
    if [ ! -e "$folder/$1" ]; then
        printf '%s' "$2" >"$folder/$1.new"
        chmod 444 "$folder/$1.new"
        mv "$folder/$1.new" "$folder/$1"
        echo "made $folder/$1"
    fi
}

random() {
    head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

for name in redis_durable_password redis_serving_password tokens_read tokens_events tokens_admin \
    flower_password grafana_password bugsink_secret_key bugsink_password webhook_secret; do
    keep "$name" "$(random)$(random)"
done

for role in durable serving; do
    password=$(cat "$folder/redis_${role}_password")
    case $password in
    '' | *[!A-Za-z0-9_-]*)
        echo "$folder/redis_${role}_password: letters, digits, _ and - are wanted, as it is part of a URL" >&2
        exit 2
        ;;
    esac
    keep "${role}_url" "redis://:$password@redis-$role:6379/0"
done

# Empty means: nowhere.
for name in sentry_dsn neptune_token webhook_urls; do
    keep "$name" ""
done
