#!/usr/bin/env bash
# The audits of benchmarks/results/audit.md: how well known mistakes are found, on drawn and on real pictures.
# usage: benchmarks/audit.sh FOLDER DATA BACKBONE.pth [STRENGTH [ITERATIONS]]; DATA holds the data sets lion and bccd
set -euo pipefail
folder=$1 data=$2 weights=$3 strength=${4:-0.5} iterations=${5:-750}
mkdir -p "$folder"

audit() { # NAME, then what `metricloop init` is told
  local name=$1
  shift
  [ -d "$folder/$name" ] || metricloop init "$folder/$name" "$@"
  sed -i "s/^  iterations: [0-9]*  *# batches each is trained on/  iterations: $iterations           # batches each is trained on/" \
    "$folder/$name/params.yaml"
  metricloop audit -C "$folder/$name" | tee "$folder/$name.txt"
}

audit demo --demo
for preset in article sloppy custom; do
  audit "lion-$preset" --data "$data/lion" --corrupt "$preset" --strength "$strength" --weights "$weights"
done
for preset in article custom; do
  audit "bccd-$preset" --data "$data/bccd" --corrupt "$preset" --strength "$strength" --weights "$weights"
done
