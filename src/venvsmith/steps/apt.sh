# Installs system packages and leaves nothing behind that differs from one build to the next.
#
# Repositories that apt-source.sh added go again: what they gave stays, they do not.
# usage: apt.sh PACKAGE...
set -eu
export DEBIAN_FRONTEND=noninteractive PYTHONHASHSEED=0
log=/tmp/venvsmith-apt.log

apt() {
  if [ -e /run/secrets/ca ]; then
    set -- -o Acquire::https::CAInfo=/run/secrets/ca "$@"
  fi
  # --error-on=any: a repository that does not answer, or whose signature is not right, is an error.
  apt-get -qq "$@" >"$log" 2>&1 || { cat "$log" >&2; return 1; }
}

minor() {
  # Of python3.12, where that is wanted and no repository has it: what they have instead.
  for package in "$@"; do
    case $package in python3.*)
      apt-cache show "$package" >/dev/null 2>&1 || {
        has=$(apt-cache pkgnames python3. | grep -x 'python3\.[0-9]*' | sort -V | paste -sd ' ')
        echo "venvsmith: no repository of this base has $package (it has ${has:-none}): use a base whose distribution has it, add a repository with apt-sources, or set python = \"uv\" in [bases]" >&2
        exit 1
      }
    esac
  done
}

apt update --error-on=any
minor "$@"
apt install -y --no-install-recommends "$@"
rm -rf "$log" /tmp/venvsmith-apt /etc/apt/sources.list.d/venvsmith-*.sources \
  /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb
