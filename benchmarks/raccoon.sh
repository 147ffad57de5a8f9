#!/usr/bin/env bash
# The study of benchmarks/results/raccoon.md: fifty labels damaged, found by the audit, repaired in Label Studio's format
# by a script that stands in for a person, imported, and compared with the labels before.
# usage: benchmarks/raccoon.sh WORKSPACE RACCOON_FOLDER BACKBONE.pth; WORKSPACE.* beside it holds what is exchanged
set -euo pipefail
workspace=$1 clean=$2 weights=$3
labels=$(dirname "$0")/raccoon_labels.py
python -P "$labels" damage "$clean" "$workspace.data" "$workspace.damaged.json"
metricloop init "$workspace" --data "$workspace.data" --name raccoon --budget 0.8 --detector fcos_shufflenet \
  --weights "$weights" --image-size 160 --iterations 150
python -P "$labels" plan "$workspace"
metricloop audit --least 0 --most 80 -C "$workspace"  # a queue of eighty pictures, whatever the evidence
metricloop export suspicious "$workspace.queue.json" --format label-studio --most 80 -C "$workspace"
python -P "$labels" repair "$clean" "$workspace.damaged.json" "$workspace.queue.json" "$workspace.repaired.json"
metricloop import-labels "$workspace.repaired.json" -C "$workspace"
python -P "$labels" compare-two "$workspace"
metricloop run -C "$workspace"
metricloop compare --markdown -C "$workspace"
