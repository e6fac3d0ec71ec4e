# Finds the interpreter of a base, and stops the build where it is not the one that was agreed on.
#
# usage: interpreter.sh BASE MINOR OUT VENVS [PATH] [OTHER]
#   BASE   "build" or "runtime", for the messages
#   MINOR  3.11
#   OUT    file to write: the interpreter's path, its version, its machine and its libc, a line each
#   VENVS  paths, colon-separated, at which the base must not hold anything yet
#   PATH   where it must lie; looked for on PATH where empty
#   OTHER  what this script wrote in the other base: path and minor must be the same there
set -eu
base=$1 minor=$2 out=$3 venvs=$4 wanted=${5:-} other=${6:-}

fail() { echo "venvsmith: $*" >&2; exit 1; }

IFS=:
for venv in $venvs; do
  [ -z "$(ls -A "$venv" 2>/dev/null)" ] || fail "the $base base already holds something at $venv: set [project] venv to another path, or use another base"
done
unset IFS

ask() {
  "$1" -I -S -c 'import os, platform, sys
print(getattr(sys, "_base_executable", None) or sys.executable)
print("%d.%d.%d" % sys.version_info[:3])
print(platform.machine())
print("-".join(platform.libc_ver()))' 2>/dev/null
}

found=
# A path may hold spaces and what a shell takes for a pattern: it is one word.
if [ -n "$wanted" ]; then set -- "$wanted"; else set -- "python$minor" python3 python; fi
for candidate in "$@"; do
  path=$(command -v "$candidate" 2>/dev/null) || continue
  answer=$(ask "$path") || continue
  version=$(printf '%s\n' "$answer" | sed -n 2p)
  [ "${version%.*}" = "$minor" ] && { found=$answer; break; }
  seen="${seen:-}${seen:+, }$path is $version"
done
[ -n "$found" ] || fail "the $base base has no Python $minor${wanted:+ at $wanted}${seen:+ ($seen)}: use a base that has it, or set python = \"apt\" or python = \"uv\" in [bases]"

mkdir -p "$(dirname "$out")"
printf '%s\n' "$found" > "$out"
path=$(printf '%s\n' "$found" | sed -n 1p)
if [ -n "$other" ]; then
  there=$(sed -n 1p "$other")
  [ "$path" = "$there" ] || fail "Python $minor lies at $path in the build base but at $there in the runtime base, so the copied venv would point to nothing: use bases that agree, or set python-path"
fi

echo "venvsmith: the $base base runs $path, $(printf '%s\n' "$found" | sed -n '2,4p' | tr '\n' ' ')"
