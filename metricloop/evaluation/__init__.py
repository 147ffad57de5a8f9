"""EVALUATION: detections against labels: COCO mAP and mAR, matches, types of error. Imports `data`."""
