#!/usr/bin/env bash
# The study of benchmarks/results/lion.md: real photos, half the labels damaged on purpose. About 45 minutes on two cores.
# usage: benchmarks/lion.sh WORKSPACE LION_FOLDER BACKBONE.pth
set -euo pipefail
metricloop init "$1" --data "$2" --name lion --budget 0.25 --full --corrupt article --strength 0.5 \
  --detector fcos_shufflenet --weights "$3" --image-size 224 --iterations 250
python -P "$(dirname "$0")/add_best_metrics.py" "$1"
git -C "$1" commit --quiet --all --message "five metrics of the catalogue"
metricloop run -C "$1"
metricloop compare --markdown -C "$1"
metricloop compare --confirmed -C "$1"
