#!/usr/bin/env bash
# Sets up a Docker engine with BuildKit and the base images that the engine tests build on.
#
# For Debian, as root: `make engine`. Where an engine already answers, only the missing base
# images are made. Debian 12's own docker.io is too old (no `COPY --link`), so the engine comes
# from trixie, pinned low so that nothing else is upgraded.
set -euo pipefail

DATA_ROOT=${VENVSMITH_DOCKER_ROOT:-/var/lib/docker}
LOG=${VENVSMITH_DOCKER_LOG:-/var/log/dockerd.log}

say() { printf 'engine: %s\n' "$*"; }
engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

install_engine() {
  [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] || {
    say "no Docker engine answers, and only root on Debian can have one set up from here" >&2
    say "install Docker with buildx, start it, and run 'make engine' again for the base images" >&2
    exit 4
  }
  export DEBIAN_FRONTEND=noninteractive
  # The mirror is the one that this machine already uses.
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null \
    | grep -E '/debian/?$' | head -n 1)
  cat > /etc/apt/sources.list.d/venvsmith-trixie.sources <<SOURCES
Types: deb
URIs: ${mirror:?no Debian mirror is configured in apt}
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
  cat > /etc/apt/preferences.d/venvsmith-trixie <<'PIN'
Package: *
Pin: release n=trixie
Pin-Priority: 50
PIN
  apt-get update -q
  apt-get install -qy --no-install-recommends docker.io iptables
  apt-get install -qy --no-install-recommends -t trixie docker.io docker-buildx docker-compose
}

start_engine() {
  command -v dockerd >/dev/null || install_engine
  docker buildx version >/dev/null 2>&1 || install_engine
  say "starting dockerd, data under $DATA_ROOT, log in $LOG"
  rm -f /var/run/docker.pid
  setsid dockerd --data-root "$DATA_ROOT" >"$LOG" 2>&1 </dev/null &
  for _ in $(seq 240); do
    if engine_answers; then keep_address; return; fi
    sleep 0.5
  done
  say "dockerd did not come up; the end of its log:" >&2
  tail -n 20 "$LOG" >&2
  exit 4
}

# Without udev, the bridge has the address of one of the containers on it: when that one ends, the
# connections of all others hang for most of a minute.
keep_address() {
  local bridge=/sys/class/net/docker0
  [ -e "$bridge/addr_assign_type" ] && [ "$(cat "$bridge/addr_assign_type")" != 3 ] || return 0
  ip link set dev docker0 address 02:42:76:65:6e:76 || say "docker0 keeps no address of its own" >&2
}

install_tools() {
  local missing=()
  command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
  command -v bwrap >/dev/null || missing+=(bubblewrap)
  command -v docker-registry >/dev/null || missing+=(docker-registry)
  [ ${#missing[@]} = 0 ] && return
  apt-get update -q
  apt-get install -qy --no-install-recommends "${missing[@]}"
}

# base_image NAME SUITE PACKAGES: a base image from Debian's packages, made once.
base_image() {
  docker image inspect "$1" >/dev/null 2>&1 && return
  say "making $1"
  local tar
  tar=$(mktemp --suffix .tar)
  mmdebstrap --quiet --variant=minbase --include="$3" "$2" "$tar" >/dev/null
  docker import "$tar" "$1" >/dev/null
  rm -f "$tar"
}

engine_answers || start_engine
if [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
  install_tools
  base_image venvsmith-test/bookworm:1 bookworm python3,python3-venv,ca-certificates
  base_image venvsmith-test/bookworm-noensurepip:1 bookworm python3,ca-certificates
  base_image venvsmith-test/trixie:1 trixie python3,python3-venv,ca-certificates
  base_image venvsmith-test/bullseye:1 bullseye python3,python3-venv,ca-certificates
fi
say "ready: Docker $(docker version --format '{{.Server.Version}}'), $(docker buildx version | cut -d' ' -f2)"
