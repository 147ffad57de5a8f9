"""EVALUATION: compares detections with labels: COCO mAP and mAR, matches, types of error. Imports `data`."""
