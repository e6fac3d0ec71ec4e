#!/usr/bin/env bash
# The main job end to end, without Docker: lock, render, build and verify an example.
set -euo pipefail

venvsmith=$(realpath --no-symlinks "$1")
example=$2
case $example in
  whisperx) folder=. ;;
  *) folder=examples/$example ;;
esac
cd "$folder"

run() {
  printf '\n$ %s\n' "venvsmith $*"
  "$venvsmith" "$@"
}

start=$(date +%s)
run lock
run render
run build --engine local
printf '\ndemo: %s locked, rendered, built and verified in %s s\n' "$example" "$(($(date +%s) - start))"
