#!/bin/sh
# Installs Bugsink into an environment of its own and makes a site of it with one empty project.
# The tests copy the site: its migrations take longer than all they ask of it.
set -eu
python=$1
folder=$2
here=$(cd "$(dirname "$0")" && pwd)

rm -rf "$folder"
"$python" -m venv "$folder"
bin=$(cd "$folder" && pwd)/bin
"$bin/python" -m pip --disable-pip-version-check install --quiet --requirement "$here/requirements.txt"
mkdir "$folder/site"
cd "$folder/site"
"$bin/bugsink-create-conf" --template=local --host=127.0.0.1 --port=8000 >/dev/null
"$bin/bugsink-manage" migrate --verbosity 0
"$bin/bugsink-manage" migrate --verbosity 0 --database snappea
"$bin/bugsink-manage" shell --verbosity 0 --command \
    'from projects.models import Project; Project.objects.create(name="Topshelf")'
