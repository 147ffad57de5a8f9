#!/usr/bin/env bash
# The tables and the curve of benchmarks/results/audit.md on how far an audit's probabilities can be believed.
# usage: benchmarks/audit_calibration.sh FOLDER DATA BACKBONE.pth; DATA holds raccoon, microcontrollers, bccd and lion
# Further workspaces that have been audited may be named after these.
set -euo pipefail
folder=$1 data=$2 weights=$3
shift 3
mkdir -p "$folder"

audit() { # NAME FOLDS ITERATIONS SIDE, then the options of `metricloop init`
  local place=$folder/$1 settings=("predict.folds=$2" "predict.iterations=$3" "train.image_size=$4")
  shift 4
  [ -d "$place" ] || metricloop init "$place" "$@"
  metricloop audit -C "$place" --most 1000 --set "${settings[@]}" | tee "$place.txt"
}

audit pandas 4 1000 96 --demo --corrupt none
audit pandas-damaged 4 1000 96 --demo
audit raccoon 2 750 224 --data "$data/raccoon" --weights "$weights"
audit micro 2 350 224 --data "$data/microcontrollers" --weights "$weights"
audit bccd 2 350 224 --data "$data/bccd" --weights "$weights"
audit bccd-damaged 2 500 224 --data "$data/bccd" --corrupt custom --weights "$weights"
audit lion-damaged 2 250 224 --data "$data/lion" --corrupt article --weights "$weights"
python -P "$(dirname "$0")/audit_calibration.py" "$folder/calibration.png" "$folder"/{pandas,pandas-damaged,raccoon,micro,bccd,bccd-damaged,lion-damaged} "$@"
