# Installs system packages and leaves nothing behind that differs from one build to the next.
#
# usage: apt.sh PACKAGE...
set -eu
export DEBIAN_FRONTEND=noninteractive PYTHONHASHSEED=0
if [ -e /run/secrets/ca ]; then
  set -- -o Acquire::https::CAInfo=/run/secrets/ca "$@"
fi
apt-get -qq update
apt-get -qq install -y --no-install-recommends "$@" >/tmp/apt.log 2>&1 || { cat /tmp/apt.log >&2; exit 1; }
rm -rf /tmp/apt.log /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb
