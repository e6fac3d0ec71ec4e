#!/usr/bin/env bash
# The one step of action.yml: verify once, then tell it to the log, the summary and code scanning.
#
# Reads VENVSMITH_PYTHON (an interpreter that has venvsmith), VENVSMITH_RESULTS (a folder to write
# to) and the action's inputs as INPUT_…; writes GITHUB_OUTPUT and GITHUB_STEP_SUMMARY. Ends with
# the exit code of `venvsmith verify`.
set -uo pipefail

results=$VENVSMITH_RESULTS
report=$results/report.json
sarif=$results/report.sarif
mkdir -p "$results"
rm -f "$report" "$sarif"

options=(--format json --output "$report" --fail-on "$INPUT_FAIL_ON")
each_line() { # OPTION TEXT: one option for each line that is not empty
  local line
  while IFS= read -r line || [ -n "$line" ]; do
    if [ -n "$line" ]; then options+=("$1" "$line"); fi
  done <<<"$2"
}
each_line --import "$INPUT_IMPORT"
each_line --command "$INPUT_COMMAND"
each_line --ignore "$INPUT_IGNORE"
if [ -n "$INPUT_LOCK" ]; then options+=(--lock "$INPUT_LOCK"); fi
if [ "$INPUT_STATIC" = true ]; then options+=(--static); fi

"$VENVSMITH_PYTHON" -m venvsmith --quiet verify "${options[@]}" -- "$INPUT_TARGET"
code=$?
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
if [ ! -f "$report" ]; then
  # No report: a wrong target or an engine that fails. The line above says why.
  if [ "$code" -eq 0 ]; then code=70; fi
  exit "$code"
fi

as() { "$VENVSMITH_PYTHON" -m venvsmith.report "$report" "$1"; }
as sarif >"$sarif"
text=$(as text)
if [ "$INPUT_ANNOTATE" = true ]; then as github; else printf '%s\n' "$text"; fi
verdict=$("$VENVSMITH_PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["verdict"])' "$report")
{
  echo "verdict=$verdict"
  echo "report=$report"
  echo "sarif=$sarif"
} >>"$GITHUB_OUTPUT"
{
  echo '### venvsmith verify'
  echo '```text'
  printf '%s\n' "${text//\`\`\`/}"
  echo '```'
} >>"$GITHUB_STEP_SUMMARY"
exit "$code"
