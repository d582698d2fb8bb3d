#!/bin/sh
# Any program will do: it prints a line of JSON for each report, and the last one is the result.
#
#     asyncsweep run --lr "log_uniform(1e-3, 1)" --trials 20 -- ./train.sh --lr={lr}

set -eu
lr=0.01
for argument in "$@"; do
    case "$argument" in
        --lr=*) lr="${argument#--lr=}" ;;
        *) echo "train.sh: $argument is unknown" >&2; exit 2 ;;
    esac
done
awk -v lr="$lr" 'BEGIN {
    for (step = 0; step < 5; step++) {
        weight += lr * 2 * (3 - weight)
        printf "{\"loss\": %.6f, \"step\": %d}\n", (weight - 3) ^ 2, step
    }
}'
