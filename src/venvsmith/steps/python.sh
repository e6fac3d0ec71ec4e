# Installs uv's own Python below /opt/python, where every user may read it.
#
# Its path holds neither the patch version nor the machine, so that a venv made with one build of it
# runs with another: /opt/python/MINOR is a link to it.
# usage: python.sh UV REQUEST MINOR TREE
#   REQUEST  as `uv python install` takes it: 3.11, or cpython-3.11-linux-aarch64-gnu
#   TREE     where a copy of /opt/python goes, at its path
set -eu
uv=$1 request=$2 minor=$3 tree=$4
[ ! -e /run/secrets/ca ] || export SSL_CERT_FILE=/run/secrets/ca
for name in UV_PYTHON_DOWNLOADS_JSON_URL UV_PYTHON_INSTALL_MIRROR; do
  [ ! -e "/run/secrets/$name" ] || export "$name=$(cat "/run/secrets/$name")"
done
rm -rf /opt/python
log=$(mktemp)
"$uv" python install --no-config --no-cache --no-bin --install-dir /opt/python "$request" >"$log" 2>&1 || {
  cat "$log" >&2
  echo "venvsmith: uv could not install Python $request ($(tail -n 1 "$log" | sed 's/^ *//')): where its downloads are out of reach, name a mirror in UV_PYTHON_INSTALL_MIRROR and that variable under build.secrets" >&2
  exit 1
}
rm -f "$log"
# uv's own links are absolute, and name the machine.
find /opt/python -mindepth 1 -maxdepth 1 \( -type l -o -name '.*' \) -exec rm -rf {} +
found=$(cd /opt/python && ls -d "cpython-$minor."*)
ln -s "$found" "/opt/python/$minor"
mkdir -p "$tree/opt"
cp -a /opt/python "$tree/opt/"
