#!/usr/bin/env bash
# The study of benchmarks/results/lion.md: real photos, half the labels damaged on purpose. About an hour on two cores.
# usage: benchmarks/lion.sh WORKSPACE LION_FOLDER BACKBONE.pth
set -euo pipefail
metricloop init "$1" --data "$2" --name lion --budget 0.25 --full --corrupt article --strength 0.5 --seeds 6 \
  --detector fcos_shufflenet --weights "$3" --image-size 224 --iterations 250
metricloop run -C "$1"
metricloop compare --markdown -C "$1"
