# Adds an apt repository for the installs that follow; apt.sh takes it away again.
#
# Nothing but apt itself is needed of the base: its own helper downloads, and its gpgv or sqv checks.
# usage: apt-source.sh NAME URI SUITE COMPONENTS [SHA256 [KEY]]
#   NAME    where it stands in the configuration, for the messages
#   SHA256  digest of its signing key; where empty, a key that the base trusts already has to do
#   KEY     the key: a file, or a URL; where empty, the usual places below URI are tried
set -eu
name=$1 uri=$2 suite=$3 components=$4 sha256=${5:-} key=${6:-}
folder=/tmp/venvsmith-apt

fail() { echo "venvsmith: $name: $*" >&2; exit 1; }
digest() { sha256sum "$1" | cut -d' ' -f1; }

ca=
[ ! -e /run/secrets/ca ] || ca=/run/secrets/ca

# A bare base knows no certificates; the package that brings them comes from its own repositories.
case "$uri $key" in *https://*)
  if [ -z "$ca" ] && [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends ca-certificates >/dev/null 2>&1 \
      || fail "the base has no certificates for https, and installing ca-certificates failed"
  fi
esac

download() {
  rm -f "$folder/download"
  /usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=2 \
    ${ca:+-o Acquire::https::CAInfo=$ca} download-file "$1" "$folder/download" >"$folder/log" 2>&1
}

number=$(find /etc/apt/sources.list.d -name 'venvsmith-*' | wc -l)
mkdir -p "$folder"
signed=
if [ -n "$sha256" ]; then
  case $key in
    '')
      found= seen=
      for place in gpg gpg.key key.asc key.gpg KEY.gpg Release.key; do
        download "${uri%/}/$place" || continue
        [ "$(digest "$folder/download")" = "$sha256" ] && { found=$folder/download; break; }
        seen="$seen, ${uri%/}/$place has $(digest "$folder/download")"
      done
      [ -n "$found" ] || fail "no key with the digest $sha256 lies below $uri${seen}: say where it is with key = \"...\", a file of the project or a URL"
      ;;
    *://*)
      download "$key" || fail "the key cannot be had from $key: $(tail -n 1 "$folder/log")"
      found=$folder/download
      ;;
    *) found=$key ;;
  esac
  [ "$(digest "$found")" = "$sha256" ] || fail "the key ${key##*/} has the digest $(digest "$found"), not $sha256 as key-sha256 says"
  # apt tells the two forms of a key by the file's name.
  if grep -q 'BEGIN PGP PUBLIC KEY BLOCK' "$found"; then ending=asc; else ending=gpg; fi
  signed=$folder/key-$number.$ending
  cp "$found" "$signed"
  chmod 644 "$signed"
fi
chmod 755 "$folder"

# A suite that ends in a slash is a folder, and has no components.
case $suite in */) components= ;; *) components=${components:-main} ;; esac
{
  echo "Types: deb"
  echo "URIs: $uri"
  echo "Suites: $suite"
  [ -z "$components" ] || echo "Components: $components"
  [ -z "$signed" ] || echo "Signed-By: $signed"
} > "/etc/apt/sources.list.d/venvsmith-$number.sources"
