#!/bin/sh
# The migration, then PHP's own server on port $1.
set -eu
here=$(dirname "$0")
php "$here/index.php"
exec php -q -S "127.0.0.1:$1" "$here/index.php"
