"""KNOW: the domain of object detection. Frames, formats, label damage, detectors, COCO evaluation."""
