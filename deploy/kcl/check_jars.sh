#!/bin/sh
# Are the jars of a folder those of jars.sha256: each by its checksum, none missing, none more? `make kcl` and the Dockerfile ask.
#     check_jars.sh FOLDER            exit status 1 if they are not, with what differs
#     check_jars.sh FOLDER --write    takes the folder's for the right ones: after a change of pom.xml, once they are checked
set -eu
listed=$(cd "$(dirname "$0")" && pwd)/jars.sha256
found=$(cd "$1" && LC_ALL=C && export LC_ALL && sha256sum -- *.jar)
if [ "${2:-}" = --write ]; then
    printf '%s\n' "$found" > "$listed"
elif ! printf '%s\n' "$found" | diff "$listed" -; then
    echo "the jars in $1 are not those of deploy/kcl/jars.sha256: a repository has delivered others, or pom.xml has changed" >&2
    exit 1
fi
