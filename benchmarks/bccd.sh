#!/usr/bin/env bash
# The study of benchmarks/results/bccd.md: blood cells, many small objects, labels damaged on purpose.
# usage: benchmarks/bccd.sh WORKSPACE BCCD_FOLDER BACKBONE.pth
set -euo pipefail
metricloop init "$1" --data "$2" --name bccd --budget 0.25 --corrupt article --strength 0.5 \
  --detector fcos_shufflenet --weights "$3" --image-size 160 --iterations 200
metricloop run -C "$1"
metricloop compare --markdown -C "$1"
metricloop compare --confirmed -C "$1"
