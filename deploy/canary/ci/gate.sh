#!/bin/sh
# Is the gateway at CANARY as good as the one at BASELINE? For any CI, by any POSIX shell: ends with the gate's exit code,
# and leaves canary.json, canary.xml (JUnit) and canary.md in the folder REPORTS.
#
#   BASELINE=wss://chat.example.com/socket CANARY=wss://chat-next.example.com/socket gate.sh [ARGUMENTS OF gateprobe canary]
#
# Exit codes: 0 pass, 1 fail, 2 wrong arguments, 3 inconclusive, 4 gateprobe's own error. To let a pipeline go on without a
# verdict, pass --inconclusive-exit-code 0. Tokens: --config FILE, and name one of its targets as BASELINE.
set -eu

needs() {
    echo "gate.sh: $1: $2: a URL, or a target of the config" >&2
    exit 2
}

[ -n "${BASELINE:-}" ] || needs BASELINE "the gateway that serves today"
[ -n "${CANARY:-}" ] || needs CANARY "the gateway that may come next"
reports=${REPORTS:-.}
# What can't be done is no verdict.
mkdir -p "$reports" || exit 4

exec gateprobe canary --baseline "$BASELINE" --canary "$CANARY" --profile "${PROFILE:-quick}" \
    --report "json=$reports/canary.json" --report "junit=$reports/canary.xml" --report "markdown=$reports/canary.md" "$@"
