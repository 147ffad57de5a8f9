#!/usr/bin/env bash
# The audits of benchmarks/results/audit.md: how well they find known mistakes, on drawn and on real images.
# usage: benchmarks/audit.sh FOLDER DATA BACKBONE.pth [SEED]; DATA holds the data sets lion and bccd
set -euo pipefail
folder=$1 data=$2 weights=$3 seed=${4:-1}
mkdir -p "$folder"

audit() { # NAME FOLDS ITERATIONS SIDE, then the options of `metricloop init`
  local place=$folder/$1 settings=("predict.folds=$2" "predict.iterations=$3" "train.image_size=$4" "data.corrupt.seed=$seed")
  shift 4
  [ -d "$place" ] || metricloop init "$place" "$@"
  metricloop audit -C "$place" --set "${settings[@]}" | tee "$place.txt"
}

audit demo-96 4 1000 96 --demo
audit demo-160 2 1000 160 --demo
audit bccd 2 750 224 --data "$data/bccd" --corrupt custom --weights "$weights"
audit lion 2 750 224 --data "$data/lion" --corrupt article --weights "$weights"
